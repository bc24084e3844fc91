"""knn_peers.py data N OUT              vectors and queries as OUT-x.npy and OUT-q.npy: a mixture of 1000 clusters
knn_peers.py peers X.npy Q.npy [bias] [threads=T] [hits=K] [only=flat,ivf,pq,lsh,hnsw] [keep=FOLDER] [build]

FAISS's and hnswlib's rates.  bias: a query's last element is 1.  keep: built indexes, how long that took and the true
neighbours stay in that folder, and are taken from there the next time.  build: nothing is timed but building.
"""
import os
import sys
import time

import numpy as np

GOALS = [0.90, 0.95, 0.99]
PEERS = ["flat", "ivf", "pq", "lsh", "hnsw"]


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


class Bench:
    def __init__(self, x, q, options):
        self.x, self.q = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(q, np.float32)
        self.n, self.d = x.shape
        self.threads, self.k = int(options.get("threads", 1)), int(options.get("hits", 100))
        self.keep, self.build_only = options.get("keep"), "build" in options
        self.true = None

    def kept(self, name, make, write, read):
        """What make() gives, or a file that write() made of it once; and seconds of processor time that making took."""
        path = self.keep and os.path.join(self.keep, "%s-%dx%d" % (name, self.n, self.d))
        if path and os.path.exists(path + ".seconds"):
            return read(path), float(open(path + ".seconds").read())
        t = time.process_time()
        made = make()
        seconds = time.process_time() - t
        if path:
            write(made, path)
            with open(path + ".seconds", "w") as f:
                f.write("%.2f" % seconds)
        return made, seconds

    def sweep(self, name, built, values, set_value, search):
        for deep in (10, 100):
            goals = list(GOALS) if deep <= self.k else []
            for v in values:
                set_value(v)
                if not goals or recall(search(self.q), self.true, deep) < goals[0]:
                    continue
                r, found = rate(search, self.q)
                while goals and recall(found, self.true, deep) >= goals[0]:
                    deeper = ", r100 %.4f" % recall(found, self.true, 100) if self.k >= 100 else ""
                    print("%s, r%d of %.2f: %.0f queries/s (at %d: r10 %.4f%s); built in %.1f s of processor time" %
                          (name, deep, goals.pop(0), r, v, recall(found, self.true, 10), deeper, built), flush=True)
            for goal in goals:
                print("%s, r%d of %.2f: not reached" % (name, deep, goal))


def flat(b, faiss, timed):
    index = faiss.IndexFlatIP(b.d)
    index.add(b.x)
    if not timed:
        b.true, _ = b.kept("true%d" % b.k, lambda: index.search(b.q, b.k)[1],
                           lambda true, path: np.save(path + ".npy", true), lambda path: np.load(path + ".npy"))
        return
    r, b.true = rate(lambda v: index.search(v, b.k)[1], b.q)
    one = rate(lambda v: [index.search(v[i:i + 1], b.k) for i in range(len(v))], b.q[:50])[0]
    print("FAISS flat: %.0f queries/s, %.1f GFLOP/s; one at a time %.0f, %.1f GB/s" %
          (r, r * b.n * b.d * 2e-9, one, one * b.n * b.d * 4e-9), flush=True)


def ivf(b, faiss, kind):
    cells = 512 if b.n <= 30000 else 1024 if b.n <= 300000 else 4096
    # Codes want an even number of elements.
    odd = b.d % 2 if kind != "Flat" else 0
    x, q = (np.pad(v, ((0, 0), (0, odd))) for v in (b.x, b.q)) if odd else (b.x, b.q)
    name = "IVF%d,%s" % (cells, kind)

    def make():
        index = faiss.index_factory(b.d + odd, name, faiss.METRIC_INNER_PRODUCT)
        index.train(x[::max(1, b.n // (cells * 64))])
        index.add(x)
        return index

    inner, built = b.kept(name, make, faiss.write_index, faiss.read_index)
    index = inner
    if kind != "Flat":
        index = faiss.IndexRefineFlat(inner, faiss.swig_ptr(x))
    probes = faiss.extract_index_ivf(inner)
    for factor in [] if b.build_only else [1] if kind == "Flat" else [3, 10]:
        if kind != "Flat":
            index.k_factor = factor
        b.sweep("FAISS " + name + (", %d times as many refined" % factor if kind != "Flat" else ""), built,
                [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256, 512],
                lambda v: setattr(probes, "nprobe", v), lambda _: index.search(q, b.k)[1])


def lsh(b, faiss):
    t = time.process_time()
    index = faiss.IndexRefineFlat(faiss.IndexLSH(b.d, 256))
    index.add(b.x)
    built = time.process_time() - t
    if not b.build_only:
        b.sweep("FAISS LSH 256 bits, refined", built, [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20],
                lambda v: setattr(index, "k_factor", v), lambda v: index.search(v, b.k)[1])


def hnsw(b):
    try:
        import hnswlib
    except ImportError:
        print("hnswlib is not there: skipped")
        return
    if b.n > 300000 and not b.keep:
        print("hnswlib: skipped, for minutes of building")
        return

    def make():
        graph = hnswlib.Index("ip", b.d)
        graph.init_index(b.n, M=16, ef_construction=100, random_seed=1)
        graph.add_items(b.x, num_threads=b.threads)
        return graph

    def read(path):
        graph = hnswlib.Index("ip", b.d)
        graph.load_index(path)
        return graph

    graph, built = b.kept("hnsw", make, lambda g, path: g.save_index(path), read)
    efs = sorted({max(b.k, ef) for ef in (10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 400, 800, 1600)})
    if not b.build_only:
        b.sweep("hnswlib", built, efs, graph.set_ef, lambda v: graph.knn_query(v, b.k, num_threads=b.threads)[0])


def peers(b, only):
    try:
        import faiss
    except ImportError:
        print("FAISS is not there: skipped")
        return
    faiss.omp_set_num_threads(b.threads)
    flat(b, faiss, "flat" in only and not b.build_only)
    if "ivf" in only:
        ivf(b, faiss, "Flat")
    if "pq" in only:
        ivf(b, faiss, "PQ%dx4fs" % ((b.d + 1) // 2))
    if "lsh" in only:
        lsh(b, faiss)
    if "hnsw" in only:
        hnsw(b)


if __name__ == "__main__":
    if sys.argv[1] == "data":
        data(int(sys.argv[2]), sys.argv[3])
    else:
        given = dict(a.partition("=")[::2] for a in sys.argv[4:])
        queries = np.load(sys.argv[3])
        if "bias" in given:
            queries[:, -1] = 1
        peers(Bench(np.load(sys.argv[2]), queries, given), given.get("only", ",".join(PEERS)).split(","))
