#!/bin/sh
# faults.sh - every tool with broken inputs and a system that refuses: tests/faults/faults.py.
set -eu
command -v python3 >/dev/null || {
    echo "tests/faults needs python3"
    exit 77
}
every=1
case ${PS_FLAVOUR-} in
asan | ubsan | tsan) every=9 ;;
esac
# A sanitizer's finding must not look like the failure that is expected.
for name in ASAN UBSAN TSAN; do
    eval "export ${name}_OPTIONS=\${${name}_OPTIONS:+\$${name}_OPTIONS:}exitcode=99"
done
exec python3 "$PS_ROOT/tests/faults/faults.py" "$PS_BIN" --every $every
