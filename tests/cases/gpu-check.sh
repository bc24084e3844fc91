#!/bin/sh
# tests/gpu-check with CUDA on the CPU (tests/cuda) and small sizes: every part of it runs, and a failure is one.
set -eu
. "$PS_ROOT/tests/fixture.sh"
. "$PS_ROOT/tests/need-emulated"
case ${PS_FLAVOUR-release} in
release | plain) ;;
*) echo "the tests that it runs have their own cases" && exit 77 ;;
esac
mkdir -p out/gpu tools
for test in group products queues; do ln -s "$PS_TEST/t_cuda_$test" out/gpu; done
ln -s "$PS_TEST/emulated/bench" out/gpu
printf '#!/bin/sh\nexit ${KERNELS-0}\n' >out/gpu/t_cuda_kernels # the test itself takes long, and is one by itself
export SANITIZED="$PWD/sanitized"
printf '#!/bin/sh\nprintf "%%s\\n" "$*" >>"$SANITIZED"\nexit "${SANITIZER-0}"\n' >tools/compute-sanitizer
printf '#!/bin/sh\necho "A GPU, 1.2.3, 80000 MiB"\n' >tools/nvidia-smi
printf '#!/bin/sh\nshift\nexec "$@"\n' >tools/timeout # its limits are a GPU's
printf '#!/bin/sh\nexit 77\n' >python
chmod +x tools/* python out/gpu/t_cuda_kernels
export PS_PYTHON="$PWD/python" PATH="$PWD/tools:$PATH"
gpu_check() {
    status=0
    "$PS_ROOT/tests/gpu-check" "$PWD/out" small >said 2>&1 || status=$?
}
has() {
    for text in "$@"; do grep -q -e "$text" said || fail "no '$text': $(cat said)"; done
}

gpu_check
[ $status = 0 ] || fail "status $status: $(cat said)"
has 'A GPU' 'planted' 'nearest to its bound' 'emulated on the CPU' '^copy ' '^pool_max_back ' '^loss_rows ' '^token_step ' \
    '^products of bf16: ' '^training: 16 pairs' 'sums over 3' '^f32 .* 0 of 0$' '^tf32 .* 36 of 36$' '^bf16 .* 36 of 36$' 'skipped' 'gpu-check: all passed'
for tool in memcheck racecheck synccheck; do
    echo "--tool $tool --error-exitcode 1 $PWD/out/gpu/t_cuda_kernels short"
done >wanted
echo "--tool memcheck --error-exitcode 1 $PWD/out/gpu/t_cuda_loss" >>wanted
cmp wanted "$SANITIZED" || fail "compute-sanitizer is to look at other runs"
! grep -q -e '\<nan\>' -e '\<inf\>' -e FAIL said || fail "$(cat said)"

# One that fails, one that does not end, a machine without a GPU.
rm out/gpu/t_cuda_group out/gpu/t_cuda_queues out/gpu/bench
ln -s "$(command -v true)" out/gpu/bench
export SANITIZER=1
gpu_check
unset SANITIZER
[ $status = 1 ] || fail "compute-sanitizer finds something: status $status: $(cat said)"
export KERNELS=3
gpu_check
[ $status = 1 ] || fail "a test that fails: status $status: $(cat said)"
has 'FAIL (status 3)' 'gpu-check: FAILED'
KERNELS=124
gpu_check
[ $status = 1 ] || fail "a test that does not end: status $status: $(cat said)"
export KERNELS=0 GPU_CHECK_SECONDS=0
gpu_check
[ $status = 1 ] && [ "$(grep -c 'not finished in time' said)" -ge 4 ] || fail "no time: status $status: $(cat said)"
export EMULATOR_FAULT=no-device GPU_CHECK_SECONDS=100
gpu_check
[ $status = 1 ] || fail "no GPU: status $status: $(cat said)"
has 'there is no GPU on this machine' 'gpu-check: no GPU to check'
