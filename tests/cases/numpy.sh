# scripts/psrec.py, streams as NumPy arrays: every kind there and back, damage refused.
set -eu
for python in python3 /usr/bin/python3; do
    "$python" -c 'import numpy' 2>/dev/null && break
    python=
done
[ -n "$python" ] || { echo "NumPy (Debian: python3-numpy) is not there"; exit 77; }
"$python" -B "$PS_ROOT/tests/psrec_check.py" "$PS_ROOT/scripts" "$PS_BIN"
