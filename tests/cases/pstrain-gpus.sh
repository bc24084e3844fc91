#!/bin/sh
# pstrain on two and three GPUs, a rank of MPI each, with CUDA and NCCL on the CPU (tests/cuda): the losses of as many shares on the CPU,
# the same bytes each time, by NCCL as by the host; ranks that NCCL cannot join; a rank that is gone, killed, or on a GPU that is not there.
set -eu
. "$PS_ROOT/tests/fixture.sh"
. "$PS_ROOT/tests/need-emulated"
. "$PS_ROOT/tests/need-mpi"
export EMULATOR_GPUS=3
small_debian '^python3-[a-m]'
psgraph-build -t -I items.tsv <edges.tsv >g.psg
psfeat -g g.psg -t -d 12 --sketch 4 <items.tsv >x.psr
psfeat -g g.psg -t --sparse <items.tsv >y.psr
psneigh -g g.psg -a -T 5 >n.psr
head -n 6 pairs.tsv >few.tsv
ranks=2 input=pairs.tsv
cpu() {
    pstrain -g g.psg -x x.psr -n n.psr -t --hidden 9 -d 6 --batch 64 --negatives 20 --epochs 1 -j 1 "$@" <$input
}
gpus() { # -D cuda: each its own, joined by NCCL; -D cuda:0: through the host
    timeout 300 mpirun --oversubscribe --bind-to none -n $ranks "$PS_TEST/emulated/pstrain" -D cuda -o two.psm -g g.psg -x x.psr -n n.psr -t \
        --hidden 9 -d 6 --batch 64 --negatives 20 --epochs 1 -j 1 "$@" <$input
}
gpus -v 2>err || {
    grep -q 'built without MPI' err && echo "built without MPI" && exit 77
    fail "two GPUs: $(cat err)"
}
grep -q 'gradients are added up by NCCL' err || fail "not by NCCL: $(cat err)"

while read -r ranks input options; do
    cpu $options --shares $ranks --log cpu.log >cpu.psm
    gpus $options --log two.log || fail "$options: status $?"
    awk -F '\t' 'NR == FNR { loss[FNR] = $3; gradient[FNR] = $6; next }
        FNR > 1 && !(($3 - loss[FNR]) ^ 2 <= (1e-4 * loss[FNR]) ^ 2 && ($6 - gradient[FNR]) ^ 2 <= (1e-3 * gradient[FNR]) ^ 2) {
            print "batch " FNR - 1 ": loss " $3 " and gradient " $6 ", on the CPU " loss[FNR] " and " gradient[FNR]; exit 1 }
        END { exit FNR < 4 }' cpu.log two.log || fail "$options: not the training of the CPU"
    cp two.psm first.psm
    EMULATOR_SEED=2 gpus $options -D cuda:0 || fail "by the host: status $?"
    cmp two.psm first.psm || fail "the host, or another order, gives other bytes: $options"
done <<END
2 pairs.tsv -y y.psr -p valid.tsv
2 pairs.tsv --paper --hidden 9 -d 6 --batch 64 --negatives 20 --epochs 1 --hard 2 --band 2-20
3 pairs.tsv --layers 0 --pooling mean --in-batch no --optimizer sgd --rate .01
2 few.tsv --batch 1 --negatives 1
2 pairs.tsv --hidden 130 -d 60 --batch 100 --epochs 1
END
ranks=2 input=pairs.tsv

# refused TEXT ARGUMENT...: one message, and no model
refused() {
    text=$1
    shift
    rm -f two.psm
    ! gpus "$@" 2>err && [ ! -e two.psm ] && grep -q "^pstrain: .*$text" err || fail "$text: $(cat err)"
}
refused 'cuda:3: there are not so many GPUs' -D cuda:3
export EMULATOR_FAULT=lost-rank
refused 'NCCL: remote process exited or there was a network error'
unset EMULATOR_FAULT

# Another environment for the second rank.  unlike VARIABLE=VALUE ARGUMENT...
unlike() {
    setting=$1
    shift
    set -- "$PS_TEST/emulated/pstrain" -D cuda -o two.psm -g g.psg -x x.psr -n n.psr -t --epochs 1 -j 1 "$@"
    rm -f two.psm
    timeout 60 mpirun --oversubscribe --bind-to none -n 1 "$@" : -n 1 env "$setting" "$@" <pairs.tsv 2>err
}

# One that cannot join leaves the sums to the host, on both, with a warning.
unlike EMULATOR_SEED=3 --hidden 9 -d 6 || fail "status $?: $(cat err)"
[ ! -s err ] && mv two.psm joined.psm || fail "$(cat err)"
for setting in EMULATOR_FAULT=cannot-join EMULATOR_SEED=4; do
    unlike $setting --hidden 9 -d 6 || fail "$setting: status $?: $(cat err)"
    cmp two.psm joined.psm || fail "$setting: other bytes"
    [ $setting != EMULATOR_FAULT=cannot-join ] || mv err warned
done
grep -q '^pstrain: gradients are added up by the host, which takes longer: cuda:1 (emulated on the CPU): NCCL: unhandled system error' \
    warned && [ "$(wc -l <warned)" = 1 ] || fail "no warning: $(cat warned)"

# Its device fails: the first rank does not wait for it.  one_fails TEXT VARIABLE=VALUE ARGUMENT...
one_fails() {
    text=$1
    shift
    status=0
    unlike "$@" || status=$?
    [ $status != 0 ] && [ $status != 124 ] && [ ! -e two.psm ] && grep -q "^pstrain: .*$text" err ||
        fail "$1: status $status: $(cat err)"
}
for bytes in 34000000 36000000 38000000; do
    one_fails 'too little memory' EMULATOR_MEMORY=$bytes --hidden 200 -d 100 --batch 32
done
one_fails 'NCCL: remote process exited' EMULATOR_FAULT=lost-rank --hidden 9 -d 6
# When the sum is on its way, which the others wait for: without tokens it is the step that finds out.
one_fails 'unspecified launch failure' EMULATOR_FAULT=dies --hidden 9 -d 6
one_fails 'unspecified launch failure' EMULATOR_FAULT=dies --hidden 9 -d 6 -y y.psr

# A rank that is killed ends the other, which waits for it on its GPU.
gpus -c c --every 0 --epochs 1000 >out 2>err &
job=$!
tries=0
until [ -e c ] || [ $tries = 300 ]; do
    sleep .1
    tries=$((tries + 1))
done
last_child() {
    pgrep -P "$1" | tail -n 1
}
kill -9 "$(last_child "$(last_child "$(last_child $job)")")" # of the shell, timeout, mpirun
if wait $job; then fail "a rank was killed: $(cat err)"; fi
grep -q 'signal 9' err || fail "a rank was killed: $(cat err)"
[ ! -e two.psm ] || fail "a model of half the ranks"
