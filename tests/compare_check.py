"""pseval with several files, against the definitions of its manual page: standard library only, ranks as knn_check has them.

  compare_check.py JSON TSV PAIRS ITEMS EDGES K,.. COLD SAMPLES SEED FILE...
"""
import json
import math
import sys
from collections import defaultdict

from knn_check import M64, compare, figures, mix, ranks

REPORT, TSV, PAIRS, ITEMS, EDGES = sys.argv[1:6]
CUTOFFS = [int(k) for k in sys.argv[6].split(",")]
COLD, SAMPLES, SEED, FILES = int(sys.argv[7]), int(sys.argv[8]), int(sys.argv[9]), sys.argv[10:]
got = json.load(open(REPORT))

names = {n.split("\t")[0].rstrip("\n"): i for i, n in enumerate(open(ITEMS))}
N = len(names)
boards = defaultdict(set)
for line in open(EDGES):
    f = line.rstrip("\n").split("\t")
    boards[names[f[0]]].add(f[1])
pairs = []
for line in open(PAIRS):
    q, p = (names.setdefault(name, len(names)) for name in line.rstrip("\n").split("\t")[:2])
    if q != p:
        pairs.append((q, p))
pairs.sort(key=lambda pair: pair[0])
degree = lambda i: len(boards[i]) if i < N else 0

judged = [ranks(f, pairs, N, False) for f in FILES]
below = lambda key, step, n: mix(key + (step + 1) * 0x9E3779B97F4A7C15 & M64) * n >> 64
number = lambda key, step: mix(key + (step + 1) * 0x9E3779B97F4A7C15 & M64)
rng_key = lambda stream: mix(mix(SEED + 0x9E3779B97F4A7C15 & M64) ^ (stream * 0xD1342543DE82EF95 + 1 & M64))
MEASURES = ["hit-rate", "scaled-mrr", "mrr", "recall", "ndcg"]


def flat(f):
    """The figures as {(measure, K): value}."""
    out = {}
    for m in MEASURES:
        for k, v in f[m].items() if isinstance(f[m], dict) else [("", f[m])]:
            out[m, k] = v
    return out


def by_query(chosen, rank):
    """Each query's own figures and number of pairs."""
    groups = defaultdict(list)
    for k in chosen:
        groups[pairs[k][0]].append(k)
    return [(flat(figures([pairs[k] for k in ks], [rank[k] for k in ks], {}, CUTOFFS, set())), len(ks))
            for _, ks in sorted(groups.items())]


def mean(rows, chosen):
    total = sum(rows[q][1] for q in chosen)
    return {m: sum(rows[q][0][m] * (rows[q][1] if m[0] in MEASURES[:3] else 1) for q in chosen)
            / (total if m[0] in MEASURES[:3] else len(chosen)) for m in rows[0][0]}


def percentiles(values):
    values = sorted(values)
    return values[math.floor(.025 * (len(values) - 1))], values[math.ceil(.975 * (len(values) - 1))]


def close(a, b, where):
    assert abs(a - b) <= 2e-6 * max(1, abs(b)), "%s: %r, not %r" % (where, a, b)


def check_part(name, chosen, part_of):
    rows = [by_query(chosen, rank) for rank, _ in judged]
    queries = len(rows[0])
    draws = [[below(rng_key(b), i, queries) for i in range(queries)] for b in range(SAMPLES)]
    samples = [[mean(r, d) for d in draws] for r in rows]
    for f, (r, s) in enumerate(zip(rows, samples)):
        g = part_of(got["files"][f])
        for m, value in mean(r, range(queries)).items():
            where = "%s %s %s" % (FILES[f], name, m)
            close(flat(g)[m], value, where)
            low, high = percentiles([x[m] for x in s])
            interval = g["intervals"][m[0]][m[1]] if m[1] else g["intervals"][m[0]]
            close(interval["low"], low, where + " low")
            close(interval["high"], high, where + " high")
    comparisons = iter(got["comparisons"])
    for i in range(len(FILES)):
        for j in range(i + 1, len(FILES)):
            c = next(comparisons)
            assert (c["against"], c["file"]) == (FILES[i], FILES[j])
            check_pair(part_of(c), chosen, rows[i], rows[j], samples[i], samples[j], judged[i][0], judged[j][0], name)


def check_pair(c, chosen, a, b, samples_a, samples_b, rank_a, rank_b, name):
    wins, ties = sum(rank_b[k] < rank_a[k] for k in chosen), sum(rank_b[k] == rank_a[k] for k in chosen)
    assert (c["wins"], c["ties"], c["losses"]) == (wins, ties, len(chosen) - wins - ties), name
    close(c["share"], (wins + ties / 2) / len(chosen), name)
    for m in a[0][0]:
        d = c["difference"][m[0]][m[1]] if m[1] else c["difference"][m[0]]
        low, high = percentiles([y[m] - x[m] for x, y in zip(samples_a, samples_b)])
        close(d["low"], low, (name, m))
        close(d["high"], high, (name, m))
        weight = [r[1] if m[0] in MEASURES[:3] else 1 for r in a]
        term = [(y[0][m] - x[0][m]) * w for x, y, w in zip(a, b, weight)]
        close(d["value"], sum(term) / sum(weight), (name, m))
        far = 1
        for t in range(SAMPLES):
            key = rng_key((1 << 32) + t)
            swapped = sum(-x if number(key, q // 64) >> q % 64 & 1 else x for q, x in enumerate(term))
            far += abs(swapped) >= abs(sum(term)) - 1e-9
        close(d["p"], far / (SAMPLES + 1), (name, m))


cold = [k for k, (_, p) in enumerate(pairs) if degree(p) <= COLD]
check_part("all", range(len(pairs)), lambda x: x)
check_part("cold", cold, lambda x: x["cold"])

# Lists: coverage, Gini, popularity.
close(got["catalogue-popularity"], sum(degree(i) for i in range(N)) / N, "catalogue")
close(got["positive-popularity"], sum(degree(p) for _, p in pairs) / len(pairs), "positives")
for f, (_, lists) in zip(got["files"], judged):
    for k in CUTOFFS:
        times = [0] * N
        for found in lists.values():
            for i in found[:k]:
                times[i] += 1
        close(f["coverage"][str(k)], sum(t > 0 for t in times) / N, "coverage")
        close(f["popularity"][str(k)], sum(t * degree(i) for i, t in enumerate(times)) / sum(times), "popularity")
        # The mean difference of any two, over twice the mean.
        apart = sum(abs(x - y) for x in times for y in times) / N ** 2
        close(f["gini"][str(k)], apart / (2 * sum(times) / N), "gini")

# Ranges: all pairs are in one of each kind, and each has what its pairs have.
for kind, of in (("by-popularity", 1), ("by-degree", 0)):
    for f, (rank, _) in zip(got["files"], judged):
        assert sum(r["pairs"] for r in f[kind]) == len(pairs) and len(f[kind]) > 3, kind
        for r in f[kind]:
            chosen = [k for k, pair in enumerate(pairs) if r["least"] <= degree(pair[of]) <= r["most"]]
            if chosen:
                want = figures([pairs[k] for k in chosen], [rank[k] for k in chosen], {}, CUTOFFS, set())
                del want["coverage"]
                compare({m: r[m] for m in want}, want, kind)

# The TSV says the same.
lines = [line.rstrip("\n").split("\t") for line in open(TSV)]
assert lines[0] == ["file", "against", "part", "measure", "k", "value", "low", "high", "p"]
seen = {}
for f in lines[1:]:
    assert len(f) == 9 and tuple(f[:5]) not in seen, f
    seen[tuple(f[:5])] = f[5:]


def at(x, m):
    return x[m[0]][m[1]] if m[1] else x[m[0]]


for f in got["files"]:
    for part in ("all", "cold"):
        p = f if part == "all" else f["cold"]
        for m in flat(p):
            i = at(p["intervals"], m)
            assert seen[f["file"], "", part, m[0], m[1]] == ["%.6g" % v for v in (at(p, m), i["low"], i["high"])] + [""]
    for kind, word in (("by-popularity", "popularity"), ("by-degree", "degree")):
        for r in f[kind]:
            part = "%s %s" % (word, r["least"] if r["least"] == r["most"] else "%d-%d" % (r["least"], r["most"]))
            assert float(seen[f["file"], "", part, "pairs", ""][0]) == r["pairs"]
for c in got["comparisons"]:
    for m in flat(got["files"][0]):
        d = at(c["difference"], m)
        assert seen[c["file"], c["against"], "all", m[0], m[1]] == ["%.6g" % d[k] for k in ("value", "low", "high", "p")]
    assert float(seen[c["file"], c["against"], "all", "wins", ""][0]) == c["wins"]
