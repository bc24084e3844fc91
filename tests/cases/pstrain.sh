#!/bin/sh
# pstrain: the same bytes for any number of threads; what every option changes; a loss that falls.
set -eu
. "$PS_ROOT/tests/fixture.sh"
small_inputs
train() {
    pstrain -g g.psg -x x.psr -n n.psr -t --hidden 24 -d 16 --batch 128 --negatives 60 "$@" <pairs.tsv
}

# Threads, pipes, files, gzip
train -j 1 >m.psm
for j in 2 5; do
    train -j $j | cmp - m.psm || fail "-j $j gives other bytes"
done
train -o o.psm && cmp o.psm m.psm || fail "-o gives other bytes"
train -z | gzip -dc | cmp - m.psm || fail "-z gives other bytes"
gzip -kc x.psr >x.gz
gzip -kc n.psr >n.gz
gzip -c pairs.tsv | pstrain -g g.psg -x x.gz -n n.gz -t --hidden 24 -d 16 --batch 128 --negatives 60 | cmp - m.psm ||
    fail "gzip input gives other bytes"
psview -c m.psm || fail "psview -c finds the model damaged"
for j in 1 3; do
    train -j $j --paper --epochs 3 --pooling max --layers 3 >max$j.psm
done
cmp max1.psm max3.psm || fail "max pooling with hard negatives: -j 3 gives other bytes"

# Token embeddings: any threads, a model that is whole, and that psembed asks for the texts
psfeat -g g.psg -t --sparse <items.tsv >y.psr
train -y y.psr -j 1 >tokens.psm
train -y y.psr -j 5 | cmp - tokens.psm || fail "-y: -j 5 gives other bytes"
cmp -s tokens.psm m.psm && fail "-y changes nothing"
train -y y.psr --token-scale 4 | cmp -s - tokens.psm && fail "--token-scale changes nothing"
train -y y.psr --dropout .3 --popularity .5 -j 1 >drop.psm
train -y y.psr --dropout .3 --popularity .5 -j 3 --ahead 0 | cmp - drop.psm || fail "dropout: -j 3 gives other bytes"
psview -c tokens.psm || fail "psview -c finds the model with tokens damaged"
psembed -m tokens.psm -y y.psr -n n.psr <x.psr >z.psr
psembed -m m.psm -n n.psr <x.psr | cmp -s - z.psr && fail "token embeddings change no embedding"
status=0
psembed -m tokens.psm -n n.psr <x.psr >out 2>err || status=$?
[ $status = 2 ] && [ ! -s out ] && grep -q -e '-y' err || fail "psembed without -y: $status $(cat err)"
status=0
psembed -m m.psm -y y.psr -n n.psr <x.psr >out 2>err || status=$?
[ $status = 1 ] && [ ! -s out ] && grep -q 'no token embeddings' err || fail "psembed with -y too much: $status $(cat err)"
# New words need no new training: their rows are what they were before training.
sed 's/$/ a brandnewword and anothernewword/' items.tsv | psfeat -g g.psg -t --sparse >new.psr
psembed -m tokens.psm -y new.psr -n n.psr <x.psr >newwords.psr && psview -c newwords.psr || fail "new words"

# Everything that should make a difference does
train >same.psm && cmp -s same.psm m.psm || fail "a second run gives other bytes"
set -- "-s 2" "--layers 2" "--pooling mean" "--loss margin" "--loss xent" "--no-bypass" "--no-bias" "--no-normalize" \
    "--tau .1" "--epochs 5" "--optimizer sgd" "--rate .001" "--schedule exponential" "--warmup 0" "--decay 0" "--hard 2" \
    "--popularity .75" "--in-batch no" "--negatives 0" "--no-logq" "--dropout .2" "--loss margin --in-batch yes" \
    "--paper" "--paper --band 5-20"
for options; do
    train $options >other.psm || fail "$options: failed"
    cmp -s other.psm m.psm && fail "$options changes nothing"
    psview -c other.psm || fail "$options: psview -c finds the model damaged"
    cp other.psm last.psm
done
train --paper >paper.psm
cmp -s paper.psm last.psm && fail "--band changes nothing"
train --margin .3 --paper >late.psm
train --paper --margin .3 >early.psm
cmp late.psm early.psm || fail "--paper after an option overrules it"
train --margin .3 --hard 0 >x.psm
cmp -s x.psm m.psm || true

# The loss falls, for every loss
for loss in softmax margin xent; do
    train --loss $loss --epochs 6 >l.psm
    psview l.psm | sed -n 's/.*epoch=\([0-9]*\) loss=\([0-9.e-]*\).*/\1 \2/p' >log
    awk 'NR == 1 {first = $2} {last = $2} END {exit !(NR == 6 && last < .97 * first)}' log ||
        fail "--loss $loss does not fall: $(cat log)"
done

# Validation: the parameters kept are the best epoch's, and training stops when it gets no better
train -p valid.tsv --epochs 20 --patience 1 --rate .5 --schedule constant >v.psm
psview v.psm | grep -o 'epoch=.*' >log
[ "$(grep -c valid-scaled-mrr log)" = "$(wc -l <log)" ] || fail "no validation score in the log"
[ "$(wc -l <log)" -lt 20 ] || fail "patience 1 did not stop a constant rate of .5: $(cat log)"
best=$(grep best log | tail -n 1 | sed 's/.*mrr=\([0-9.]*\).*/\1/')
psembed -m v.psm -n n.psr <x.psr >z.psr
got=$(pseval -g g.psg -t -p valid.tsv -x z.psr -J | grep -o '"scaled-mrr": [0-9.]*' | sed -n '1s/.* //p')
awk -v a="$best" -v b="$got" 'BEGIN {exit !(a - b < 1e-4 && b - a < 1e-4)}' ||
    fail "validation score of the best epoch: $best in the log, $got by pseval"

# Walked on the fly: the same bytes for any number of threads, other walks in every epoch, scored with what psneigh makes
walking() {
    pstrain -g g.psg -x x.psr -t -T 8 -w 200 --hidden 24 -d 16 --batch 128 --negatives 60 -p valid.tsv "$@" <pairs.tsv
}
walking -j 1 >w.psm
walking -j 3 | cmp - w.psm || fail "walks on the fly: -j 3 gives other bytes"
psneigh -g g.psg -a -T 8 -w 200 >w.psr
psembed -m w.psm -n w.psr <x.psr >z.psr
best=$(psview w.psm | grep best | tail -n 1 | sed 's/.*mrr=\([0-9.]*\).*/\1/')
got=$(pseval -g g.psg -t -p valid.tsv -x z.psr -J | grep -o '"scaled-mrr": [0-9.]*' | sed -n '1s/.* //p')
awk -v a="$best" -v b="$got" 'BEGIN {exit !(a - b < 1e-4 && b - a < 1e-4)}' ||
    fail "walks on the fly: a validation score of $best in the log, $got by pseval with psneigh's neighbourhoods"
for option in "-T 7" "-w 201" "-r .4"; do
    walking $option | cmp -s - w.psm && fail "$option on the fly changes nothing"
done

# Wrong use and wrong data
expect 2 '' pstrain -x x.psr -n n.psr
expect 2 '' train -T 5
expect 2 '' train --patience 2
expect 2 '' train --band 9-3
expect 2 '' train --band x
expect 2 '' train --loss margin --negatives 0
expect 1 '' pstrain -g g.psg -x x.psr -n n.psr -t </dev/null
grep -q '<stdin>: no pairs' err || fail "no pairs: $(cat err)"
printf 'nobody\tpython3-numpy\n' >bad
expect 1 '' pstrain -g g.psg -x x.psr -n n.psr -t <bad
grep -q 'line 1' err || fail "unknown name: $(cat err)"
expect 1 '' train --rate 1000 --loss margin --no-normalize --optimizer sgd --epochs 50
grep -q 'diverged' err || fail "divergence: $(cat err)"
head -n 50 pairs.tsv | awk '{print $1 "\t" $1}' >bad
pstrain -g g.psg -x x.psr -n n.psr -t <bad >out 2>err && fail "pairs of items with themselves are taken"
grep -q '50 pairs of an item with itself' err || fail "self pairs: $(cat err)"
expect 1 '' train --epochs 1000000 -o no-such-folder/m.psm # at once, not after the training

# Weights: only their ratios count, even where their sum is more than a float holds
for weight in 1 3e38; do
    sed "s/$/\t$weight/" pairs.tsv | pstrain -g g.psg -x x.psr -n n.psr -t --hidden 24 -d 16 --batch 128 --negatives 60 |
        psview - | grep -o 'epoch=.*' >"log.$weight"
done
awk -F'[= ]' 'NR == FNR {loss[$2] = $4; next} $4 - loss[$2] > .001 || loss[$2] - $4 > .001 {exit 1}' log.1 log.3e38 ||
    fail "weights of 3e38: $(cat log.1 log.3e38)"

# bf16, where there is such a thing: the same bytes for any number of threads, nearly the same losses
if train --bf16 -j 1 >b.psm 2>err; then
    cmp -s b.psm m.psm && fail "--bf16 changes nothing"
    train --bf16 -j 3 | cmp - b.psm || fail "--bf16 -j 3 gives other bytes"
    train >m.psm
    for m in m b; do
        psview $m.psm | sed -n 's/.*epoch=3 loss=\([0-9.e-]*\).*/\1/p' >$m.loss
    done
    awk 'NR == FNR {a = $1; next} {exit !($1 > .98 * a && $1 < 1.02 * a)}' m.loss b.loss ||
        fail "--bf16: a loss of $(cat b.loss), in float $(cat m.loss)"
else
    grep -Eq 'bf16: (this processor|oneDNN|this program)' err || fail "--bf16: $(cat err)"
fi
