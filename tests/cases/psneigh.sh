# psneigh: right, and the same bytes whether it reads visits or walks itself.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
check() { python3 "$PS_ROOT/tests/walk_check.py" "$@"; }

awk 'BEGIN { srand(3); for (i = 0; i < 300; i++) print "n" i > "items";
             for (i = 0; i < 1500; i++) print "n" int(rand() * rand() * 300) "\tb" int(rand() * 150) }' >edges.tsv
"$PS_BIN/psgraph-build" -t -I items <edges.tsv >g.psg

# Two spellings, and what they hold.
for options in "-w 1000 -r .5 -s 1" "-w 77 -r .15 -s 4" "-w 1 -r 0 -s 0"; do
    for T in 1 20 200; do
        "$PS_BIN/pswalk" -g g.psg -a $options >v.psr
        "$PS_BIN/psneigh" -T $T <v.psr >n.psr
        "$PS_BIN/psneigh" -g g.psg -a -T $T $options -j 2 | cmp - n.psr || fail "-T $T $options: not the same bytes"
        check neighbours n.psr v.psr $T || fail "-T $T $options: not the most visited"
    done
done
"$PS_BIN/psneigh" -g g.psg -a >n.psr
"$PS_BIN/pswalk" -g g.psg -a | "$PS_BIN/psneigh" | cmp - n.psr || fail "defaults: not the same bytes"
for j in 1 2 5; do
    "$PS_BIN/psneigh" -g g.psg -a -j $j | cmp - n.psr || fail "-j $j"
done

# With -a, record i is item i, also where an item is on no board.
check show n.psr | awk 'NR > 1 && $1 != NR - 2 { exit 1 } END { exit NR != 301 }' || fail "record i is not item i"
check show n.psr >n.txt
grep -q '^[0-9]* - 0 - 0' n.txt || fail "no item without neighbours: the test has lost its point"

# Text and ids as items; an item given twice in a row.
printf 'n5\nn7\nn7\nn7\nn6\nn299\nn299\n' >some
"$PS_BIN/pswalk" -g g.psg -t <some | "$PS_BIN/psneigh" -T 6 >a.psr
"$PS_BIN/psneigh" -g g.psg -t -T 6 <some | cmp - a.psr || fail "-t: not the same bytes"
check show a.psr | cut -d ' ' -f 1 | tr '\n' ' ' >got
[ "$(cat got)" = "neighbours 5 7 6 299 " ] || fail "items given twice in a row: $(cat got)"
check ids ids.psr 5 7 7 7 6 299 299
"$PS_BIN/pswalk" -g g.psg <ids.psr | "$PS_BIN/psneigh" -T 6 >b.psr
"$PS_BIN/psneigh" -g g.psg -T 6 <ids.psr | cmp - b.psr || fail "ids: not the same bytes"
yes n3 | head -n 300 >many
"$PS_BIN/pswalk" -g g.psg -t <many | "$PS_BIN/psneigh" -T 6 >a.psr
"$PS_BIN/psneigh" -g g.psg -t -T 6 -j 2 <many | cmp - a.psr || fail "one item 300 times: not the same bytes"

# An item again after others would have two records: both spellings refuse that; whoever waits for it has it again.
printf 'n5\nn7\nn5\n' >again
"$PS_BIN/pswalk" -g g.psg -t <again >v-again.psr
for how in "-g g.psg -t <again" "<v-again.psr" "-g g.psg -t -j 2 <again"; do
    status=0
    eval "\"$PS_BIN/psneigh\" -T 6 -o none.psr $how" 2>err || status=$?
    [ $status -eq 1 ] && grep -q -e "^psneigh: <stdin>: item 'n5' comes again" -e '^psneigh: <stdin>: query 5 comes again' err && [ ! -e none.psr ] ||
        fail "an item again ($how): status $status, $(cat err)"
done
"$PS_BIN/psview" --raw -S v-again.psr | "$PS_BIN/psneigh" -T 6 >sorted.psr
check show sorted.psr | cut -d ' ' -f 1 | tr '\n' ' ' >got
[ "$(cat got)" = "neighbours 5 7 " ] || fail "visits brought together by psview --raw -S: $(cat got)"
"$PS_BIN/psneigh" -g g.psg -t -l -T 6 <again >soon.psr
check show soon.psr | cut -d ' ' -f 1 | tr '\n' ' ' >got
[ "$(cat got)" = "neighbours 5 7 5 " ] || fail "-l: an item again: $(cat got)"

# Walks instead of visits.
"$PS_BIN/pswalk" -g g.psg -a --paths 100 | "$PS_BIN/psneigh" >p.psr
check show n.psr >want
check show p.psr | diff -u want - || fail "from paths: not the same neighbourhoods"

# Pipe, file, gzip, -o, -z; two streams one after the other.
"$PS_BIN/pswalk" -g g.psg -a >v.psr
gzip -c v.psr | "$PS_BIN/psneigh" | cmp - n.psr || fail "gzip in"
"$PS_BIN/psneigh" -z <v.psr | gzip -dc | cmp - n.psr || fail "-z"
"$PS_BIN/psneigh" -o out.psr <v.psr && cmp out.psr n.psr || fail "-o"
head -n 100 items | "$PS_BIN/pswalk" -t -g g.psg >v1.psr
tail -n +101 items | "$PS_BIN/pswalk" -t -g g.psg >v2.psr
cat v1.psr v2.psr | "$PS_BIN/psneigh" | cmp - n.psr || fail "two streams one after the other"
