# psfeat on texts and structure: every value against an independent computation, and the same bytes
# however the input comes and however many threads there are.
set -eu
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
fail() { echo "FAILED: $*"; exit 1; }
psfeat=$PS_BIN/psfeat

cat >items.tsv <<END
apple	Red apple, RED fruit
pear	green Pear; fruit
plum
car	fast car	with wheels42
bus	Sümer bus_line fruit
END
cat >edges.tsv <<END
apple	food
pear	food
plum	food
car	traffic
bus	traffic
car	red
apple	red
car	red
END
"$PS_BIN/psgraph-build" -t -I items.tsv <edges.tsv >g.psg
# In another order, one item without a line, one with an empty text.
sed -n '4p;1p;3p;5p;2p' items.tsv | sed 's/^plum$/plum	/' >shuffled.tsv

cat >expect.py <<'END'
"""Prints the features as floats, a row a line, computed in double from psfeat(1) alone."""
import math, re, sys
M = (1 << 64) - 1
def mix(z):
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9 & M
    z = (z ^ z >> 27) * 0x94d049bb133111eb & M
    return z ^ z >> 31
def signs(seed, what, number, d):
    key = mix(mix(seed + 0x9e3779b97f4a7c15 & M) ^ ((what << 56 | number) * 0xd1342543de82ef95 + 1 & M))
    bits = [mix(key + (i + 1) * 0x9e3779b97f4a7c15 & M) for i in range((d + 63) // 64)]
    return [1 if bits[i // 64] >> i % 64 & 1 else -1 for i in range(d)]
def fnv(b):
    h = 0xcbf29ce484222325
    for c in b:
        h = (h ^ c) * 0x100000001b3 & M
    return mix(h)
def unit(v, length=1.0):
    n = math.sqrt(sum(x * x for x in v))
    return [x * length / n for x in v] if n > 1e-7 else [0.0] * len(v)

mode, seed, d, sketch, lo, hi = sys.argv[1], *map(int, sys.argv[2:7])
with_boards = len(sys.argv) > 7
edges = [l.split() for l in open('edges.tsv')]
lines = [l.rstrip('\n').split('\t', 1) for l in open('items.tsv', encoding='utf-8')]
names = [l[0] for l in lines]
texts = [l[1] if len(l) > 1 else '' for l in lines]
rows = []
for name, t in zip(names, texts):
    terms = [mix(fnv(b.encode()) + 2 & M) % 2 ** 18 for i, b in edges if i == name and with_boards]
    for w in re.findall(rb'[a-z0-9\x80-\xff]+', t.encode().lower()):
        terms.append(fnv(w) % 2 ** 18)
        m = '<' + w.decode() + '>'
        if hi:
            terms += [mix(fnv(m[i:i + n].encode()) + 1 & M) % 2 ** 18
                      for n in range(lo, hi + 1) for i in range(len(m) - n + 1)]
    rows.append({b: terms.count(b) for b in terms})
n = sum(bool(r) for r in rows)
tfidf = []
for r in rows:
    v = {b: (1 + math.log(c)) * math.log(n / sum(b in x for x in rows)) for b, c in r.items()}
    norm = math.sqrt(sum(x * x for x in v.values())) or 1
    tfidf.append({b: x / norm for b, x in v.items() if x})
if mode == 'sparse':
    for i, r in enumerate(tfidf):
        for b in sorted(r):
            print(i, b, r[b])
    sys.exit()
def add(to, what, by):
    for i in range(len(to)):
        to[i] += what[i] * by
text = []
for r in tfidf:
    v = [0.0] * d
    for b, x in r.items():
        add(v, signs(seed, 1, b, d), x)
    text.append(unit(v, math.sqrt(d) / 4))
boards = {}
for _, b in edges:
    boards.setdefault(b, len(boards))
board_names = list(boards)
of = [[boards[b] for i, b in edges if i == name] for name in names]
inside = [[names.index(i) for i, b in edges if boards[b] == k] for k in range(len(boards))]
e = []
for bs in of:
    v = [0.0] * sketch
    for b in bs:
        add(v, signs(seed, 5, fnv(board_names[b].encode()) >> 8, sketch), len(inside[b]) ** -.5)
    e.append(unit(v))
smooth = []
for bs in of:
    v = [0.0] * sketch
    for b in bs:
        for u in inside[b]:
            add(v, e[u], 1 / len(inside[b]) / len(bs))
    smooth.append(unit(v))
have = [s for s, bs in zip(smooth, of) if bs]
mean = [sum(c) / len(have) for c in zip(*have)] if sketch else []
for t, s, bs in zip(text, smooth, of):
    s = unit([x - y for x, y in zip(s, mean)], math.sqrt(sketch) / 4) if bs else [0.0] * sketch
    print(*(t + s + [math.log(1 + len(bs)) / 4]))
END

cat >read.py <<'END'
"""Prints a stream of f32 vectors (or sparse vectors) like expect.py; checks items 0, 1, ..."""
import struct, sys
b = open(sys.argv[1], 'rb').read()
assert b[:8] == b'\x89PSR\r\n\x1a\n', 'magic'
kind, elem, width, qspace = b[10], b[11], b[12], b[13]
size, dim = struct.unpack_from('<II', b, 16)
graph, = struct.unpack_from('<Q', b, 24)
head, = struct.unpack_from('<I', b, 44)
assert width == 4 and qspace == 1, 'items'
assert (graph != 0) == (len(sys.argv) < 3), 'fingerprint'
body = b[head:-32]
assert len(body) % size == 0
for i in range(len(body) // size):
    r = body[i * size:(i + 1) * size]
    if kind == 8:
        assert dim == 2 ** 18
        print(*struct.unpack('<IIf', r))
    else:
        item, *v = struct.unpack('<I%df' % dim, r)
        assert item == i and kind == 7 and elem == 1
        print(*v)
END

cat >same.py <<'END'
import sys
a, b = [[[float(x) for x in l.split()] for l in open(f)] for f in sys.argv[1:]]
if [len(r) for r in a] != [len(r) for r in b]:
    sys.exit('shapes differ: %s and %s' % ([len(r) for r in a], [len(r) for r in b]))
for i, (x, y) in enumerate(zip(a, b)):
    for j, (u, v) in enumerate(zip(x, y)):
        if not abs(u - v) <= 3e-6 * (1 + abs(v)):
            sys.exit('row %d, element %d: %r, expected %r' % (i, j, u, v))
END
check() { # check 'psfeat options' 'expect.py arguments'
    "$psfeat" -g g.psg -t $1 <shuffled.tsv >x.psr || fail "psfeat $1"
    python3 read.py x.psr >got.txt || fail "psfeat $1: not a stream of vectors"
    python3 expect.py $2 >want.txt
    python3 same.py got.txt want.txt || fail "psfeat $1: other values"
}
check '-d 70 --sketch 65' 'dense 1 70 65 0 0'
check '-d 128 --sketch 0 -s 7' 'dense 7 128 0 0 0'
check '-d 0 --sketch 200 -s 3' 'dense 3 0 200 0 0'
check '-d 40 --sketch 0 --ngrams 2-4' 'dense 1 40 0 2 4'
check '--sparse' 'sparse 1 0 0 0 0'
check '--sparse --ngrams 3-5' 'sparse 1 0 0 3 5'
check '--sparse --board-terms' 'sparse 1 0 0 0 0 boards'
check '-d 50 --board-terms --sketch 0' 'dense 1 50 0 0 0 boards'

# Sizes of the blocks; the text block alone is the beginning of the whole.
"$psfeat" -g g.psg -t <items.tsv >x.psr
python3 read.py x.psr >all.txt
[ "$(awk '{print NF}' all.txt | sort -u)" = 769 ] || fail "256 + 512 + 1 elements are the default"
"$psfeat" -g g.psg -t --text-only <items.tsv >t.psr
python3 read.py t.psr >text.txt
cut -d' ' -f1-256 all.txt | cmp - text.txt || fail "--text-only is not the text block"
"$psfeat" -g g.psg -t --no-degree <items.tsv >t.psr
python3 read.py t.psr >text.txt
cut -d' ' -f1-768 all.txt | cmp - text.txt || fail "--no-degree"

# Without a graph: rows by line.
"$psfeat" -t <items.tsv >t.psr
python3 read.py t.psr without >text2.txt
cut -d' ' -f1-256 all.txt | cmp - text2.txt || fail "without a graph"

# The same bytes for any number of threads and any way in or out; other ones for another seed.
awk 'BEGIN { for (i = 0; i < 3000; i++) print "n" i "\tw" i % 7 " w" i * i % 1009 " n" i }' >many.tsv
awk 'BEGIN { for (i = 0; i < 9000; i++) print "n" i * 7 % 3000 "\tb" i * i % 613 }' >many-edges.tsv
"$PS_BIN/psgraph-build" -t -I many.tsv <many-edges.tsv >many.psg
for j in 1 2 5; do
    "$psfeat" -g many.psg -t -d 100 --sketch 100 -j $j <many.tsv >j$j.psr
    cmp j1.psr j$j.psr || fail "3000 items, -j $j"
done
for j in 1 2 5; do
    "$psfeat" -g g.psg -t -j $j --ngrams 3-4 <items.tsv >j$j.psr
    cmp j1.psr j$j.psr || fail "-j $j"
done
cat items.tsv | "$psfeat" -g g.psg -t --ngrams 3-4 | cat >pipe.psr
gzip -c items.tsv >items.gz
"$psfeat" -g g.psg -t --ngrams 3-4 -o file.psr <items.gz
gzip -c g.psg >g.gz
"$psfeat" -g g.gz -t --ngrams 3-4 -z <items.tsv | gzip -dc >z.psr
for f in pipe file z; do
    cmp j1.psr $f.psr || fail "other bytes: $f"
done
"$psfeat" -g g.psg -t --ngrams 3-4 -s 2 <items.tsv >s2.psr
cmp -s j1.psr s2.psr && fail "the seed changes nothing"
exit 0
