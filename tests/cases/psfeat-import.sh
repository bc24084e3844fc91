# psfeat on .npy matrices and other vectors: rows by number and by name, joins, scaling, element types.
set -eu
. "$PS_ROOT/tests/fixture.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
psfeat=$PS_BIN/psfeat

cat >npy.py <<'END'
"""npy.py FILE TYPE: writes the matrix of stdin (a row a line) as .npy, the way NumPy does."""
import struct, sys
path, kind = sys.argv[1:]
rows = [[float(x) for x in l.split()] for l in sys.stdin]
head = "{'descr': '<%s', 'fortran_order': False, 'shape': (%d, %d), }" % (kind, len(rows), len(rows[0]))
head = head.ljust(117) + '\n'
code = {'f2': 'e', 'f4': 'f', 'f8': 'd'}[kind]
with open(path, 'wb') as f:
    f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode())
    for r in rows:
        f.write(struct.pack('<%d%s' % (len(r), code), *r))
END
cat >read.py <<'END'
"""Prints item and elements of a stream of vectors, shortened to 5 digits."""
import struct, sys
b = open(sys.argv[1], 'rb').read()
elem = b[11]
size, dim = struct.unpack_from('<II', b, 16)
head, = struct.unpack_from('<I', b, 44)
body = b[head:-32]
for i in range(len(body) // size):
    r = body[i * size:(i + 1) * size]
    item, = struct.unpack_from('<I', r)
    if elem == 1:
        v = struct.unpack('<%df' % dim, r[4:])
    elif elem == 2:
        v = struct.unpack('<%de' % dim, r[4:])
    else:
        v = [struct.unpack('<f', struct.pack('<I', h << 16))[0] for h in struct.unpack('<%dH' % dim, r[4:])]
    print(item, *('%.5g' % x for x in v))
END
is() { # is STREAM 'rows'
    printf '%s\n' "$2" >want.txt
    python3 read.py "$1" >got.txt
    cmp -s got.txt want.txt || { cat got.txt; fail "expected:
$2"; }
}

printf '1 2\n-3 4.5\n0 0\n' >m.txt
for type in f2 f4 f8; do
    python3 npy.py $type.npy $type <m.txt
    "$psfeat" --npy $type.npy >x-$type.psr
    is x-$type.psr "0 1 2
1 -3 4.5
2 0 0"
    cmp x-f2.psr x-$type.psr || fail "$type"
done
"$psfeat" --npy - <f4.npy >x.psr
cmp x-f4.psr x.psr || fail "--npy from a pipe"
gzip -c f4.npy >f4.npy.gz
"$psfeat" --npy f4.npy.gz >x.psr
cmp x-f4.psr x.psr || fail "--npy from gzip"
"$psfeat" --npy f4.npy --scale -2 >x.psr
is x.psr "0 -2 -4
1 6 -9
2 -0 -0"
"$psfeat" --npy f4.npy --normalize --scale 10 >x.psr
is x.psr "0 4.4721 8.9443
1 -5.547 8.3205
2 0 0"
for e in f16 bf16; do
    "$psfeat" --npy f4.npy -E $e >x.psr
    is x.psr "0 1 2
1 -3 4.5
2 0 0"
done

# By name: b and d have no row; in the graph's order.
printf 'a\tp\nb\tp\nc\tp\nd\tp\ne\tp\n' >edges.tsv
"$PS_BIN/psgraph-build" -t <edges.tsv >g.psg
printf 'e\na\nc\n' >names.txt
"$psfeat" -g g.psg --npy f4.npy -I names.txt --text-only >named.psr
is named.psr "0 -3 4.5
1 0 0
2 0 0
3 0 0
4 1 2"
"$psfeat" -g g.psg --npy f4.npy -I names.txt --sketch 0 >x.psr
is x.psr "0 -3 4.5 0.17329
1 0 0 0.17329
2 0 0 0.17329
3 0 0 0.17329
4 1 2 0.17329"
printf 'e\nnobody\nc\n' >names2.txt
"$psfeat" -g g.psg --npy f4.npy -I names2.txt --text-only -u 2>err.txt >x.psr
is x.psr "0 0 0
1 0 0
2 0 0
3 0 0
4 1 2"
grep -q '1 lines skipped' err.txt || fail "-u does not count"
printf '1\n2\n3\n4\n5\n' | python3 npy.py five.npy f8
"$psfeat" -g g.psg --npy five.npy --text-only >five.psr
is five.psr "0 1
1 2
2 3
3 4
4 5"

# Joins, in the order given; the second in another order of items.
"$psfeat" -x five.psr -x named.psr --scale 2 >x.psr
is x.psr "0 2 -6 9
1 4 0 0
2 6 0 0
3 8 0 0
4 10 2 4"
cat >edit.py <<'END'
"""edit.py FROM TO EXPRESSION: another stream whose records are EXPRESSION of r, a list of bytes."""
import struct, sys, zlib
b = open(sys.argv[1], 'rb').read()
size, = struct.unpack_from('<I', b, 16)
head, = struct.unpack_from('<I', b, 44)
body = b[head:-32]
r = [body[i:i + size] for i in range(0, len(body), size)]
body = b''.join(eval(sys.argv[3]))
end = b[-32:-8] + struct.pack('<I', zlib.crc32(body))
open(sys.argv[2], 'wb').write(b[:head] + body + end + struct.pack('<I', zlib.crc32(end)))
END
python3 edit.py five.psr reversed.psr 'r[::-1]'
"$psfeat" -x reversed.psr -x named.psr >x.psr
is x.psr "4 5 1 2
3 4 0 0
2 3 0 0
1 2 0 0
0 1 -3 4.5"
"$psfeat" -x named.psr -x reversed.psr >x.psr
is x.psr "0 -3 4.5 1
1 0 0 2
2 0 0 3
3 0 0 4
4 1 2 5"
"$psfeat" -g g.psg -x reversed.psr --text-only >x.psr
is x.psr "0 1
1 2
2 3
3 4
4 5"
printf 'a\tx\nb\ty\nc\tx\nd\tx\ne\ty\n' | "$psfeat" -g g.psg -t -d 3 --npy five.npy -x named.psr --sketch 0 --no-degree >x.psr
[ "$(python3 read.py x.psr | cut -d' ' -f5- | tr '\n' ,)" = "1 -3 4.5,2 0 0,3 0 0,4 0 0,5 1 2," ] || fail "text, --npy and -x"
for j in 1 2 5; do
    "$psfeat" -g g.psg --npy five.npy -x named.psr -j $j >j$j.psr
    cmp j1.psr j$j.psr || fail "-j $j"
done
"$psfeat" -x - -x named.psr <five.psr >x.psr
"$psfeat" -x five.psr -x named.psr >y.psr
cmp x.psr y.psr || fail "-x from a pipe"
gzip -c five.psr >five.gz
"$psfeat" -x five.gz -x named.psr >x.psr
cmp x.psr y.psr || fail "-x from gzip"

# A stream that is whole but holds what cannot be used.
no() { # no STREAM 'message'
    "$psfeat" -x "$1" -o bad.psr 2>err.txt && fail "$1 is taken"
    grep -q "^psfeat: $1: $2" err.txt || fail "$1: $(cat err.txt)"
    [ ! -e bad.psr ] || fail "$1: an output is left"
}
python3 edit.py five.psr nan.psr 'r[:3] + [r[3][:4] + bytes([0, 0, 192, 127])] + r[4:]'
no nan.psr 'record 3, element 0: NaN'
python3 edit.py five.psr twice.psr 'r[:3] + r[2:3] + r[4:]'
no twice.psr 'record 3: item 2 again'
