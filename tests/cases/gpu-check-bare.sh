#!/bin/sh
# What make gpu-check builds and runs needs gcc, g++ and make alone (and nvcc and cuBLAS on its machine, here CUDA on the CPU): no
# OpenBLAS, zlib, oneDNN, MPI, NCCL's or other headers; and no python3.
set -eu
. "$PS_ROOT/tests/fixture.sh"
. "$PS_ROOT/tests/need-emulated"
[ "${PS_FLAVOUR-release}" = release ] || {
    echo "the release's build"
    exit 77
}
mkdir headers tools
for header in zlib cblas nccl mpi; do
    echo '#error a machine without it' >headers/$header.h
done
printf '#!/bin/sh\nexit 77\n' >tools/python3
printf '#!/bin/sh\nexit 1\n' >tools/mpicc
printf '#!/bin/sh\nshift\nexec "$@"\n' >tools/timeout # its limits are a GPU's
chmod +x tools/*
PATH=$PWD/tools:$PATH
export PATH C_INCLUDE_PATH="$PWD/headers"
export PS_PYTHON="$PWD/none/python3"
unset MAKEFLAGS MFLAGS OPENBLAS ONEDNN MPI NCCL ZLIB
make -C "$PS_ROOT" -j "$(nproc)" CUDA=0 ONEDNN=0 FLAVOUR=release OUT="$PWD/out" gpu-programs >made 2>&1 || fail "$(cat made)"
grep -q '^zlib no, OpenBLAS no .* OpenMPI no' made || fail "not a bare machine: $(head -n 1 made)"
rm out/gpu/t_cuda_kernels # it takes long, and is a test by itself
"$PS_ROOT/tests/gpu-check" "$PWD/out" small >said 2>&1 || fail "status $?: $(cat said)"
for text in 'farthest off' 'sums over 3' '^training: 16 pairs' 'PyTorch: no ' 'gpu-check: all passed'; do
    grep -q "$text" said || fail "no '$text': $(cat said)"
done
