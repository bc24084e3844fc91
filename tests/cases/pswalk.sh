# pswalk: visits, paths and hits of items and of sets, on a graph small enough to know the answer.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
check() { python3 "$PS_ROOT/tests/walk_check.py" "$@"; }
same() { diff -u - "$1" || fail "$2"; }

# A graph with numbers for names, as edges.tsv has them: 40 items, 25 boards.
awk 'BEGIN { srand(7); for (i = 0; i < 40; i++) print i > "items"; for (i = 0; i < 25; i++) print 0 "\t" i;
             for (i = 0; i < 160; i++) print int(rand() * 38) "\t" int(rand() * 25) }' >edges.tsv
"$PS_BIN/psgraph-build" -t -I items <edges.tsv >g.psg

# Board numbers follow their first appearance, 0 to 24 here: the walk can be made again from the text.
for options in "300 .5 1" "777 .15 9" "50 1 0" "60 0 3"; do
    set -- $options
    "$PS_BIN/pswalk" -g g.psg -a -w "$1" -r "$2" -s "$3" >v.psr
    check visits v.psr edges.tsv "$1" "$2" "$3" || fail "visits differ from the walk made anew: -w $1 -r $2 -s $3"
done

# Hits: the same counts ranked, the query left out, score = visits / steps.
"$PS_BIN/pswalk" -g g.psg -a -w 300 >v.psr
"$PS_BIN/pswalk" -g g.psg -a -w 300 -k 4 >h.psr
check show v.psr | awk 'NR > 1 && $1 != $2 && n[$1]++ < 4 { printf "%d %d %.6g\n", $1, $2, $3 / 300 }' >want
check show h.psr | awk 'NR > 1 { for (i = 2; i < NF; i += 2) if ($i != "-") print $1, $i, $(i + 1) }' | same want "hits are not the visits ranked"
[ "$(check show h.psr | wc -l)" -eq 41 ] || fail "not a record of hits for each of 40 items"

# Paths: up to 5 steps, together all 300; with room for every path they hold the visits.
"$PS_BIN/pswalk" -g g.psg -a -w 300 --paths 5 >p.psr
check show p.psr | awk 'NR > 1 { for (i = 2; i <= 6; i++) if ($i != "-") n[$1]++ } END { for (q in n) print n[q] }' | sort | uniq -c |
    awk '$2 != 300 { exit 1 }' || fail "the paths of a query are not 300 steps together"
"$PS_BIN/pswalk" -g g.psg -a -w 300 --paths 80 >p.psr
check show p.psr | awk 'NR > 1 { for (i = 2; i <= NF; i++) if ($i != "-") print $1, $i }' | sort | uniq -c | awk '{ print $2, $3, $1 }' >p.txt
check show v.psr | awk 'NR > 1 && $3 > 0' | sort | same p.txt "the paths do not hold the visits"

# Items on no board are not lost.
echo 39 | "$PS_BIN/pswalk" -t -g g.psg >v.psr
printf 'visits 0\n39 39 0\n' >want
check show v.psr | same want "visits of an item on no board"
echo 39 | "$PS_BIN/pswalk" -t -g g.psg -k 2 >h.psr
printf 'hits 2\n39 - 0 - 0\n' >want
check show h.psr | same want "hits of an item on no board"
echo 39 | "$PS_BIN/pswalk" -t -g g.psg --paths 2 >p.psr
printf 'walks 2\n39 - -\n' >want
check show p.psr | same want "paths of an item on no board"

# Text, ids and -a are the same queries.
"$PS_BIN/pswalk" -g g.psg -a >all.psr
"$PS_BIN/pswalk" -g g.psg -t <items >text.psr
cmp all.psr text.psr || fail "-a and the names of all items"
check ids ids.psr $(cat items)
"$PS_BIN/pswalk" -g g.psg <ids.psr >ids-out.psr
check show all.psr >want
check show ids-out.psr | same want "-a and the numbers of all items"

# Sets: an item alone is itself; order does not matter; members are left out; text and pairs agree.
printf '3\t0\t17\n5\n17\t3\t0\t3\n39\n' >sets
"$PS_BIN/pswalk" -g g.psg -t --sets <sets >v.psr
check show v.psr >v.txt
echo 5 | "$PS_BIN/pswalk" -g g.psg -t >one.psr
check show one.psr | sed 's/^5 /1 /' >want
awk 'NR == 1 || $1 == 1' v.txt | same want "the set of one item"
[ "$(sed 1d v.txt | cut -d ' ' -f 1 | uniq | tr '\n' ' ')" = "0 1 2 " ] || fail "visits are not those of the sets that have any"
"$PS_BIN/pswalk" -g g.psg -t --sets -k 50 <sets >h.psr
[ "$(check show h.psr | cut -d ' ' -f 1 | tr '\n' ' ')" = "hits 0 1 2 3 " ] || fail "not a record of hits for each set"
check show h.psr | awk '$1 == 0 { for (i = 2; i < NF; i += 2) if ($i == 3 || $i == 0 || $i == 17) exit 1 }' ||
    fail "a member of the set among its hits"
check pairs pairs.psr 0:3:1 0:0:1 0:17:1 1:5:2 2:17:1 2:3:2 2:0:1 3:39
"$PS_BIN/pswalk" -g g.psg --sets -k 50 <pairs.psr >h2.psr
check show h.psr >want
check show h2.psr | same want "sets from text and from pairs"

# Early stopping: fewer visits, at least two items with ten each.
echo 0 | "$PS_BIN/pswalk" -g g.psg -t -w 100000 --early-items 2 --early-visits 10 >v.psr
check show v.psr | awk 'NR > 1 { high += $3 >= 10; all += $3 } END { exit !(high == 2 && all < 2000) }' || fail "early stopping"
