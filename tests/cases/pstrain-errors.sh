#!/bin/sh
# pstrain on what does not fit together: features, neighbourhoods and pairs of other items or of another graph, at the start and
# when it goes on; and on a training that diverges.  One line says so, no model comes out, and the checkpoint stays what it was.
set -eu
. "$PS_ROOT/tests/fixture.sh"
small_inputs '^libjs-'
for i in 1 2 3 4 5 6 7 8; do cat pairs.tsv; done >many.tsv
# Another graph of the same items, and what was made with it.
tail -n +2 edges.tsv >fewer.tsv
psgraph-build -t -I items.tsv <fewer.tsv >other.psg
psfeat -g other.psg -t -d 32 --sketch 16 <items.tsv >foreign.psr
psneigh -g other.psg -a -T 8 >foreign-n.psr
psview -g other.psg -t -K pairs pairs.tsv >foreign-pairs.psr

start() { # PAIRS OPTIONS...
    pairs=$1
    shift
    pstrain -g g.psg -t --hidden 24 -d 16 --batch 16 --negatives 20 "$@" <"$pairs"
}
# Two readers of standard input
expect 2 'standard input can be read only once' pstrain -g g.psg -x - -
expect 2 'standard input can be read only once' pstrain -g g.psg -x -
# Features: of another graph, without an item that is needed, of an item that the graph has not
expect 1 'foreign.psr: .*node numbers are those of graph' start pairs.tsv -x foreign.psr -n n.psr
items=$(wc -l <items.tsv)
psview --take $((items - 1)) --raw x.psr >short.psr
tail -n 1 items.tsv | cut -f 1 >last
{ cat last; head -n 1 items.tsv | cut -f 1; } | paste -s >needed.tsv
expect 1 "short.psr: no vector for item $((items - 1))" start needed.tsv -x short.psr -n n.psr
psview -t -K vectors -d 2 - >beyond.psr <<END
0	1	2
$items	3	4
END
expect 1 "beyond.psr: record 1: item number $items" start pairs.tsv -x beyond.psr -n n.psr
expect 1 'foreign-n.psr: .*node numbers are those of graph' start pairs.tsv -x x.psr -n foreign-n.psr
expect 1 'nowhere' start pairs.tsv -x nowhere -n n.psr
expect 1 'n.psr: holds neighbours' start pairs.tsv -x n.psr -n n.psr

# Pairs: names that the graph has not, numbers that it has not, of another graph
printf 'nobody\tlibjs-jquery\n' >unknown.tsv
expect 1 "line 1: .*no item 'nobody'" start unknown.tsv -x x.psr -n n.psr
cat pairs.tsv unknown.tsv >mixed.tsv
start mixed.tsv -u -x x.psr -n n.psr 2>err >u.psm && grep -q '1 pairs skipped' err || fail "-u: $(cat err)"
start pairs.tsv -x x.psr -n n.psr >m.psm
cmp u.psm m.psm || fail "-u: an unknown item changes the model"
expect 1 'unknown.tsv: .*nobody' start pairs.tsv -x x.psr -n n.psr -p unknown.tsv
numbers() { # PAIRS OPTIONS...
    pairs=$1
    shift
    pstrain -g g.psg -x x.psr -n n.psr "$@" <"$pairs"
}
printf '0\t1\t1\n2\t%s\t1\n' "$items" | psview -t -K pairs - >far.psr
expect 1 "record 1: .*$items" numbers far.psr
expect 1 "record 1: .*$items" numbers far.psr -u
expect 1 'node numbers are those of graph' numbers foreign-pairs.psr

# Going on with features of another count, dimension or content; the checkpoint is read, never written
start pairs.tsv -x x.psr -n n.psr -c c --every 0 >/dev/null
cp c before
psfeat -g g.psg -t -d 31 --sketch 16 <items.tsv >dim.psr
psfeat -g g.psg -t -d 32 --sketch 16 -s 2 <items.tsv >content.psr
for x in short dim content; do
    expect 1 "c: a checkpoint of another training: it says 'vectors=$items x .*, this one 'vectors=" \
        start pairs.tsv -x $x.psr -n n.psr --resume c -c c --every 0
    cmp c before || fail "$x.psr: the checkpoint has changed"
done
psneigh -g g.psg -a -T 8 -s 2 >n2.psr
expect 1 "it says 'neighbourhoods=" start pairs.tsv -x x.psr -n n2.psr --resume c

# A rate that grows until the loss is NaN all by itself: the checkpoint is that of the batch before, and resuming ends the same way
for how in "--loss softmax" "--loss margin" "--loss xent" "--loss xent --bf16"; do
    case $how in
    *bf16) start pairs.tsv -x x.psr -n n.psr --bf16 >out 2>&1 || continue ;;
    esac
    rm -f c
    set -- many.tsv -x x.psr -n n.psr --no-normalize --optimizer sgd --rate 1000 --warmup 4 --epochs 8 $how
    expect 1 'of epoch [0-9]*, batch [0-9]* of all is .*: training has diverged' start "$@" -c c --every 0
    batch=$(sed 's/.* batch \([0-9]*\) of all.*/\1/' err)
    cp c good
    cp err first
    start "$@" -v --resume c -c c --every 0 >out 2>err && fail "$how: went on from the batch before the divergence"
    grep -q "going on after batch $((batch - 1))\$" err && tail -n 1 err | cmp -s - first && [ ! -s out ] && cmp c good ||
        fail "$how: $(cat first err)"
done
