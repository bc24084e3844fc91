#!/bin/sh
# pstrain -D cuda, with CUDA on the CPU (tests/cuda): the same training as without, up to rounding; the same bytes each time, in whatever order
# threads and streams run; checkpoints between devices; what it says when there is no device or too little memory.
set -eu
. "$PS_ROOT/tests/fixture.sh"
. "$PS_ROOT/tests/need-emulated"
small_debian '^python3-[a-m]'
psgraph-build -t -I items.tsv <edges.tsv >g.psg
psfeat -g g.psg -t -d 12 --sketch 4 <items.tsv >x.psr
psfeat -g g.psg -t --sparse <items.tsv >y.psr
psneigh -g g.psg -a -T 5 >n.psr
train() {
    tool=$1
    shift
    "$tool" -g g.psg -x x.psr -n n.psr -t --hidden 9 -d 6 --batch 64 --negatives 20 --epochs 2 -j 2 "$@" <pairs.tsv
}
cuda() {
    train "$PS_TEST/emulated/pstrain" -D cuda "$@"
}

refused() {
    status=0
    "$@" >out 2>err || status=$?
    [ $status = 1 ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] || fail "$*: status $status: $(cat err)"
}

# Vectors as those of a file, but for rounding
near() {
    awk 'NR == FNR { for (i = 1; i <= NF; i++) want[FNR, i] = $i; fields[FNR] = NF; next }
        NF != fields[FNR] { exit 1 }
        { for (i = 1; i <= NF; i++) if (!(($i - want[FNR, i]) ^ 2 <= 1e-6)) exit 1 }
        END { if (FNR < 100) exit 1 }' "$1" -
}

# Losses and gradients of every batch as on the CPU
same_losses() {
    awk -F '\t' 'NR == FNR { loss[FNR] = $3; gradient[FNR] = $6; next }
        FNR > 1 && !(($3 - loss[FNR]) ^ 2 <= (1e-4 * loss[FNR]) ^ 2 && ($6 - gradient[FNR]) ^ 2 <= (1e-3 * gradient[FNR]) ^ 2) {
            print "batch " FNR - 1 ": loss " $3 " and gradient " $6 ", on the CPU " loss[FNR] " and " gradient[FNR]; exit 1 }
        END { exit FNR < 4 }' "$1" "$2" || fail "$3: not the training of the CPU"
}
while read -r options; do
    train pstrain $options --log cpu.log >cpu.psm
    cuda $options --log cuda.log >cuda.psm
    same_losses cpu.log cuda.log "$options"
    psview -c cuda.psm || fail "$options: the model is damaged"
done <<END
-y y.psr -p valid.tsv
--paper --hidden 9 -d 6 --batch 64 --negatives 20 --epochs 2 --hard 2 --band 2-20
--layers 3 --pooling max --loss xent --optimizer sgd --rate .01
--layers 0 --pooling mean --in-batch no
END

# The same bytes, however threads and streams run, and with batches made one by one
cuda -y y.psr >one.psm
for seed in 2 3; do
    EMULATOR_SEED=$seed cuda -y y.psr | cmp - one.psm || fail "another order gives other bytes"
done
cuda -y y.psr --ahead 0 | cmp - one.psm || fail "--ahead 0 gives other bytes"
cuda -y y.psr --bf16 >bf16.psm && cmp -s bf16.psm one.psm && fail "--bf16 changes nothing"
cuda --tf32 >/dev/null || fail "--tf32"

# The checkpoint before the last batch, of either device, is the other's to go on from
train pstrain -y y.psr --log whole.log >cpu.psm
psembed -m cpu.psm -n n.psr -y y.psr <x.psr | psview >cpu.txt
for order in cpu:cuda cuda:cpu; do
    train "$PS_TEST/emulated/pstrain" -D ${order%:*} -y y.psr --log half.log -c ck --every 0 >/dev/null
    train "$PS_TEST/emulated/pstrain" -D ${order#*:} -y y.psr --log half.log --resume ck >half.psm
    same_losses whole.log half.log "$order"
    psembed -m half.psm -n n.psr -y y.psr <x.psr | psview | near cpu.txt || fail "$order: not the model of the CPU"
done

# What went wrong, in words
for fault in no-driver:'no NVIDIA driver' old-driver:'older than this build' no-device:'no GPU' \
    old-gpu:'cuda:0 (emulated on the CPU): this program was not built for its compute capability, 7.5: make CUDA_ARCHS=75'; do
    export EMULATOR_FAULT="${fault%%:*}"
    refused cuda
    grep -q "${fault#*:}" err || fail "$fault: $(cat err)"
done
unset EMULATOR_FAULT
refused cuda -D cuda:7
grep -q 'only GPU 0' err || fail "cuda:7: $(cat err)"
export EMULATOR_MEMORY=33700000
refused cuda
grep -q 'too little memory: .* MiB are needed beside' err || fail "too little memory: $(cat err)"
unset EMULATOR_MEMORY
for device in gpu cuda: cuda:x cuda:-1; do
    status=0
    train pstrain -D $device >out 2>err || status=$?
    [ $status = 2 ] && grep -q -e "^pstrain: -D $device: no such device: cpu, cuda or cuda:N" err || fail "-D $device: status $status: $(cat err)"
done
status=0
cuda --shares 2 >out 2>err || status=$?
[ $status = 2 ] && grep -q 'needs as many ranks' err || fail "--shares 2 on one GPU: status $status: $(cat err)"
status=0
train pstrain --tf32 >out 2>err || status=$?
[ $status = 2 ] && grep -q 'D cuda' err || fail "--tf32 on the CPU: status $status: $(cat err)"

# The tool as it is built: a GPU trains, anything else is one line
if ! train pstrain -D cuda >out 2>err; then
    [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -q 'pstrain: cuda:0: ' err || fail "-D cuda: $(cat err)"
    cat err
fi
