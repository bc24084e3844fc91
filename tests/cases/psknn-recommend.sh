# psknn: recommendations for sets of items against brute force: recency, merging, lists, groups, diversity; -l.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
check() { python3 "$PS_ROOT/tests/knn_check.py" "$@"; }
sets() { python3 "$PS_ROOT/tests/recommend_check.py" sets "$@"; }

awk 'BEGIN { for (i = 0; i < 200; i++) { print "n" i > "items"; print "n" i "\tb" i % 7 } }' >edges.tsv
psgraph-build -t -I items <edges.tsv >g.psg
printf 'n3\nn1\tn2\tn9\nn12\tn12\tn5\nn8\tn4\t\tn9\tn100\tn4\nn2\t\t\nn7\tn11\tn19\tn23\tn4\nn100\tn101\tn102\tn103\tn104\tn105\n' >sets
awk 'BEGIN { for (i = 0; i < 200; i += 3) print "n" i }' >third
awk 'BEGIN { for (i = 0; i < 190; i++) print "n" i "\tg" i % 11 }' >groups
check pairs seen.psr 2 17 1 0 19 1 0 3 1 2 11 1 2 17 1 0 4 1 2 3 1 6 1 1
for how in free bias; do
    x=x-$how.psr
    check vectors $x 200 12 4 $how
    psknn -B ivf -x $x -o $how.psi
    # Command line of psknn, then what it says to the check.
    while IFS=: read -r options said; do
        psknn -g g.psg -x $x -t --sets -k 20 $options <sets >h.psr || fail "$how, $options"
        sets h.psr $x 20 sets $said || fail "$how, $options"
        psknn -g g.psg -x $x -t --sets -k 20 -j 3 $options <sets | cmp - h.psr || fail "$how, $options, -j 3"
        psknn -g g.psg -x $x -t --sets -k 20 -l $options <sets | cmp - h.psr || fail "$how, $options, -l"
        psknn -g g.psg -x $x -t --sets -k 20 --index $how.psi --effort 100000 $options <sets | psview >found
        psview h.psr | cmp - found || fail "$how, $options: by an index"
        psview -c h.psr || fail "$how, $options: not a well-formed stream"
    done <<'END'
:
--decay 0.5:decay=0.5
--recent 2:recent=2
--recent 3 --decay 0.25:recent=3 decay=0.25
--merge:merge
--merge --decay 0.5 --recent 4:merge decay=0.5 recent=4
--deny third:deny=third
--allow third:allow=third
--allow third --merge:allow=third merge
--groups groups --only g4:groups=groups only=g4
--groups groups --per-group 1:groups=groups per-group=1
--groups groups --per-group 2 --allow third:groups=groups per-group=2 allow=third
--mmr 0.5:mmr=0.5
--mmr 0.7 --groups groups --per-group 3 --merge:mmr=0.7 groups=groups per-group=3 merge
--seen seen.psr:seen=seen.psr
--seen seen.psr --merge --allow third:seen=seen.psr merge allow=third
END
done

# What each query has seen: for items and vectors, exactly and by either index, as for sets; a query without any.
check ids some.psr 0 2 3 2
psknn -g g.psg -x $x -k 199 <some.psr | psview >all
psview seen.psr | cut -f 1,2 >seen
awk -F '\t' 'NR == FNR { seen[$1, $2] = 1; next } !(($1, $2) in seen)' seen all >left
[ "$(wc -l <left)" -eq $((4 * 199 - 9)) ] || fail "what is left: $(wc -l <left)"
psknn -g g.psg -x $x -k 199 --seen seen.psr <some.psr | psview | cmp - left || fail "--seen with ids"
psview --raw --take 4 $x >q.psr
psknn -g g.psg -x $x -Q q.psr -k 199 --seen seen.psr | psview | grep -v '^1	' | sort -u >got
sort -u left | cmp - got || fail "--seen with -Q"
printf 'n0\t\tn5\tn9\nn2\n' | psknn -g g.psg -x $x -t -k 199 | psview | cut -f 1,2 >got
awk -F '\t' '!($1 == 0 && ($2 == 5 || $2 == 9)) && $1 != 3 { print $1 "\t" $2 }' all | awk '!had[$0]++' >want
cmp got want || fail "what an item has seen, on its line"
for type in ivf lsh; do
    psknn -B $type -x $x -o $type.psi
    psknn -g g.psg -x $x -k 199 --seen seen.psr --index $type.psi --effort 100000 <some.psr | psview | cmp - left ||
        fail "$type: what has been seen"
done

# Of a list as ids records: the same.
sed 's/n//' third | xargs python3 "$PS_ROOT/tests/knn_check.py" ids third.psr
printf '3\n' | sed 's/^/n/' >one
psknn -g g.psg -x $x -t -k 20 --deny third <one >text.psr
check ids one.psr 3
psknn -g g.psg -x $x -k 20 --deny third.psr <one.psr | cmp - text.psr || fail "--deny of ids records"

# By an index that looks at few: no fewer hits than exactly, whatever is denied; all that are allowed, if they are few.
seq 0 40 199 | sed 's/^/n/' >five
for type in ivf lsh; do
    psknn -B $type -x $x -o $type.psi
    for allow in third five; do
        psknn -g g.psg -x $x -t --sets -k 80 --allow $allow <sets | psview >exact
        psknn -g g.psg -x $x -t --sets -k 80 --allow $allow --index $type.psi --effort 1 <sets | psview >found
        cmp exact found || fail "$type: not all of $allow"
    done
done

# What is denied and seen as well does not count twice.
psknn -B ivf -x $x -o ivf.psi
seq 104 199 | sed 's/^/n/' >rest
awk 'BEGIN { for (q = 0; q < 20; q++) for (i = 104; i < 200; i++) print q, i, 1 }' |
    xargs python3 "$PS_ROOT/tests/knn_check.py" pairs rest.psr
head -n 20 items | psknn -g g.psg -x $x -t -k 103 --deny rest --seen rest.psr --index ivf.psi --effort 1 >h.psr
n=$(psview h.psr | wc -l)
[ "$n" -eq 2060 ] || fail "$n hits where those that are denied were seen"

# What an index finds for a query does not depend on what else is asked: sets of one and several members, groups that
# hide others.
awk 'BEGIN { for (i = 0; i < 200; i++) print "n" i "\tg" (i < 120 ? 0 : i) }' >lopsided
for type in ivf lsh; do
    psknn -B $type -x $x -o $type.psi
    for options in "--merge" "--groups lopsided --per-group 1"; do
        psknn -g g.psg -x $x -t --sets -k 5 --index $type.psi --effort 1 $options <sets >h.psr
        psknn -g g.psg -x $x -t --sets -k 5 --index $type.psi --effort 1 $options -l <sets | cmp - h.psr ||
            fail "$type, $options: -l"
    done
done

# A co-process: each answer is there before the next question is asked.
mkfifo ask tell
psknn -g g.psg -x $x -t -l -k 5 <ask >tell &
exec 3>ask 4<tell
size=$((4 + 5 * 8)) first=1
for n in 5 77 5; do
    echo n$n >&3
    if [ $first = 1 ]; then
        timeout 60 head -c 64 <&4 >head
        length=$(od -A n -t u4 -j 44 -N 4 head)
        timeout 60 head -c $((length - 64)) <&4 >/dev/null
        first=0
    fi
    timeout 60 head -c $size <&4 >answer || fail "-l: no answer"
    [ "$(od -A n -t u4 -N 4 answer | tr -d ' ')" = $n ] || fail "-l: an answer to another question"
done
exec 3>&-
cat <&4 >/dev/null
wait $! || fail "-l: its end"

# A long session: memory does not grow with the lines.
[ "$PS_FLAVOUR" = release ] || exit 0
check ids some.psr $(seq 0 199)
session() { # LINES: peak memory in KiB
    awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "n" i % 200 "\tn" i % 31 }' |
        psknn -g g.psg -x $x -t --sets -l -k 3 -j 1 --merge -v 2>&1 >/dev/null |
        sed -n 's/.* at most \([0-9]*\) MiB.*/\1/p'
}
short=$(session 1000) long=$(session 100000)
[ "$long" -le $((short + 1)) ] || fail "-l: $short MiB after 1000 lines, $long after 100000"

# Sets of many members whose hits are merged: not all at once, though there is room for the hits of as many small ones.
crowd() { # SETS
    awk -v sets="$1" 'BEGIN { for (q = 0; q < sets; q++) for (i = 0; i < 300; i++) printf "n%d%s", (i * 7 + q) % 200, i < 299 ? "\t" : "\n" }' |
        psknn -g g.psg -x $x -t --sets -k 3 -j 1 --merge -v 2>&1 >/dev/null | sed -n 's/.* at most \([0-9]*\) MiB.*/\1/p'
}
few=$(crowd 16) many=$(crowd 120)
[ "$many" -le $((few + 8)) ] || fail "--merge: $few MiB for 16 sets, $many for 120"
