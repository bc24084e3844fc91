# pseval with several files: every figure, interval and p against Python; one file says what it says alone; -j; errors.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
check() { python3 "$PS_ROOT/tests/knn_check.py" "$@"; }

awk 'BEGIN { srand(5); for (i = 0; i < 220; i++) print "n" i > "items";
             for (i = 0; i < 700; i++) print "n" int(rand() * rand() * 220) "\tb" int(rand() * 60) }' >edges.tsv
awk 'BEGIN { srand(8); for (i = 0; i < 250; i++) print "n" int(rand() * 90) "\tn" int(rand() * 220) }' |
    awk '$1 != $2' >pairs.tsv
printf 'n3\tnew\n' >>pairs.tsv
psgraph-build -t -I items <edges.tsv >g.psg
check vectors plain.psr 220 6 2
check vectors free.psr 220 9 3 free
check sparse s.psr plain.psr
sort -u pairs.tsv | cut -f 1 | uniq | head -n 70 | psknn -g g.psg -x free.psr -t -k 12 >h.psr
judge() { pseval -q -g g.psg -t -u -p pairs.tsv -K 1,5,20 --breakdown -s 7 "$@"; }

judge --bootstrap 150 -J plain.psr h.psr s.psr free.psr >r.json
judge --bootstrap 150 --tsv plain.psr h.psr s.psr free.psr >r.tsv
PYTHONPATH=$PS_ROOT/tests python3 "$PS_ROOT/tests/compare_check.py" r.json r.tsv pairs.tsv items edges.tsv 1,5,20 3 150 7 \
    plain.psr h.psr s.psr free.psr || fail "$(cat r.json)"

# What one file has alone, it has among others.
judge --distribution 500 -J h.psr plain.psr >r.json
pseval -q -J -g g.psg -t -u -p pairs.tsv -K 1,5,20 -x plain.psr --distribution 500 -s 7 >alone.json
python3 - <<'EOF'
import json
r, alone = json.load(open("r.json")), json.load(open("alone.json"))
one = r["files"][1]
for key, value in alone.items():
    if key == "cold":
        assert {k: one["cold"][k] for k in value} == value
    else:
        assert one[key] == value, key
assert "distribution" not in r["files"][0] and r["samples"] == 1000
EOF

# Threads, text, a file against itself, standard input, names that would be the same.
for form in "" -J --tsv; do
    judge $form --distribution 300 plain.psr h.psr free.psr -j 1 >want
    judge $form --distribution 300 plain.psr h.psr free.psr -j 3 | cmp - want || fail "$form: -j 3"
done
judge --tsv --distribution 300 plain.psr - free.psr <h.psr >got
sed 's/h\.psr/-/' want | cmp - got || fail "hits from standard input"
judge plain.psr h.psr >r.txt
grep -q '^251 pairs, .* queries; in brackets 95% of 1000 samples' r.txt || fail "heading: $(cat r.txt)"
awk '$1 == "scaled" && /\[0\.[0-9]*, 0\.[0-9]*\].*\[/ { n++ } END { exit n != 2 }' r.txt || fail "no intervals: $(cat r.txt)"
grep -q '^h against plain: [0-9]* wins, ' r.txt || fail "no head-to-head: $(cat r.txt)"
grep -q '^scaled MRR by the boards of the query' r.txt || fail "no breakdown: $(cat r.txt)"
judge --bootstrap 0 plain.psr h.psr >r.txt
! grep -q '\[' r.txt || fail "intervals without samples"
mkdir other && cp plain.psr other/
judge -J plain.psr other/plain.psr >r.json
python3 - <<'EOF'
import json
r = json.load(open("r.json"))
assert [f["label"] for f in r["files"]] == ["plain.psr", "other/plain.psr"]
c = r["comparisons"][0]
assert c["wins"] == c["losses"] == 0 and c["share"] == .5 and c["difference"]["mrr"] == {"value": 0, "low": 0, "high": 0, "p": 1}
EOF
# Without a graph: vectors, pairs as records.
check pairs p.psr $(grep -v new pairs.tsv | sed 's/n//g; s/$/ 1/')
pseval -p p.psr -K 5 plain.psr free.psr >r.txt
! grep -q 'cold\|popularity' r.txt && grep -q 'Gini@5' r.txt || fail "without a graph: $(cat r.txt)"

# What goes wrong is said.
refused() { # status, text, arguments
    want=$1 text=$2 status=0
    shift 2
    pseval "$@" >out 2>err </dev/null || status=$?
    [ $status = "$want" ] || fail "$*: status $status: $(cat err)"
    [ "$(wc -l <err)" = 1 ] && grep -q -e "$text" err || fail "$*: $(cat err)"
    [ ! -s out ] || fail "$*: wrote something"
}
common="-g g.psg -t -u -q -p pairs.tsv"
refused 2 "-x is for one set" $common -x plain.psr h.psr
refused 2 "--against is for one set" $common --against plain.psr h.psr
refused 2 "-p PAIRS" -g g.psg plain.psr
refused 2 "only one thing can come from standard input" $common - - h.psr
refused 2 "--breakdown needs -g" -p p.psr --breakdown plain.psr
refused 2 "give one" $common -J --tsv plain.psr
refused 2 "--tsv is for files" $common --tsv -x plain.psr
refused 2 "none of the files holds vectors" $common --distribution 9 h.psr
refused 2 "judging hits needs -g" -p p.psr h.psr
refused 1 "nothing.psr" $common plain.psr nothing.psr
refused 1 "p.psr: holds pairs" $common plain.psr p.psr
head -c 1000 plain.psr >cut.psr
refused 1 "cut.psr" $common plain.psr cut.psr
refused 2 "at most 16" $common h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr h.psr

# Hits of sets, too.
printf 'n1\tn2\nn5\nn6\nn7\tn8\tn9\nn50\n' >kept
printf 'n3\tn4\tn40\nn11\n\nn20\tn21\tn22\tn23\tn24\tn25\nn30\n' >held-out
psknn -g g.psg -x free.psr -t --sets -k 20 <kept >sets.psr
psknn -g g.psg -x plain.psr -t --sets -k 20 <kept >sets2.psr
pseval -g g.psg -t --sets -p held-out -K 5,20 -J sets.psr sets2.psr >r.json
pseval -g g.psg -t --sets -p held-out -K 5,20 -J <sets.psr >alone.json
python3 - <<'EOF'
import json
r, alone = json.load(open("r.json"))["files"][0], json.load(open("alone.json"))
assert all(r[key] == alone[key] for key in alone if key != "cold")
EOF
refused 1 "items for sets are needed" -g g.psg -t --sets -p held-out h.psr
refused 1 "vectors, but hits for sets" -g g.psg -t --sets -p held-out plain.psr
