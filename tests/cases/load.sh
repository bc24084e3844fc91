# load.sh - 100,000 good and bad lines to the tools that answer line by line: tests/faults/load.py.  make load: a million.
set -eu
command -v python3 >/dev/null || {
    echo "tests/faults needs python3"
    exit 77
}
case ${PS_FLAVOUR-release} in
release | plain) ;;
*)
    echo "a sanitizer's memory is not the tool's"
    exit 77
    ;;
esac
exec python3 "$PS_ROOT/tests/faults/load.py" "$PS_BIN" 100000
