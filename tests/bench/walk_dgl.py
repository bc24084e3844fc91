#!/usr/bin/env python3
"""DGL's random walks and its PinSAGE sampler on the edges of walk_edges, one thread; for tests/bench/walks.

  walk_dgl.py EDGES [ROUNDS]     prints lines of: what, TAB, the best rate of the rounds, TAB, their median
"""
import os
import statistics
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
try:
    import dgl
    import numpy as np
    import torch
except ImportError as e:
    print("walk_dgl: skipped: %s" % e, file=sys.stderr)
    sys.exit(0)
torch.set_num_threads(1)


def graph(path):
    """The records of a psrec stream of edges: item, board, weight, 4 bytes each; behind them the end mark of 32 bytes."""
    with open(path, "rb") as f:
        head = f.read(64)
    start = int.from_bytes(head[44:48], "little")
    rows = (os.path.getsize(path) - start - 32) // 12
    e = np.memmap(path, np.int32, "r", start, (rows, 3))
    item, board = (torch.from_numpy(e[:, k].astype(np.int64)) for k in (0, 1))
    g = dgl.heterograph({("item", "in", "board"): (item, board), ("board", "has", "item"): (board, item)})
    g = g.formats(["csr", "csc"])
    g.create_formats_()
    return g


def rates(work, run, rounds):
    run()
    took = []
    for _ in range(rounds):
        t = time.perf_counter()
        run()
        took.append(time.perf_counter() - t)
    return work / min(took), work / statistics.median(took)


def main(path, rounds=3):
    g = graph(path)
    rng = np.random.default_rng(7)
    hop = ["in", "has"]

    def seeds(n):
        return torch.from_numpy(rng.integers(0, g.num_nodes("item"), n))

    def say(what, best_median):
        print("%s\t%.6g\t%.6g" % (what, *best_median), flush=True)

    s = seeds(10000).repeat_interleave(10)
    say("DGL random_walk", rates(2 * 10 * len(s), lambda: dgl.sampling.random_walk(g, s, metapath=hop * 10), rounds))
    for steps, n in (1, 4000), (2, 1000):
        sampler = dgl.sampling.PinSAGESampler(g, "item", "board", steps, .5, 200, 50)
        q = seeds(n)
        say("DGL PinSAGESampler %d" % steps, rates(n, lambda: sampler(q), rounds))


main(sys.argv[1], *map(int, sys.argv[2:]))
