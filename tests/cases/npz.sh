# Vectors as .npz archives and word2vec text: what other programs read, and back; damage.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
printf 'na\303\257ve x\ts\n\342\202\254\ts\n\360\237\230\200!\ts\nplain\tt\nnone\tt\n' >edges.tsv
psgraph-build -t <edges.tsv >g.psg
printf 'plain\t1\t-2.5\nna\303\257ve x\t0.125\t7\n\360\237\230\200!\t3e-8\t1\n\342\202\254\t0\t4\n' | psview -t -K vectors -g g.psg >z.psr
psview -g g.psg --npz z.psr >z.npz
psview --npz z.psr >bare.npz

# Without NumPy: what the formats' descriptions say.
python3 - <<'EOF'
import ast, struct, zipfile

def arrays(path):
    out = {}
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        for info in z.infolist():
            data = z.read(info)
            assert data[:8] == b"\x93NUMPY\1\0" and info.filename.endswith(".npy")
            n = struct.unpack_from("<H", data, 8)[0]
            assert (10 + n) % 64 == 0
            head, body = ast.literal_eval(data[10:10 + n].decode()), data[10 + n:]
            assert not head["fortran_order"]
            if head["descr"][1] == "U":
                step = 4 * int(head["descr"][2:])
                values = [body[i:i + step].decode("utf-32-le").rstrip("\0") for i in range(0, len(body), step)]
            else:
                values = list(struct.unpack("<%d%s" % (len(body) // int(head["descr"][2:]), {"<f4": "f", "<i8": "q"}[head["descr"]]), body))
            out[info.filename[:-4]] = head["shape"], values
    return out

a = arrays("z.npz")
assert a["names"] == ((4,), ["plain", "naïve x", "😀!", "€"]), a["names"]
assert a["ids"] == ((4,), [3, 0, 2, 1]), a["ids"]
f32 = struct.unpack("<f", struct.pack("<f", 3e-8))[0]
assert a["vectors"] == ((4, 2), [1, -2.5, .125, 7, f32, 1, 0, 4]), a["vectors"]
del a["names"]
assert arrays("bare.npz") == a

# The same again as another program would write it: deflated, other integers, names as bytes, a comment at the end.
def npy(descr, shape, body):
    head = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + body

def save(path, how=zipfile.ZIP_DEFLATED, **members):
    with zipfile.ZipFile(path, "w", how) as z:
        for name, data in members.items():
            z.writestr(name + ".npy", data)
        z.comment = b"a comment"

v = npy("<f8", (4, 2), struct.pack("<8d", *a["vectors"][1]))
save("deflated.npz", vectors=v, ids=npy("<u4", (4,), struct.pack("<4I", 3, 0, 2, 1)))
save("stored.npz", zipfile.ZIP_STORED, vectors=v, ids=npy("<i8", (4,), struct.pack("<4q", 3, 0, 2, 1)))
save("bytes.npz", vectors=v, names=npy("|S10", (4,), b"".join(n.encode().ljust(10, b"\0") for n in ("plain", "naïve x", "😀!", "€"))))
save("order.npz", vectors=v, ids=npy("<i4", (4,), struct.pack("<4i", 0, 1, 2, 3)))
save("unknown.npz", vectors=v, names=npy("<U5", (4,), "".join(n.ljust(5, "\0") for n in ("plain", "no", "€", "none")).encode("utf-32-le")))
save("twice.npz", vectors=v, ids=npy("<i4", (4,), struct.pack("<4i", 0, 1, 0, 3)))
save("negative.npz", vectors=v, ids=npy("<i4", (4,), struct.pack("<4i", 0, 1, -2, 3)))
save("short.npz", vectors=v, ids=npy("<i4", (3,), struct.pack("<3i", 0, 1, 2)))
save("floats.npz", vectors=v, ids=npy("<f4", (4,), struct.pack("<4f", 0, 1, 2, 3)))
save("objects.npz", vectors=v, names=npy("|O", (4,), b"pickled"))
save("other.npz", x=v)
save("lzma.npz", zipfile.ZIP_LZMA, vectors=v)
EOF

# All of them give the features of the same items; item 4 has none.
printf '0\t0.125\t7\n1\t0\t4\n2\t3e-08\t1\n3\t1\t-2.5\n4\t0\t0\n' >want
for file in z deflated stored bytes; do
    psfeat -g g.psg --npy $file.npz --sketch 0 --no-degree | psview | sed 's/2.99[0-9]*e-08/3e-08/' >got
    cmp got want || fail "$file: $(cat got)"
done
psfeat --npy order.npz | psview -H | grep -q '^records	4' || fail "without a graph"
psfeat -u -g g.psg --npy unknown.npz --sketch 0 --no-degree 2>err | psview --take 2 >got
sed 's/2.99[0-9]*e-08/3e-08/' got >want2
printf '0\t0\t0\n1\t3e-08\t1\n' | cmp - want2 || fail "-u: $(cat got)"
grep -q '1 lines skipped' err || fail "-u: $(cat err)"

echo plain | psview -t -K ids -g g.psg >ids.psr
load="psfeat -g g.psg --npy"
expect 1 'unknown.npz: vectors.npy: row 1: g.psg has no such item (-u' $load unknown.npz
expect 1 'rows 0 and 2 are the same item' $load twice.npz
expect 1 'negative.npz: ids.npy: row 2: a negative number' $load negative.npz
expect 1 'short.npz: ids.npy: it must be a list with an element for each of the 4 rows' $load short.npz
expect 1 "floats.npz: ids.npy: elements of type '<f4'" $load floats.npz
expect 1 "objects.npz: names.npy: elements of type '|O'.*names.astype(str)" $load objects.npz
expect 1 "other.npz: no array 'vectors' in it" $load other.npz
expect 1 'lzma.npz: member vectors.npy: packed by method 14' $load lzma.npz
expect 1 'row 0 is item 3: -g GRAPH is needed' psfeat --npy deflated.npz
expect 2 '--npz writes f32' psview --npz -E f16 z.psr
expect 1 'only vectors can be had in this form' psview --npz ids.psr
# Cut off or changed anywhere, it is refused; the header's spare bytes may change nothing.
python3 - "$PS_BIN/psfeat" <<'EOF'
import random, subprocess, sys
data, r = open("deflated.npz", "rb").read(), random.Random(1)
def features(data):
    open("broken.npz", "wb").write(data)
    p = subprocess.run([sys.argv[1], "-g", "g.psg", "--npy", "broken.npz"], capture_output=True)
    assert p.returncode in (0, 1) and (p.returncode == 0) == (p.stderr == b""), p
    return p.stdout if p.returncode == 0 else None
good = features(data)
for n in sorted(r.sample(range(len(data)), 25)):
    assert features(data[:n]) is None, n
for n in r.sample(range(len(data)), 60):
    changed = features(data[:n] + bytes([data[n] ^ 1 << r.randrange(8)]) + data[n + 1:])
    assert changed in (None, good), n
EOF

# word2vec.
psview -g g.psg --word2vec z.psr | sed 's/2.99[0-9]*e-08/3e-08/' >got
printf '4 2\nplain 1 -2.5\nna\303\257ve_x 0.125 7\n\360\237\230\200! 3e-08 1\n\342\202\254 0 4\n' | cmp - got || fail "word2vec: $(cat got)"
psview --word2vec --take 1 z.psr >got
printf '1 2\n3 1 -2.5\n' | cmp - got || fail "word2vec with numbers: $(cat got)"

# With NumPy itself, and FAISS, where they are; PS_PYTHON names another interpreter that has them.
python=${PS_PYTHON:-python3}
if "$python" -c 'import numpy' 2>/dev/null; then
    "$python" - <<'EOF'
import numpy as np
z = np.load("z.npz")
assert list(z["names"]) == ["plain", "naïve x", "😀!", "€"] and z["ids"].dtype == np.int64 and z["vectors"].shape == (4, 2)
np.savez_compressed("np.npz", vectors=z["vectors"], ids=z["ids"], names=z["names"])
EOF
    psfeat -g g.psg --npy np.npz --sketch 0 --no-degree | psview | sed 's/2.99[0-9]*e-08/3e-08/' | cmp - want
fi
if "$python" -c 'import faiss' 2>/dev/null; then
    awk 'BEGIN { srand(1); for (i = 0; i < 300; i++) { printf "%d", i; for (j = 0; j < 8; j++) printf "\t%f", rand() - .5; print "" } }' |
        psview -t -K vectors >x.psr
    psview --npy x.psr >x.npy
    awk 'BEGIN { for (i = 0; i < 300; i++) print i }' | psview -t -K ids | psknn -x x.psr -k 5 | psview | cut -f 1,2 >want
    "$python" - <<'EOF'
import faiss, numpy as np
x = np.load("x.npy")
index = faiss.IndexFlatIP(x.shape[1])
index.add(x)
_, found = index.search(x, 6)
with open("got", "w") as f:
    for i, row in enumerate(found):
        f.writelines("%d\t%d\n" % (i, j) for j in [j for j in row if j != i][:5])
EOF
    cmp got want || fail "FAISS finds others: $(diff got want | head)"
fi
