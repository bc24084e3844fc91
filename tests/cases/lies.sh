# lies.sh - headers that lie, one in 16 of them: tests/faults/lies.py.  make faults tells all.
set -eu
command -v python3 >/dev/null || {
    echo "tests/faults needs python3"
    exit 77
}
case ${PS_FLAVOUR-release} in
release | plain) ;;
*)
    echo "a sanitizer's memory is not the tool's: the fuzzers see to it"
    exit 77
    ;;
esac
exec python3 "$PS_ROOT/tests/faults/lies.py" "$PS_BIN" --every 16
