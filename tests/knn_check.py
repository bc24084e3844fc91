"""What the cases of psknn and pseval share: brute force over plain lists, written anew from the manual pages with
the standard library only, so that nothing is compared with itself.

  knn_check.py vectors OUT N D SEED [bias|gaps|free]  small whole numbers as elements: dot products are exact, ties many;
                                                      free: normally distributed ones
  knn_check.py sparse OUT VECTORS                     the same numbers as a sparse stream
  knn_check.py ids|pairs OUT NUMBER...                records (pairs: query positive weight ...)
  knn_check.py show FILE                              prints a stream's records
  knn_check.py hits HITS VECTORS K [cosine|sparse]    checks hits of items against all scores
  knn_check.py boards HITS EDGES ITEMS                checks hits of psknn --boards
  knn_check.py eval JSON PAIRS ITEMS EDGES K,.. COLD VECTORS|HITS [cosine] [against VECTORS|HITS]
  knn_check.py distribution JSON VECTORS SEED
"""
import json
import math
import random
import struct
import sys
import zlib
from collections import defaultdict

NAMES = {2: "ids", 6: "pairs", 7: "vectors", 8: "sparse", 9: "hits"}
KINDS = {v: k for k, v in NAMES.items()}
NONE, M64 = 0xFFFFFFFF, (1 << 64) - 1


def write(path, kind, dim, form, rows, elem=0, flags=0):
    body = b"".join(struct.pack("<" + form, *r) for r in rows)
    head = bytearray(64)
    struct.pack_into("<8sH6B", head, 0, b"\x89PSR\r\n\x1a\n", 1, KINDS[kind], elem, 4, 1, 1, flags)
    struct.pack_into("<IIQQfII", head, 16, struct.calcsize("<" + form), dim, 0, M64, 1.0, 64, 0)
    struct.pack_into("<I", head, 60, zlib.crc32(head))
    end = struct.pack("<Q8sQI", M64, b"PSREND\r\n", len(rows), zlib.crc32(body))
    with open(path, "wb") as f:
        f.write(bytes(head) + body + end + struct.pack("<I", zlib.crc32(end)))


def read(path):
    """Kind, flags, records as tuples."""
    with open(path, "rb") as f:
        data = f.read()
    size, dim = struct.unpack_from("<II", data, 16)
    length = struct.unpack_from("<I", data, 44)[0]
    kind = NAMES[data[10]]
    form = {"ids": "I", "pairs": "IIf", "vectors": "I%df" % dim, "sparse": "IIf", "hits": "I" + "If" * dim}[kind]
    assert struct.calcsize("<" + form) == size and data[12] == 4
    body, (none, _, count, crc) = data[length:-32], struct.unpack_from("<Q8sQI", data, len(data) - 32)
    assert none == M64 and count * size == len(body) and crc == zlib.crc32(body)
    return kind, data[15], list(struct.iter_unpack("<" + form, body))


def vectors(path, cosine=False, dense=False, items=()):
    """item -> elements (items: those that are there in any case), and a function of two items' scores."""
    kind, flags, rows = read(path)
    if kind == "sparse":
        table = defaultdict(dict)
        for item, index, value in rows:
            table[item][index] = value
        dim = 1 + max(i for r in table.values() for i in r)
        table = {u: [r.get(i, 0.0) for i in range(dim)] for u, r in table.items()}
        table.update({u: [0.0] * dim for u in items if u not in table})
    else:
        table = {r[0]: list(r[1:]) for r in rows}
    plain = {u: (x[:-1] if flags & 1 else x) for u, x in table.items()}

    def score(q, i):
        s = sum(a * b for a, b in zip(plain[q], plain[i]))
        if cosine:
            n = math.sqrt(sum(a * a for a in plain[q]) * sum(a * a for a in plain[i]))
            return s / n if n else 0.0
        return s + (table[i][-1] if flags & 1 else 0)
    return plain if dense else (table, score)


def hit_lists(path):
    out = {}
    for r in read(path)[2]:
        pairs = [(r[j], r[j + 1]) for j in range(1, len(r), 2)]
        listed = [p for p in pairs if p[0] != NONE]
        assert pairs[len(listed):] == [(NONE, 0.0)] * (len(pairs) - len(listed)), "padding"
        out.setdefault(r[0], listed)
    return out


def check_hits(path, score, items, k, near, positive_only=False):
    for query, hits in hit_lists(path).items():
        want = sorted(((score(query, i), i) for i in items if i != query), key=lambda p: (-p[0], p[1]))
        if positive_only:
            want = [p for p in want if p[0] > near]
        want = want[:k]
        assert len(hits) == len(want), "query %d: %d hits, not %d" % (query, len(hits), len(want))
        for place, ((item, got), (s, best)) in enumerate(zip(hits, want)):
            assert abs(got - s) <= near * max(1, abs(s)), "query %d, place %d: %g, not %g" % (query, place, got, s)
            assert item == best or (near and abs(score(query, item) - s) <= near), \
                "query %d, place %d: item %d, not %d" % (query, place, item, best)
            assert place == 0 or (-hits[place - 1][1], hits[place - 1][0]) < (-got, item), "order"


def board_score(edges, items):
    names = {n.split("\t")[0].rstrip("\n"): i for i, n in enumerate(open(items))}
    boards, members = defaultdict(lambda: defaultdict(float)), defaultdict(set)
    for line in open(edges):
        f = line.rstrip("\n").split("\t")
        boards[names[f[0]]][f[1]] += float(f[2]) if len(f) > 2 else 1
        members[f[1]].add(f[0])
    rows = {}
    for u in range(len(names)):
        r = {b: w * math.log(len(names) / len(members[b])) for b, w in boards[u].items()}
        norm = math.sqrt(sum(v * v for v in r.values()))
        rows[u] = {b: v / norm for b, v in r.items()} if norm else {}
    return len(names), lambda q, i: sum(v * rows[i].get(b, 0) for b, v in rows[q].items())


# ---- figures ----

def ranks(path, pairs, n, cosine):
    """Rank of each pair; the lists of those who ask."""
    kind = read(path)[0]
    if kind == "hits":
        lists, out = hit_lists(path), []
        for q, p in pairs:
            listed = [i for i, _ in lists[q] if i != q] if q in lists else []
            if q not in lists or p >= n:
                out.append(math.inf)
            else:
                out.append(1.0 + listed.index(p) if p in listed else (len(listed) + n) / 2)
        return out, {q: [i for i, _ in lists[q] if i != q] for q, _ in pairs if q in lists}
    table, score = vectors(path, cosine, items=range(n) if kind == "sparse" else ())
    out, lists = [], {}
    for q, p in pairs:
        if q not in table or p not in table:
            out.append(math.inf)
            continue
        s = [score(q, i) for i in table if i not in (q, p)]
        mine = score(q, p)
        out.append(1 + sum(v > mine for v in s) + sum(v == mine for v in s) / 2)
    for q in {q for q, _ in pairs if q in table}:
        found = sorted((-score(q, i), i) for i in table if i != q)
        lists[q] = [i for s, i in found if kind != "sparse" or s < 0]
    return out, lists


def figures(pairs, rank, lists, cutoffs, catalogue):
    by = defaultdict(list)
    for (q, _), r in zip(pairs, rank):
        by[q].append(r)
    n, out = max(1, len(pairs)), {"pairs": len(pairs), "queries": len(by)}
    out["mrr"] = sum(1 / r for r in rank) / n
    out["scaled-mrr"] = sum(1 / math.ceil(r / 100) for r in rank if r < math.inf) / n
    for name in ("hit-rate", "recall", "ndcg", "coverage"):
        out[name] = {}
    for k in cutoffs:
        out["hit-rate"][str(k)] = sum(r <= k for r in rank) / n
        recall = ndcg = 0
        for rs in by.values():
            recall += sum(r <= k for r in rs) / len(rs)
            ideal = sum(1 / math.log2(1 + i) for i in range(1, min(k, len(rs)) + 1))
            ndcg += sum(1 / math.log2(1 + r) for r in rs if r <= k) / ideal
        out["recall"][str(k)] = recall / max(1, len(by))
        out["ndcg"][str(k)] = ndcg / max(1, len(by))
        seen = {i for found in lists.values() for i in found[:k]}
        out["coverage"][str(k)] = len(seen & catalogue) / max(1, len(catalogue))
    return out


def evaluate(report, pairs_path, items, edges, cutoffs, cold, source, *rest):
    names = {n.split("\t")[0].rstrip("\n"): i for i, n in enumerate(open(items))}
    n, boards = len(names), defaultdict(set)
    for line in open(edges):
        f = line.rstrip("\n").split("\t")
        boards[names[f[0]]].add(f[1])
    pairs = []
    for line in open(pairs_path):
        q, p = line.rstrip("\n").split("\t")[:2]
        for name in (q, p):
            names.setdefault(name, len(names))
        if q != p:
            pairs.append((names[q], names[p]))
    cutoffs, cosine = [int(k) for k in cutoffs.split(",")], "cosine" in rest
    rank, lists = ranks(source, pairs, n, cosine)
    want = figures(pairs, rank, lists, cutoffs, set(range(n)))
    few = {i for i in range(len(names)) if len(boards[i]) <= int(cold)}
    chosen = [k for k, (_, p) in enumerate(pairs) if p in few]
    want["cold"] = figures([pairs[k] for k in chosen], [rank[k] for k in chosen], lists, cutoffs,
                           few & set(range(n)))
    want["cold"]["boards"] = int(cold)
    if "against" in rest:
        other = ranks(rest[rest.index("against") + 1], pairs, n, cosine)[0]
        wins, ties = sum(a < b for a, b in zip(rank, other)), sum(a == b for a, b in zip(rank, other))
        want["head-to-head"] = {"wins": wins, "ties": ties, "losses": len(pairs) - wins - ties,
                                "share": (wins + ties / 2) / len(pairs)}
    compare(json.load(open(report)), want, "")


def compare(got, want, where):
    if isinstance(want, dict):
        assert set(got) == set(want), "%s: %s, not %s" % (where, sorted(got), sorted(want))
        for key in want:
            compare(got[key], want[key], where + "." + key)
    else:
        assert abs(got - want) <= 2e-6 * max(1, abs(want)), "%s: %r, not %r" % (where, got, want)


# ---- distribution ----

def mix(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & M64
    z = (z ^ z >> 27) * 0x94D049BB133111EB & M64
    return z ^ z >> 31


def distribution(report, path, seed):
    got = json.load(open(report))["distribution"]
    rows = list(vectors(path, dense=True).values())
    keep = [x for x in rows if any(x)]
    key = mix(mix(seed + 0x9E3779B97F4A7C15 & M64) ^ 1)
    below = lambda step, n: mix(key + (step + 1) * 0x9E3779B97F4A7C15 & M64) * n >> 64
    cosines = []
    for i in range(got["pairs"]):
        a, b = below(2 * i, len(keep)), below(2 * i + 1, len(keep) - 1)
        x, y = keep[a], keep[b + (b >= a)]
        cosines.append(sum(p * q for p, q in zip(x, y)) / math.sqrt(sum(p * p for p in x) * sum(q * q for q in y)))
    n, cosines = len(cosines), sorted(cosines)
    mean = sum(cosines) / n
    second = sum((c - mean) ** 2 for c in cosines) / n
    assert got["zero-vectors"] == len(rows) - len(keep), "zero vectors"
    want = {"mean": mean, "sd": math.sqrt(second), "min": cosines[0], "max": cosines[-1],
            "kurtosis": sum((c - mean) ** 4 for c in cosines) / n / second ** 2 - 3}
    for key, value in want.items():
        assert abs(got[key] - value) < 1e-4, "%s: %g, not %g" % (key, got[key], value)
    for key, value in got["quantiles"].items():
        assert abs(value - cosines[int(float(key) * (n - 1))]) < 1e-5, "quantile " + key
    bins = [0] * 20
    for c in cosines:
        bins[min(19, int(math.floor((c + 1) * 10 + 1e-6)))] += 1
    assert sum(got["histogram"]) == n and all(abs(a - b) <= n // 50 for a, b in zip(got["histogram"], bins)), "bins"


# ---- command line ----

def make_vectors(path, n, d, seed, how=""):
    r = random.Random(seed)
    rows = []
    for u in range(n):
        x = [float(r.randint(-3, 3)) if r.random() < 0.4 else 0.0 for _ in range(d)]
        if how == "free":
            x = [r.gauss(0, 1) for _ in range(d)]
        if not (how == "gaps" and u % 7 == 3):
            rows.append([u] + x)
    write(path, "vectors", d, "I%df" % d, rows, 1, 1 if how == "bias" else 0)


def main(what, *a):
    if what == "vectors":
        make_vectors(a[0], int(a[1]), int(a[2]), int(a[3]), *a[4:])
    elif what == "sparse":
        rows = [(r[0], j, v) for r in read(a[1])[2] for j, v in enumerate(r[1:]) if v]
        write(a[0], "sparse", max(r[1] for r in rows) + 1, "IIf", rows)
    elif what == "ids":
        write(a[0], "ids", 0, "I", [(int(v),) for v in a[1:]])
    elif what == "pairs":
        v = a[1:]
        write(a[0], "pairs", 0, "IIf", [(int(v[i]), int(v[i + 1]), float(v[i + 2])) for i in range(0, len(v), 3)])
    elif what == "show":
        for r in read(a[0])[2]:
            print(*("-" if v == NONE else "%g" % v for v in r))
    elif what == "hits":
        table, score = vectors(a[1], "cosine" in a)
        check_hits(a[0], score, table, int(a[2]), 1e-5 if "cosine" in a else 0, "sparse" in a)
    elif what == "boards":
        n, score = board_score(a[1], a[2])
        check_hits(a[0], score, range(n), n, 1e-5, True)
    elif what == "eval":
        evaluate(*a)
    elif what == "distribution":
        distribution(a[0], a[1], int(a[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
