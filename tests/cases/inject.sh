# inject.sh - some hundreds of calls of the system made to fail, one at a time: tests/faults/inject.py.  make faults does all.
set -eu
command -v python3 >/dev/null || {
    echo "tests/faults needs python3"
    exit 77
}
case ${PS_FLAVOUR-} in
asan | tsan)
    echo "these sanitizers have their own malloc and threads, and do not start under the shim"
    exit 77
    ;;
esac
exec python3 "$PS_ROOT/tests/faults/inject.py" "$PS_BIN" "$PS_TEST/shim.so" --sample 500
