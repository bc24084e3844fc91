"""What the cases of pswalk and psneigh share: psrec streams and the walk itself, written anew from psrec(5) and
pswalk(1) with the standard library only, so that nothing is compared with itself.

  walk_check.py ids OUT NUMBER...               writes ids records
  walk_check.py pairs OUT QUERY:ITEM[:W] ...    writes pairs records
  walk_check.py show FILE                       prints a stream: its kind, then a line for each record
  walk_check.py visits FILE EDGES STEPS R SEED  checks the visits of a stream against walks made here
  walk_check.py neighbours FILE VISITS T        checks neighbourhoods against a stream of visits
  walk_check.py hit-rate FILE ITEMS PAIRS K     prints the share of pairs (names) whose positive is in the first K hits
"""
import struct
import sys
import zlib
from itertools import groupby

KINDS = {"ids": 2, "walks": 3, "visits": 4, "neighbours": 5, "pairs": 6, "hits": 9}
NONE = 0xFFFFFFFF
M64 = (1 << 64) - 1


def write(path, kind, form, rows, graph=0):
    body = b"".join(struct.pack("<" + form, *r) for r in rows)
    qspace = 0 if kind == "pairs" else 1
    head = bytearray(64)
    struct.pack_into("<8sH6B", head, 0, b"\x89PSR\r\n\x1a\n", 1, KINDS[kind], 0, 4, qspace, 1, 0)
    struct.pack_into("<IIQQfII", head, 16, struct.calcsize("<" + form), 0, graph, M64, 1.0, 64, 0)
    struct.pack_into("<I", head, 60, zlib.crc32(head))
    end = struct.pack("<Q8sQI", M64, b"PSREND\r\n", len(rows), zlib.crc32(body))
    with open(path, "wb") as f:
        f.write(bytes(head) + body + end + struct.pack("<I", zlib.crc32(end)))


def read(path):
    """Kind, dim, records as tuples, history."""
    with open(path, "rb") as f:
        data = f.read()
    size, dim = struct.unpack_from("<II", data, 16)
    length, text = struct.unpack_from("<II", data, 44)
    assert data[:8] == b"\x89PSR\r\n\x1a\n" and data[12] == 4, "header"
    kind = next(k for k, v in KINDS.items() if v == data[10])
    forms = {"ids": "I", "walks": "I%dI" % dim, "visits": "III", "neighbours": "I" + "If" * dim, "pairs": "IIf",
             "hits": "I" + "If" * dim}
    form = "<" + forms[kind]
    assert struct.calcsize(form) == size, "record size"
    body, end = data[length:-32], data[-32:]
    none, magic, count, crc, own = struct.unpack("<Q8sQII", end)
    assert none == M64 and magic == b"PSREND\r\n" and own == zlib.crc32(end[:28]), "end mark"
    assert count * size == len(body) and crc == zlib.crc32(body), "count or CRC"
    return kind, dim, list(struct.iter_unpack(form, body)), data[64:64 + text].decode()


def mix(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & M64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & M64
    return z ^ z >> 31


def rng(key, step):
    return mix(key + (step + 1) * 0x9E3779B97F4A7C15 & M64)


def walk(items, boards, u, steps, restart, seed):
    """Visits of an unweighted walk as {item: count}."""
    key = mix(mix(seed + 0x9E3779B97F4A7C15 & M64) ^ (u * 0xD1342543DE82EF95 + 1 & M64))
    at, count = u, {}
    for s in range(steps if items.get(u) else 0):
        near = items[at]
        near = boards[near[rng(key, 3 * s) * len(near) >> 64]]
        at = near[rng(key, 3 * s + 1) * len(near) >> 64]
        count[at] = count.get(at, 0) + 1
        if rng(key, 3 * s + 2) < restart * 2.0**64:
            at = u
    return count


def ranked(count):
    return sorted(count.items(), key=lambda c: (-c[1], c[0]))


def check_visits(path, edges, steps, restart, seed):
    items, boards = {}, {}
    with open(edges) as f:
        for line in f:
            i, b = map(int, line.split("\t")[:2])
            items.setdefault(i, []).append(b)
            boards.setdefault(b, []).append(i)
    for side in items, boards:
        for near in side.values():
            near.sort()
    kind, _, rows, _ = read(path)
    assert kind == "visits", kind
    for q, group in groupby(rows, key=lambda r: r[0]):
        got = [(v, c) for _, v, c in group]
        want = ranked(walk(items, boards, q, steps, restart, seed)) or [(q, 0)]
        assert got == want, "query %d: %s, but here %s" % (q, got, want)
    return len(rows)


def check_neighbours(path, visits, neighbours):
    kind, dim, rows, _ = read(path)
    assert kind == "neighbours" and dim == neighbours
    groups = [(q, [(v, c) for _, v, c in g]) for q, g in groupby(read(visits)[2], key=lambda r: r[0])]
    assert [r[0] for r in rows] == [q for q, _ in groups], "the items"
    for (q, seen), row in zip(groups, rows):
        best = ranked({v: c for v, c in seen if v != q and c})[:dim]
        total = sum(c for _, c in best)
        want = [x for v, c in best for x in (v, struct.unpack("f", struct.pack("f", c / total))[0])]
        want += [NONE, 0.0] * (dim - len(best))
        assert list(row[1:]) == want, "item %d: %s, but here %s" % (q, row[1:], want)
    return len(rows)


def hit_rate(path, items, pairs, k):
    with open(items, encoding="utf-8") as f:
        number = {line.rstrip("\n").split("\t")[0]: i for i, line in enumerate(f)}
    kind, dim, rows, _ = read(path)
    assert kind == "hits" and dim >= k
    first = {r[0]: set(r[1:2 * k:2]) for r in rows}
    with open(pairs, encoding="utf-8") as f:
        found = [number[p] in first[number[q]] for q, p in (line.rstrip("\n").split("\t")[:2] for line in f)]
    return sum(found) / len(found)


def main(what, path, *rest):
    if what == "ids":
        write(path, "ids", "I", [(int(x),) for x in rest])
    elif what == "pairs":
        rows = [x.split(":") for x in rest]
        write(path, "pairs", "IIf", [(int(r[0]), int(r[1]), float(r[2]) if len(r) > 2 else 1.0) for r in rows])
    elif what == "show":
        kind, dim, rows, _ = read(path)
        print(kind, dim)
        for r in rows:
            print(*["-" if x == NONE else "%.6g" % x for x in r])
    elif what == "visits":
        assert check_visits(path, rest[0], int(rest[1]), float(rest[2]), int(rest[3])) > 0, "nothing to compare"
    elif what == "neighbours":
        assert check_neighbours(path, rest[0], int(rest[1])) > 0, "nothing to compare"
    elif what == "hit-rate":
        print("%.4f" % hit_rate(path, rest[0], rest[1], int(rest[2])))
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
