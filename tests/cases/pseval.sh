# pseval: every figure against brute force in Python; hits and vectors agree; the same bytes for any -j.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
check() { python3 "$PS_ROOT/tests/knn_check.py" "$@"; }

awk 'BEGIN { srand(5); for (i = 0; i < 220; i++) print "n" i > "items";
             for (i = 0; i < 700; i++) print "n" int(rand() * rand() * 220) "\tb" int(rand() * 60) }' >edges.tsv
awk 'BEGIN { srand(8); for (i = 0; i < 250; i++) print "n" int(rand() * 90) "\tn" int(rand() * 220) }' |
    awk '$1 != $2' >pairs.tsv
psgraph-build -t -I items <edges.tsv >g.psg
K=1,5,20,100
judge() { pseval -J -g g.psg -t -p "$pairs" -K $K "$@" >r.json; }
right() { # source, how pseval is to be asked
    check eval r.json "$pairs" items edges.tsv $K ${cold-3} "$@" || fail "$* ($pairs): $(cat r.json)"
}

# From vectors: ties galore; from sparse vectors; by cosine; with an item bias; hits of several lengths.
pairs=pairs.tsv
for how in plain bias; do
    check vectors x-$how.psr 220 6 2 $how
    judge -x x-$how.psr && right x-$how.psr
done
check sparse s.psr x-plain.psr
judge -x s.psr && right s.psr
check vectors free.psr 220 9 3 free
judge -x free.psr --cosine --cold 1 && cold=1 right free.psr cosine
check vectors y.psr 220 9 3
judge -x y.psr --cold 0 && cold=0 right y.psr
cut -f 1 pairs.tsv | sort -u >asked
for k in 1 7 219 300; do
    psknn -g g.psg -x x-bias.psr -t -k $k <asked >h$k.psr
    judge <h$k.psr && right h$k.psr
done

# Against each other.
judge -x x-plain.psr --against y.psr && right x-plain.psr against y.psr
judge -x x-plain.psr --against h7.psr && right x-plain.psr against h7.psr
judge --against s.psr <h300.psr && right h300.psr against s.psr
judge -x y.psr --against y.psr
grep -q '"head-to-head": {"share": 0.5, "wins": 0,' r.json || fail "a file against itself: $(cat r.json)"

# Without ties, hits that list everything say what the vectors say.
judge -x free.psr && mv r.json vectors.json
psknn -g g.psg -x free.psr -t -k 219 <asked >all.psr
judge <all.psr
cmp r.json vectors.json || fail "hits of all items and vectors disagree: $(diff r.json vectors.json)"

# Misses: names that the graph does not know, queries without hits, items without a vector.
{ cat pairs.tsv; printf 'new\tn3\nn3\tnew\nnew\told\nnew\tn4\nn5\tn5\n'; } >more.tsv
pairs=more.tsv
pseval -g g.psg -t -p more.tsv <h7.psr >out 2>err && fail "unknown names were accepted"
grep -q "line .*'new'" err || fail "no word of the unknown name: $(cat err)"
judge -u <h7.psr 2>err && right h7.psr
grep -q '4 pairs with names' err && grep -q '1 pairs of an item with itself' err || fail "warnings: $(cat err)"
judge -u -x y.psr 2>err && right y.psr
pairs=pairs.tsv
head -n 40 asked | psknn -g g.psg -x x-bias.psr -t -k 7 >some.psr
judge <some.psr 2>err && right some.psr
grep -q 'neither hits nor a vector' err || fail "no word of queries without hits: $(cat err)"
check vectors gaps.psr 220 6 2 gaps
judge -x gaps.psr 2>err && right gaps.psr
grep -q 'whose positive has no vector' err || fail "no word of positives without a vector: $(cat err)"
judge -q -x gaps.psr 2>err && [ ! -s err ] || fail "-q: $(cat err)"

# Threads, pipes, gzip, record pairs, no graph.
for more in "-x x-plain.psr --against h7.psr --distribution 3000" "-x s.psr --cosine" "--boards"; do
    judge $more -j 1 && mv r.json want
    for j in 2 5; do
        judge $more -j $j && cmp r.json want || fail "$more: -j $j"
    done
done
judge -x x-plain.psr && mv r.json want
gzip -c x-plain.psr >x.gz
judge -x x.gz && cmp r.json want || fail "gzip"
judge -x - <x-plain.psr && cmp r.json want || fail "vectors from a pipe"
judge -x x-plain.psr -z && gzip -dc r.json | cmp - want || fail "-z"
judge -x x-plain.psr -o o.json && cmp o.json want || fail "-o"
check pairs p.psr $(sed 's/n//g; s/$/ 1/' pairs.tsv)
pseval -J -g g.psg -p p.psr -K $K -x x-plain.psr | cmp - want || fail "pairs as records"
pseval -J -g g.psg -p - -K $K -x x-plain.psr <p.psr | cmp - want || fail "pairs from a pipe"
pseval -J -p p.psr -K $K -x x-plain.psr >r.json
[ "$(sed 's/}}$//' r.json)" = "$(sed 's/}, "cold".*//' want)" ] || fail "without a graph: $(cat r.json)"

# Distribution, alone and beside the rest.
pseval -J -x x-plain.psr --distribution 2000 -s 7 >r.json && check distribution r.json x-plain.psr 7 || fail "distribution"
pseval -J -x x-bias.psr --distribution 2000 >r.json && check distribution r.json x-bias.psr 1 || fail "with a bias"
judge -x s.psr --distribution 2000 -s 7
python3 -c 'import json; a = json.load(open("r.json")); assert a["distribution"]["zero-vectors"] >= 0 and a["pairs"]'

# The text says the same as the JSON.
judge -x x-plain.psr --against y.psr --distribution 100
pseval -g g.psg -t -p pairs.tsv -K $K -x x-plain.psr --against y.psr --distribution 100 >r.txt
python3 - <<'END' || fail "text and JSON disagree: $(cat r.txt)"
import json
want, seen = json.load(open("r.json")), set()
for line in open("r.txt").read().split("\n\n")[0].split("\n"):
    f = line.replace("scaled MRR", "scaled-mrr").split()
    if not f or f[0] == "all":
        continue
    key, _, k = f[0].lower().partition("@")
    for where, text in zip((want, want["cold"]), f[1:]):
        v = where[key][k] if k else where[key]
        v = v["share"] if isinstance(v, dict) else v
        assert abs(v - float(text)) <= 6e-5, line
    seen.add(f[0])
assert len(seen) == 2 + 2 + 4 * 4 + 1, seen
END
