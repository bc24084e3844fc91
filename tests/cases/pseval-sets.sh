# pseval --sets: recall and NDCG of recommendations to boards, against figures worked out here, and by the definition.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
awk 'BEGIN { for (i = 0; i < 60; i++) { print "n" i > "items"; print "n" i "\tb" i % 7 } }' >edges.tsv
psgraph-build -t -I items <edges.tsv >g.psg
python3 "$PS_ROOT/tests/knn_check.py" vectors x.psr 60 8 3 free
# The third set has nothing held out and counts nowhere.
printf 'n1\tn2\nn5\nn6\nn7\tn8\tn9\nn50\n' >kept
printf 'n3\tn4\tn40\nn11\n\nn20\tn21\tn22\tn23\tn24\tn25\nn30\n' >held-out
psknn -g g.psg -x x.psr -t --sets -k 20 <kept >h.psr
pseval -g g.psg -t --sets -p held-out -K 5,20 -J <h.psr >report
python3 - "$PS_ROOT/tests" <<'END'
import json, math, sys
sys.path.insert(0, sys.argv[1])
from knn_check import hit_lists
hits, got = hit_lists("h.psr"), json.load(open("report"))
held = [[int(n[1:]) for n in line.split()] for line in open("held-out")]
asked = [i for i in range(len(held)) if held[i]]
assert got["queries"] == len(asked) == 4 and got["pairs"] == sum(map(len, held))
found = 0
for k in (5, 20):
    recall = ndcg = 0
    for i in asked:
        top = [item for item, _ in hits[i][:k]]
        gains = [1 / math.log2(2 + place) for place, item in enumerate(top) if item in held[i]]
        found += len(gains)
        recall += len(gains) / len(held[i])
        ndcg += sum(gains) / sum(1 / math.log2(2 + j) for j in range(min(k, len(held[i]))))
    assert abs(got["recall"][str(k)] - recall / len(asked)) < 1e-6, (got["recall"], recall / len(asked))
    assert abs(got["ndcg"][str(k)] - ndcg / len(asked)) < 1e-6, (got["ndcg"], ndcg / len(asked))
assert found > 3
END
