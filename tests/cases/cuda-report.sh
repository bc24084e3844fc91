#!/bin/sh
# Where nvcc compiled the kernels, each of them is in the report for each architecture, and none spills registers to memory.
set -eu
. "$PS_ROOT/tests/fixture.sh"
objects=${PS_BIN%/bin}/obj/kernels

# A kernel that spills is a failure of the report.
cat >spill.ptxas <<'END'
ptxas info    : Compiling entry function '_Z6kernelPf' for 'sm_90'
ptxas info    : Function properties for _Z6kernelPf
    16 bytes stack frame, 4 bytes spill stores, 8 bytes spill loads
ptxas info    : Used 32 registers, 64 bytes smem, 400 bytes cmem[0]
END
if "$PS_ROOT/scripts/cuda-report" spill.ptxas >out; then
    fail "a kernel that spills passes: $(cat out)"
fi
grep -q '^sm_90 *32 *64 *12  kernel$' out || fail "not what ptxas said: $(cat out)"

# So is a report that knows no kernel in what ptxas said.
printf 'ptxas: another version, other words\n' >unknown.ptxas
if "$PS_ROOT/scripts/cuda-report" unknown.ptxas >out; then
    fail "no kernel passes: $(cat out)"
fi

set -- "$objects"/dev_*.cu.ptxas
[ -e "$1" ] || {
    echo "the kernels were not compiled: no nvcc, or CUDA=0"
    exit 77
}
"$PS_ROOT/scripts/cuda-report" "$@" >report || fail "kernels spill: $(awk '$4 > 0' report)"
for arch in $(awk 'NR > 1 { print $1 }' report | sort -u); do
    for kernel in $(sed -n 's/.*__global__ void \([a-z0-9_]*\)(.*/\1/p' "$PS_ROOT"/kernels/dev_*.cu); do
        grep -q "^$arch .* $kernel\(<.*\)\{0,1\}$" report || fail "$kernel is not in the report for $arch"
    done
done

cat report
