"""The peer of tests/bench/train_dgl: PinSage's training step in DGL, on the CPU, one thread.

usage: train_dgl.py EDGES ITEMS BOARDS FEATURES HIDDEN NEIGHBOURS BATCH STEPS

EDGES: psrec edges, item and board in 4 bytes each.  Two layers of importance pooling, output as wide as hidden, 200 walks of
one item-board-item step from each item; a step takes BATCH pairs that are such walks and as many random negatives, margin loss, Adam.
Prints the median milliseconds of a step after two, then what of them went to sampling, to gathering, and to forward, backward and optimiser.
"""
import statistics
import sys
import time

import dgl
import numpy as np
import torch
from dgl import function as fn
from torch.nn import functional as F

path = sys.argv[1]
items, boards, features, hidden, top, batch, steps = map(int, sys.argv[2:])
torch.set_num_threads(1)
torch.manual_seed(1)

head = np.fromfile(path, dtype="<u4", count=16)
size = int(head[4])  # psrec(5): bytes of a record, at byte 16
count = (len(np.memmap(path, mode="r")) - 64 - 32) // size
edges = np.memmap(path, mode="r", offset=64, dtype=np.dtype({"names": ["i", "b"], "formats": ["<u4", "<u4"], "offsets": [0, 4], "itemsize": size}), shape=(count,))
item, board = (torch.from_numpy(edges[k].astype(np.int64)) for k in "ib")
graph = dgl.heterograph({("item", "in", "board"): (item, board), ("board", "has", "item"): (board, item)},
                        num_nodes_dict={"item": items, "board": boards}).formats(["csr", "csc"])
graph.create_formats_()
del item, board, edges
x = torch.randn(items, features)


class Convolve(torch.nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.q = torch.nn.Linear(inputs, hidden)
        self.w = torch.nn.Linear(inputs + hidden, hidden)

    def forward(self, block, h, alpha):
        with block.local_scope():
            block.srcdata["p"], block.edata["alpha"] = F.relu(self.q(h)), alpha.float()
            block.update_all(fn.u_mul_e("p", "alpha", "m"), fn.sum("m", "n"))
            block.update_all(fn.copy_e("alpha", "m"), fn.sum("m", "total"))
            pooled = block.dstdata["n"] / block.dstdata["total"].clamp(min=1).unsqueeze(1)
            a = F.relu(self.w(torch.cat([h[:block.num_dst_nodes()], pooled], 1)))
            return F.normalize(a, dim=1)


layers = torch.nn.ModuleList([Convolve(features), Convolve(hidden)])
adam = torch.optim.Adam(layers.parameters(), 1e-4)
samplers = [dgl.sampling.PinSAGESampler(graph, "item", "board", 1, 0.5, 200, top) for _ in layers]


def step():
    start = time.perf_counter()
    query = torch.randint(0, items, (batch,))
    positive = dgl.sampling.random_walk(graph, query, metapath=["in", "has"])[0][:, 2]
    negative = torch.randint(0, items, (batch,))
    found = positive >= 0
    query, positive = query[found], positive[found]
    needed, place = torch.unique(torch.cat([query, positive, negative]), return_inverse=True)
    blocks, weights = [], []
    for sampler in samplers:
        frontier = sampler(needed)
        block = dgl.to_block(frontier, needed)
        weights.insert(0, frontier.edata["weights"][block.edata[dgl.EID]])
        blocks.insert(0, block)
        needed = block.srcdata[dgl.NID]
    sampled = time.perf_counter()
    h = x[needed]
    gathered = time.perf_counter()
    for layer, block, alpha in zip(layers, blocks, weights):
        h = layer(block, h, alpha)
    z, n = h[place], len(query)
    q, p, other = z[:n], z[n:2 * n], z[2 * n:2 * n + n]
    loss = F.relu((q * other).sum(1) - (q * p).sum(1) + 1).mean()
    adam.zero_grad()
    loss.backward()
    adam.step()
    end = time.perf_counter()
    return end - start, sampled - start, gathered - sampled, end - gathered


times = [step() for _ in range(steps + 2)][2:]
print(*("%.1f" % (1000 * statistics.median(column)) for column in zip(*times)))
