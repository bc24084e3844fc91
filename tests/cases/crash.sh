# crash.sh - killed at random, disks that are full, two runs with one output: tests/faults/crash.py.  make faults does more.
set -eu
command -v python3 >/dev/null || {
    echo "tests/faults needs python3"
    exit 77
}
exec python3 "$PS_ROOT/tests/faults/crash.py" "$PS_BIN" --kills 2
