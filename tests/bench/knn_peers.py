"""knn_peers.py data N OUT           vectors and queries as OUT-x.npy and OUT-q.npy: a mixture of 1000 clusters
knn_peers.py peers X.npy Q.npy [bias]  FAISS's and hnswlib's rates, one thread; bias: a query's last element is 1
"""
import sys
import time

import numpy as np

K, GOALS = 100, [0.90, 0.95, 0.99]


def data(n, out, d=128):
    r = np.random.default_rng(11)
    centres = r.standard_normal((1000, d)).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    share = r.lognormal(0, 1, 1000)
    for m, name in ((n, "x"), (1000, "q")):
        x = centres[r.choice(1000, m, p=share / share.sum())]
        x = x + r.standard_normal((m, d)).astype(np.float32) * np.float32(0.6 / np.sqrt(d))
        x += r.standard_normal((m, d)).astype(np.float32) * np.float32(0.05)
        np.save("%s-%s.npy" % (out, name), x / np.linalg.norm(x, axis=1, keepdims=True))


def rate(search, q, runs=3):
    best = np.inf
    for _ in range(runs):
        t = time.perf_counter()
        found = search(q)
        best = min(best, time.perf_counter() - t)
    return len(q) / best, found


def recall(found, true, k):
    return np.mean([len(np.intersect1d(f, t[:k])) for f, t in zip(found, true)]) / k


def sweep(name, built, values, set_value, search, q, true):
    for deep in (10, 100):
        goals = list(GOALS)
        for v in values:
            set_value(v)
            if not goals or recall(search(q), true, deep) < goals[0]:
                continue
            r, found = rate(search, q)
            while goals and recall(found, true, deep) >= goals[0]:
                print("%s, r%d of %.2f: %.0f queries/s (at %d: r10 %.4f, r100 %.4f); built in %.1f s" %
                      (name, deep, goals.pop(0), r, v, recall(found, true, 10), recall(found, true, 100), built), flush=True)


def peers(x, q):
    x, q = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(q, np.float32)
    n, d = x.shape
    try:
        import faiss
    except ImportError:
        print("FAISS is not there: skipped")
        return
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(d)
    flat.add(x)
    r, true = rate(lambda v: flat.search(v, K)[1], q)
    one = rate(lambda v: [flat.search(v[i:i + 1], K) for i in range(len(v))], q[:50])[0]
    print("FAISS flat: %.0f queries/s, %.1f GFLOP/s; one at a time %.0f, %.1f GB/s" %
          (r, r * n * d * 2e-9, one, one * n * d * 4e-9), flush=True)
    cells = 1024 if n <= 300000 else 4096
    for kind in ("Flat", "PQ%dx4fs" % (d // 2)):
        if kind != "Flat" and d % 2:
            continue
        t = time.perf_counter()
        inner = faiss.index_factory(d, "IVF%d,%s" % (cells, kind), faiss.METRIC_INNER_PRODUCT)
        index = inner if kind == "Flat" else faiss.IndexRefineFlat(inner)
        index.train(x[::max(1, n // (cells * 64))])
        index.add(x)
        built, ivf = time.perf_counter() - t, faiss.extract_index_ivf(inner)
        for factor in [1] if kind == "Flat" else [3]:
            if kind != "Flat":
                index.k_factor = factor
            sweep("FAISS IVF%d,%s" % (cells, kind), built, [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256],
                  lambda v: setattr(ivf, "nprobe", v), lambda v: index.search(v, K)[1], q, true)
    t = time.perf_counter()
    lsh = faiss.IndexRefineFlat(faiss.IndexLSH(d, 256))
    lsh.add(x)
    sweep("FAISS LSH 256 bits, refined", time.perf_counter() - t, [1, 2, 3, 4, 6, 8, 10, 15, 20],
          lambda v: setattr(lsh, "k_factor", v), lambda v: lsh.search(v, K)[1], q, true)
    try:
        import hnswlib
    except ImportError:
        print("hnswlib is not there: skipped")
        return
    if n > 300000:
        print("hnswlib: skipped, for minutes of building")
        return
    t = time.perf_counter()
    graph = hnswlib.Index("ip", d)
    graph.init_index(n, M=16, ef_construction=100, random_seed=1)
    graph.set_num_threads(1)
    graph.add_items(x, num_threads=1)
    sweep("hnswlib", time.perf_counter() - t, [100, 150, 200, 400, 800], graph.set_ef,
          lambda v: graph.knn_query(v, K, num_threads=1)[0], q, true)


if __name__ == "__main__":
    if sys.argv[1] == "data":
        data(int(sys.argv[2]), sys.argv[3])
    else:
        queries = np.load(sys.argv[3])
        if "bias" in sys.argv:
            queries[:, -1] = 1
        peers(np.load(sys.argv[2]), queries)
