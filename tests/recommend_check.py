"""What the cases of psknn about indexes and recommendations share: brute force over plain lists, written anew from the
manual page.

  recommend_check.py recall EXACT FOUND K FLOOR     the share of EXACT's first K that FOUND has among its first K
  recommend_check.py sets HITS VECTORS K SETS [recent=N] [decay=F] [merge] [mmr=L] [allow=FILE] [deny=FILE]
                          [groups=FILE] [only=GROUP] [per-group=N] [seen=PAIRS]
                                                    hits of the sets (lines of names nNUMBER, after an empty field
                                                    what they have seen) against all scores
"""
import math
import sys
from collections import defaultdict

from knn_check import hit_lists, read, vectors


def recall(exact, found, k, floor):
    want, have = hit_lists(exact), hit_lists(found)
    assert set(want) == set(have), "queries differ"
    hits = total = 0
    for query in want:
        true = {i for i, _ in want[query][:k]}
        total += len(true)
        hits += len(true & {i for i, _ in have[query][:k]})
        exactly = dict(want[query])
        for (i, s), (j, t) in zip(have[query], have[query][1:]):
            assert (-s, i) < (-t, j), "query %d: order" % query
        for i, s in have[query]:
            assert exactly.get(i, s) == s, "query %d, item %d: %r, exactly %r" % (query, i, s, exactly[i])
    assert hits >= floor * total, "recall %.4f, not %g" % (hits / total, floor)


def number(name):
    return int(name.strip()[1:])


def cosine(a, b):
    n = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b)) / n if n else 0


def candidates(table, members, o):
    kept = set(table) - set(members)
    if "allow" in o:
        kept &= {number(n) for n in open(o["allow"])}
    if "deny" in o:
        kept -= {number(n) for n in open(o["deny"])}
    group = {}
    if "groups" in o:
        for line in open(o["groups"]):
            name, g = line.rstrip("\n").split("\t")
            group[number(name)] = g
    if "only" in o:
        kept = {i for i in kept if group.get(i) == o["only"]}
    return kept, group


def weights(members, o):
    decay, recent = float(o.get("decay", 1)), int(o.get("recent", 0))
    pairs = [(m, decay ** (len(members) - 1 - i)) for i, m in enumerate(members)]
    return pairs[-recent:] if recent else pairs


def scores(score, plain, bias, members, kept, o, k):
    asked = weights(members, o)
    total = sum(w for _, w in asked)
    if "merge" not in o or len(asked) == 1:
        return {i: sum(w * (score(m, i) - bias(i)) for m, w in asked) / total + bias(i) for i in kept}
    out = {}
    for m, w in asked:
        best = sorted(kept, key=lambda i: (-score(m, i), i))[:k]
        for i in best:
            if score(m, i) > 0:
                out[i] = out.get(i, 0) + w * score(m, i) / total
    return out


def choose(ranked, value, plain, group, k, o):
    """The rules of --mmr and --per-group, one hit after the other."""
    mmr, per_group = float(o.get("mmr", 1)), int(o.get("per-group", 0))
    chosen, counts = [], {}
    pool = ranked[:max(4 * k, 100)] if mmr < 1 else ranked
    while len(chosen) < k:
        best = None
        for i in pool:
            if i in (c for c, _ in chosen) or (per_group and i in group and counts.get(group[i], 0) >= per_group):
                continue
            v = value[i]
            if mmr < 1:
                like = max([0] + [cosine(plain[i], plain[c]) for c, _ in chosen])
                v = mmr * v - (1 - mmr) * like
            if best is None or v > best[1] + 1e-9:
                best = (i, v)
            if mmr >= 1:
                break
        if best is None:
            break
        chosen.append(best)
        if best[0] in group:
            counts[group[best[0]]] = counts.get(group[best[0]], 0) + 1
    return chosen


def sets(path, vector_path, k, set_path, *options):
    o = dict(x.split("=") if "=" in x else (x, "") for x in options)
    table, score = vectors(vector_path)
    plain = vectors(vector_path, dense=True)
    has_bias = len(next(iter(plain.values()))) < len(next(iter(table.values())))
    bias = lambda i: table[i][-1] if has_bias else 0
    got, k = hit_lists(path), int(k)
    lines, seen = [], defaultdict(set)
    for query, line in enumerate(open(set_path)):
        asked, _, known = line.rstrip("\n").partition("\t\t")
        lines.append([number(n) for n in asked.split("\t") if n])
        seen[query].update(number(n) for n in known.split("\t") if n)
    for query, item, _ in read(o["seen"])[2] if "seen" in o else []:
        seen[query].add(item)
    assert sorted(got) == list(range(len(lines))), "queries"
    for query, members in enumerate(lines):
        kept, group = candidates(table, seen[query].union(members), o)
        value = scores(score, plain, bias, members, kept, o, max(k, 100))
        ranked = sorted(value, key=lambda i: (-value[i], i))
        want = choose(ranked, value, plain, group, k, o)
        hits = got[query]
        assert len(hits) == len(want), "set %d: %d hits, not %d" % (query, len(hits), len(want))
        for place, ((i, s), (j, v)) in enumerate(zip(hits, want)):
            assert i in kept, "set %d: item %d must not be there" % (query, i)
            assert abs(s - v) < 1e-4, "set %d, place %d: %g, not %g" % (query, place, s, v)
            assert i == j or float(o.get("mmr", 1)) >= 1 and abs(value[i] - value[j]) < 1e-4, \
                "set %d, place %d: item %d, not %d" % (query, place, i, j)
        counts = {}
        for i, _ in hits:
            counts[group.get(i)] = counts.get(group.get(i), 0) + 1
        counts.pop(None, None)
        assert "per-group" not in o or max(counts.values(), default=0) <= int(o["per-group"]), "set %d: groups" % query


if __name__ == "__main__":
    if sys.argv[1] == "recall":
        recall(sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
    else:
        sets(*sys.argv[2:])
