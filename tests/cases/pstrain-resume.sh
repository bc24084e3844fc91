#!/bin/sh
# pstrain broken off and resumed: killed at any moment, told to stop, out of space; the same bytes as at one go.
set -eu
. "$PS_ROOT/tests/fixture.sh"
small_inputs '^libjs-'
cp pairs.tsv once.tsv
for i in 1 2 3 4 5 6 7 8; do cat once.tsv; done >pairs.tsv
launch() {
    exec pstrain -g g.psg -x x.psr -t -p valid.tsv -w 200 -T 8 --hidden 64 -d 32 --batch 32 --negatives 60 --paper --epochs 6 "$@" <pairs.tsv
}
start() {
    (launch "$@")
}
start -j 2 --log whole.log >whole.psm 2>err || fail "$(cat err)"
steps=$(tail -n 1 whole.log | cut -f 1)
[ "$(wc -l <whole.log)" = $((steps + 1)) ] || fail "the log has not a line a batch"
awk -F '\t' 'NR > 1 && (NF != 7 || $6 < 0 || $5 <= 0) || NR == 1 && $7 != "valid" {bad = 1} END {exit bad}' whole.log ||
    fail "the log: $(head -n 3 whole.log)"
[ "$(awk -F '\t' 'NR > 1 && $7 != ""' whole.log | wc -l)" = 6 ] || fail "not one validation figure an epoch in the log"

# The pipeline changes nothing
for how in "-j 1" "-j 2 --ahead 0" "-j 3 --ahead 1" "-j 4 --ahead 64"; do
    start $how | cmp - whole.psm || fail "$how gives other bytes"
done
# Nor do checkpoints
start -j 2 -c c --every 0 | cmp - whole.psm || fail "-c changes the model"

# Killed twenty times, at any moment; a run that comes to its end before is begun anew
rm -f c
begin=$(date +%s%N)
start -j 2 -c c --every 0 >/dev/null
took=$((($(date +%s%N) - begin) / 1000000))
rm -f c
kills=0
while [ $kills -lt 20 ]; do
    from=
    [ ! -e c ] || from="--resume c"
    launch -j 2 $from -c c --every 0 --log cut.log >part.psm 2>part.err &
    pid=$!
    sleep "$(awk -v n=$kills -v took=$took 'BEGIN {srand(n + 7); print took / 1000 * (.1 + .6 * rand())}')"
    kill -9 $pid 2>/dev/null || true
    kills=$((kills + 1))
    if wait $pid; then
        cmp part.psm whole.psm || fail "resumed after $kills kills: other bytes"
        rm -f c cut.log
    else
        [ ! -s part.err ] || fail "after $kills kills: $(cat part.err)"
    fi
done
from=
[ ! -e c ] || from="--resume c"
start -j 2 $from -c c --every 0 --log cut.log >cut.psm
cmp cut.psm whole.psm || fail "resumed after 20 kills: other bytes"
cut -f 1-4,6- whole.log >a
cut -f 1-4,6- cut.log >b
cmp a b || fail "resumed after 20 kills: another log"

# Told to stop: a checkpoint at once, a clear message, and no model.  (A shell starts background commands with SIGINT ignored.)
rm -f c
launch -j 2 --epochs 100000 -c c -v >part.psm 2>err &
pid=$!
tries=0
until grep -q 'epoch 2' err || [ $tries = 200 ]; do
    sleep .1
    tries=$((tries + 1))
done
kill -INT $pid
sleep .2
kill -TERM $pid || fail "an ignored SIGINT stopped it"
status=0
wait $pid || status=$?
[ $status = 1 ] && [ -s c ] && [ ! -s part.psm ] && grep -q 'stopped after batch' err ||
    fail "SIGTERM: status $status: $(tail -n 2 err)"

# A checkpoint of something else, damaged, truncated, or not one at all
rm -f c
start -j 2 -c c --every 0 >/dev/null
expect 1 '' start -s 2 --resume c
grep -q "'seed=1'.*'seed=2'" err || fail "another seed: $(cat err)"
expect 1 '' start --hidden 65 --resume c
head -n 20 once.tsv >pairs.tsv
expect 1 '' start --resume c
grep -q "pairs=" err || fail "other pairs: $(cat err)"
for i in 1 2 3 4 5 6 7 8; do cat once.tsv; done | awk '{ print $0 "\t" (NR == 5 ? 2 : 1) }' >pairs.tsv
expect 1 '' start --resume c
grep -q "pairs=" err || fail "other weights: $(cat err)"
for i in 1 2 3 4 5 6 7 8; do cat once.tsv; done >pairs.tsv
size=$(wc -c <c)
head -c $((size - 1)) c >d
expect 1 '' start --resume d
head -c 90 c >d
expect 1 '' start --resume d
for at in 9 12 20 30 60 100 $((size / 2)) $((size - 10)); do
    { head -c $((at - 1)) c; printf '\377'; tail -c +$((at + 1)) c; } >d
    cmp -s c d || expect 1 '' start --resume d
done
expect 1 '' start --resume whole.psm
expect 1 '' start --resume nowhere

# A checkpoint that cannot be is known at once; where one fails later, training goes on, says so, and is not the worse for it
mkdir closed
expect 1 '' start -c closed/no/c
grep -q 'closed/no/c: cannot create' err || fail "an impossible checkpoint: $(cat err)"
mkdir full
start -j 2 -c full/c --every 1000 --epochs 1 >/dev/null
cp c full/c
for j in 1 2; do
    # A limit on the size of files stands for the full disk; clang's counts would not fit.
    (trap '' XFSZ && ulimit -f 20 && export LLVM_PROFILE_FILE=/dev/null && launch -j $j -c full/c --every 0 2>err) | cat >o.psm
    grep -q 'full/c: cannot write' err || fail "a full disk while checkpointing: $(head -n 2 err)"
    cmp o.psm whole.psm || fail "a full disk while checkpointing ended training or changed the model: $(tail -n 1 err)"
    cmp full/c c || fail "a full disk while checkpointing spoilt the last checkpoint"
    [ "$(ls -A full)" = c ] || fail "a full disk while checkpointing left $(ls -A full)"
done
# Of a pipe that nobody reads nothing would ever be known.
mkfifo pipe
status=0
(exec timeout 60 pstrain -g g.psg -x x.psr -t --layers 0 --epochs 1 -c pipe <once.tsv >o.psm 2>err) || status=$?
[ $status = 1 ] && [ ! -s o.psm ] && grep -qx 'pstrain: pipe: not a regular file: .*' err || fail "a pipe as checkpoint: status $status: $(cat err)"
expect 1 '' start --log closed/no/log
expect 1 '' start --log /dev/full
cp once.tsv x.log
expect 1 '' start --resume c --log x.log

# Divergence: the error, and the last good checkpoint stays one.  A start may end with no unit alive instead: then another.
for seed in 1 2 3 4 5 none; do
    [ $seed != none ] || fail "a rate of 1000 did not diverge"
    rm -f c
    start -s $seed -j 2 --rate 1000 --optimizer sgd --epochs 50 -c c --every 0 >out 2>err || break
done
grep -q diverged err && [ ! -s out ] || fail "divergence: $(cat err)"
if [ -e c ]; then
    start -s $seed -j 2 --rate 1000 --optimizer sgd --epochs 50 --resume c >out 2>err && fail "went on from a diverged checkpoint"
    grep -q diverged err || fail "resumed divergence: $(cat err)"
fi
