# psknn: what it finds, against brute force; the same bytes however the queries come and on any number of threads.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
check() { python3 "$PS_ROOT/tests/knn_check.py" "$@"; }

awk 'BEGIN { srand(5); for (i = 0; i < 150; i++) print "n" i > "items";
             for (i = 0; i < 700; i++) print "n" int(rand() * rand() * 150) "\tb" int(rand() * 60) "\t" 1 + i % 3 }' >edges.tsv
psgraph-build -t -I items <edges.tsv >g.psg
for how in plain bias; do
    check vectors x-$how.psr 150 12 1 $how
done

# All items, every k up to more than there are; dot product, cosine, item bias.
for how in plain bias; do
    for k in 1 20 149 200; do
        psknn -g g.psg -x x-$how.psr -a -k $k >h.psr
        check hits h.psr x-$how.psr $k || fail "$how, k $k"
        psknn -g g.psg -x x-$how.psr -a -k $k --cosine >h.psr
        check hits h.psr x-$how.psr $k cosine || fail "$how, k $k, cosine"
    done
done

# Sparse candidates; the graph's boards.
check sparse s.psr x-plain.psr
for k in 5 200; do
    psknn -g g.psg -x s.psr -a -k $k >h.psr
    check hits h.psr x-plain.psr $k sparse || fail "sparse, k $k"
    psknn -g g.psg -x s.psr -a -k $k --cosine >h.psr
    check hits h.psr x-plain.psr $k sparse cosine || fail "sparse, k $k, cosine"
done
psknn -g g.psg --boards -a -k 150 >h.psr
check boards h.psr edges.tsv items || fail "boards"

# Text, ids and -a; one query at a time or many; threads; pipe, file and gzip; -o and -z.
x=x-bias.psr
for more in "-x x-bias.psr" "-x x-bias.psr --cosine" "-x s.psr" "--boards"; do
    psknn -g g.psg $more -a -k 30 >want.psr
    psknn -g g.psg $more -t -k 30 <items | cmp - want.psr || fail "$more: -t and -a differ"
    check ids ids.psr $(seq 0 149)
    psknn -g g.psg $more -k 30 <ids.psr | cmp - want.psr || fail "$more: ids and -a differ"
    for j in 1 2 5; do
        psknn -g g.psg $more -a -k 30 -j $j | cmp - want.psr || fail "$more: -j $j"
    done
    for n in 17 149; do
        echo n$n | psknn -g g.psg $more -t -k 30 >one.psr
        [ "$(check show one.psr)" = "$(check show want.psr | sed -n $((n + 1))p)" ] || fail "$more: query $n alone"
    done
    psknn -g g.psg $more -a -k 30 -z | gzip -dc | cmp - want.psr || fail "$more: -z"
    psknn -g g.psg $more -a -k 30 -o out.psr && cmp out.psr want.psr || fail "$more: -o"
done
gzip -c $x >x.gz
psknn -g g.psg -x $x -a -k 30 >want.psr
psknn -g g.psg -x x.gz -a -k 30 | cmp - want.psr || fail "gzip"
psknn -g g.psg -x - -a -k 30 <$x | cmp - want.psr || fail "candidates from a pipe"
psknn -x $x -k 30 <ids.psr >free.psr
[ "$(check show free.psr)" = "$(check show want.psr)" ] || fail "without a graph"

# Vectors as queries: those of items leave themselves out.
psknn -g g.psg -x $x -Q $x -k 30 >q.psr
cmp q.psr want.psr || fail "-Q of the same file"
psknn -g g.psg -x $x -Q - -k 30 <$x | cmp - want.psr || fail "-Q -"
psknn -g g.psg -x s.psr -Q s.psr -k 30 >q.psr
psknn -g g.psg -x s.psr -k 30 -a >h.psr
check show h.psr >shown
check show q.psr | awk 'NR == FNR { has[$1] = $0; next } has[$1] != $0 { exit 1 }' shown - || fail "sparse -Q"

# Sets: the mean of their members; members are left out.
printf 'n3\nn3\tn3\nn1\tn2\tn9\nold\nn5\tnew\n' >sets
psknn -g g.psg -x $x -t --sets -u -k 149 <sets >h.psr 2>err || fail "sets: $(cat err)"
grep -q '2 names skipped' err || fail "sets: no word of the skipped names: $(cat err)"
check show h.psr >shown
[ "$(cut -d ' ' -f 1 shown | tr '\n' ' ')" = "0 1 2 3 4 " ] || fail "sets are not numbered by line"
echo n3 | psknn -g g.psg -x $x -t -k 149 >one.psr
[ "$(check show one.psr | cut -d ' ' -f 2-)" = "$(sed -n 1p shown | cut -d ' ' -f 2-)" ] || fail "a set of one"
[ "$(sed -n 2p shown | cut -d ' ' -f 2-)" = "$(sed -n 1p shown | cut -d ' ' -f 2-)" ] || fail "an item twice in a set"
sed -n 4p shown | grep -q '^3\( - 0\)*$' || fail "an empty set has hits"
sed -n 3p shown | awk '{ for (i = 2; i <= NF; i += 2) if ($i == 1 || $i == 2 || $i == 9) exit 1
                         if ($294 == "-" || $296 != "-") exit 1 }' || fail "a set's members are among its hits"
check pairs w.psr 7 1 1 7 2 1 7 9 1
psknn -g g.psg -x $x -k 149 <w.psr >h.psr
[ "$(check show h.psr | cut -d ' ' -f 2-)" = "$(sed -n 3p shown | cut -d ' ' -f 2-)" ] || fail "a set as pairs"

# Items without a vector.
check vectors gaps.psr 150 12 1 gaps
printf 'n4\nn3\nn5\n' >some
psknn -g g.psg -x gaps.psr -t -k 3 <some >h.psr 2>err && fail "an item without a vector was accepted"
grep -q "item 'n3' has no vector" err || fail "no word of the item without a vector: $(cat err)"
psknn -g g.psg -x gaps.psr -t -u -k 3 <some >h.psr 2>err
check hits h.psr gaps.psr 3 && [ "$(check show h.psr | wc -l)" -eq 2 ] || fail "-u, item without a vector"

# No queries at all.
psknn -g g.psg -x $x -t </dev/null >h.psr
[ -z "$(check show h.psr)" ] || fail "no queries, but hits"

# Names that have no vector, many at once, and one after many that have
psview --raw --take 100 x-plain.psr >short.psr
psview -g g.psg x-plain.psr | cut -f 1 >names
tail -n 30 names | psknn -g g.psg -x short.psr -t -u -k 5 2>err | psview >shown || fail "queries that all fall out: $(cat err)"
[ ! -s shown ] || fail "hits of nothing"
{ head -n 40 names && tail -n 1 names && head -n 1 names; } | psknn -g g.psg -x short.psr -l -t -u -k 5 2>err | psview | cut -f 1 | sort -u >shown
[ "$(wc -l <shown)" = 40 ] || fail "a session that meets an unknown name: $(cat err)"
