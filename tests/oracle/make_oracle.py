#!/usr/bin/env python3
"""Writes oracle_<case>.bin: what PyTorch, in float64 and with its own differentiation, says of the
model that psgraph trains.  See README.md beside this file; the tests do not need PyTorch.

    make_oracle.py [FOLDER]
"""
import struct
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

IMPORTANCE, MEAN, MAX = 0, 1, 2
MARGIN, XENT, SOFTMAX = 0, 1, 2
ADAMW, SGD = 0, 1
STEPS = 10

# A case's numbers: everything is a dyadic fraction or is rounded to float32, so that a program in
# float and one in double start from the same values.
DEFAULTS = dict(n=30, dx=7, m=6, d=5, T=4, B=5, N=8, H=0, K=2, pool=IMPORTANCE, loss=MARGIN, bypass=0, bias=0,
                normalize=1, tau=0.125, margin=0.125, lr=2.0**-7, wd=0.0, optimizer=ADAMW)
CASES = {
    "paper": dict(H=2, loss=MARGIN),
    "features": dict(K=0, loss=SOFTMAX, bypass=1, bias=1, H=2, wd=0.125),
    "features_sgd": dict(K=0, loss=MARGIN, optimizer=SGD, lr=2.0**-5, normalize=0),
    "one_softmax": dict(K=1, loss=SOFTMAX, H=2, bypass=1, bias=1, wd=0.125, tau=0.25),
    "one_mean": dict(K=1, pool=MEAN, loss=XENT, H=2, bias=1, tau=0.25),
    "one_max": dict(K=1, pool=MAX, loss=MARGIN, H=0, bypass=1, optimizer=SGD, lr=2.0**-4, margin=0.25),
    "two_full": dict(K=2, loss=SOFTMAX, H=2, bypass=1, bias=1, wd=0.25),
    "two_raw": dict(K=2, loss=XENT, H=0, normalize=0, bypass=1, wd=0.125, optimizer=SGD, lr=2.0**-6),
    "two_mean": dict(K=2, pool=MEAN, loss=SOFTMAX, H=0, optimizer=SGD, lr=2.0**-5, tau=0.25),
    "two_max": dict(K=2, pool=MAX, loss=SOFTMAX, H=2, bias=1, wd=0.125, tau=0.25),
    "two_odd": dict(K=2, pool=MAX, loss=XENT, H=2, n=37, dx=19, m=17, d=3, T=5, B=7, N=11, bypass=1, bias=1),
    "three_importance": dict(K=3, loss=XENT, H=2, bias=1, optimizer=SGD, lr=2.0**-5, tau=0.5, wd=0.125),
    "three_mean": dict(K=3, pool=MEAN, loss=MARGIN, H=2, bypass=1, bias=1, normalize=0, margin=0.5, tau=0.5),
    "three_max": dict(K=3, pool=MAX, loss=SOFTMAX, H=2, bypass=1, normalize=0, tau=1.0),
}


class Unsuitable(Exception):
    """This draw stands on a kink, or float32 cannot follow it: take the next seed."""


def single(a):
    return np.asarray(a, np.float32).astype(np.float64)


# ---- the inputs ----

def draw_items(c, rng):
    x = single(rng.normal(size=(c["n"], c["dx"])))
    items = np.full((c["n"], c["T"]), -1, np.int32)
    weights = np.zeros((c["n"], c["T"]))
    for u in range(c["n"]):
        count = 0 if u % 9 == 4 else int(rng.integers(1, c["T"] + 1))
        others = np.delete(np.arange(c["n"]), u)
        items[u, :count] = rng.choice(others, count, replace=False)
        w = -np.sort(-rng.uniform(0.2, 1, count))
        weights[u, :count] = single(w / w.sum()) if count else w
    return x, items, weights


def draw_batch(c, rng, number):
    """Random, but with every exception there is: a query twice, a positive twice, an item on both
    sides, negatives that are the query, the positive or known, and a negative twice."""
    B, N, H, n = c["B"], c["N"], c["H"], c["n"]
    chosen = rng.permutation(n)
    query, positive = chosen[:B].copy(), chosen[B:2 * B].copy()
    query[1], positive[3], query[4] = query[0], positive[2], positive[0]
    negatives = rng.integers(0, n, N)
    negatives[0], negatives[1], negatives[3] = query[0], positive[1], negatives[2]
    hard = rng.integers(0, n, (B, H))
    known = [(query[2], negatives[5]), (query[3], negatives[2]), (query[0], chosen[-1])]
    if H:
        hard[0, 0], hard[1, 0], hard[2, 1], hard[3, 1] = chosen[-1], positive[1], query[2], negatives[4]
    if number % 2 == 0:
        known += list(zip(query, positive))
    else:
        known.append((query[4], positive[2]))
    known = sorted(set((int(q), int(i)) for q, i in known))
    counts = rng.integers(1, 9, n).astype(np.float64)
    return dict(query=query, positive=positive, weight=single(rng.uniform(0.25, 2, B)), negatives=negatives,
                hard=hard), known, single(counts / counts.sum())


def draw_parameters(c, rng):
    p = {}

    def matrix(name, rows, columns):
        p[name] = single(rng.normal(size=(rows, columns)) * np.sqrt(2.0 / columns))

    def vector(name, rows, scale=0.2):
        p[name] = single(rng.normal(size=rows) * scale)

    width = c["dx"]
    for k in range(1, c["K"] + 1):
        matrix(f"Q{k}", c["m"], width)
        vector(f"q{k}", c["m"])
        matrix(f"W{k}", c["m"], width + c["m"])
        vector(f"w{k}", c["m"])
        width = c["m"]
    matrix("G1", c["m"], width)
    vector("g", c["m"])
    matrix("G2", c["d"], c["m"])
    if c["bypass"]:
        matrix("G3", c["d"], c["dx"])
    if c["bias"]:
        vector("b", c["m"], 0.5)
    return p


# ---- the model: the whole graph at once, no minibatches, no renumbering ----

def softplus(v):
    """torch's own takes softplus(v) = v above 20."""
    return -F.logsigmoid(-v)


class Model:
    """`nearest` collects how near each value came to a kink, where there is one."""

    def __init__(self, c, x, items, weights, batch, known, freq, dtype):
        self.c, self.nearest, self.active = c, [], []
        self.x = torch.tensor(x, dtype=dtype)
        self.items = torch.tensor(items, dtype=torch.long)
        self.valid = self.items >= 0
        self.weights = torch.tensor(weights, dtype=dtype)
        self.batch = {k: torch.tensor(v, dtype=dtype if k == "weight" else torch.long) for k, v in batch.items()}
        self.known = set(known)
        self.freq = torch.tensor(freq, dtype=dtype)

    def relu(self, v):
        self.nearest.append(v.detach().abs().min().item())
        return torch.relu(v)

    def pool(self, p):
        rows = p[self.items.clamp(min=0)]
        valid = self.valid.unsqueeze(2)
        if self.c["pool"] == IMPORTANCE:
            return (rows * self.weights.unsqueeze(2)).sum(1)
        if self.c["pool"] == MEAN:
            return torch.where(valid, rows, 0.0).sum(1) / self.valid.sum(1, keepdim=True).clamp(min=1)
        rows = torch.where(valid, rows, -1.0)
        top = rows.detach().topk(2, dim=1).values
        gap = (top[:, 0] - top[:, 1])[top[:, 0] > 0]
        self.nearest.append(gap.min().item())
        return rows.max(1).values.clamp(min=0)

    @staticmethod
    def unit(v):
        return v / torch.linalg.vector_norm(v, dim=1, keepdim=True).clamp(min=1e-12)

    def embed(self, p):
        h = self.x
        layers = []
        for k in range(1, self.c["K"] + 1):
            n = self.pool(self.relu(h @ p[f"Q{k}"].T + p[f"q{k}"]))
            h = self.unit(self.relu(torch.cat([h, n], 1) @ p[f"W{k}"].T + p[f"w{k}"]))
            layers.append(h)
        r = self.relu(h @ p["G1"].T + p["g"])
        y = r @ p["G2"].T
        if self.c["bypass"]:
            y = y + self.x @ p["G3"].T
        beta = r @ p["b"] if self.c["bias"] else torch.zeros(len(y), dtype=y.dtype)
        return layers, self.unit(y) if self.c["normalize"] else y, beta

    def masked(self, j, column):
        q, own = int(self.batch["query"][j]), int(self.batch["positive"][j])
        return column in (q, own) or (q, column) in self.known

    def loss(self, z, beta):
        kind, tau, b = self.c["loss"], self.c["tau"], self.batch
        total = 0.0
        for j in range(self.c["B"]):
            q = int(b["query"][j])

            def score(i):
                s = (z[q] * z[i]).sum()
                return s / tau + beta[i] if kind == SOFTMAX else s + tau * beta[i]

            shared = [int(i) for i in b["negatives"] if not self.masked(j, int(i))]
            hard = [int(i) for i in b["hard"][j] if not self.masked(j, int(i))]
            own = score(int(b["positive"][j]))
            if kind == SOFTMAX:
                columns = [own]
                for o in range(self.c["B"]):
                    i = int(b["positive"][o])
                    if o != j and not self.masked(j, i):
                        columns.append(score(i) - torch.log(self.c["B"] * self.freq[i]))
                columns += [score(i) + np.log(self.c["n"] / self.c["N"]) for i in shared]
                columns += [score(i) for i in hard]
                term = torch.logsumexp(torch.stack(columns), 0) - own
            elif kind == XENT:
                term = softplus(-own) + sum(softplus(score(i)) for i in shared + hard) / self.c["N"]
            else:
                hinge = torch.stack([score(i) - own + self.c["margin"] for i in shared + hard])
                self.active.append((hinge > 0).double().mean().item())
                term = self.relu(hinge).sum() / self.c["N"]
            total = total + b["weight"][j] * term
        return total / b["weight"].sum()

    def gradients(self, p):
        leaves = {k: v.clone().requires_grad_(True) for k, v in p.items()}
        self.nearest = []
        layers, z, beta = self.embed(leaves)
        loss = self.loss(z, beta)
        loss.backward()
        return layers, z, beta, loss.item(), {k: v.grad for k, v in leaves.items()}


def train(c, model, p):
    """Ten steps; the update rules spelt out rather than torch.optim's."""
    p = {k: v.clone() for k, v in p.items()}
    first = {k: torch.zeros_like(v) for k, v in p.items()}
    second = {k: torch.zeros_like(v) for k, v in p.items()}
    losses, nearest = [], 1.0
    for t in range(1, STEPS + 1):
        *_, loss, grad = model.gradients(p)
        losses.append(loss)
        nearest = min([nearest] + model.nearest)
        for k, g in grad.items():
            if c["optimizer"] == SGD:
                first[k] = 0.9 * first[k] + g
                p[k] = p[k] - c["lr"] * first[k]
                continue
            if g.dim() == 2:
                p[k] = p[k] * (1 - c["lr"] * c["wd"])
            first[k] = 0.9 * first[k] + 0.1 * g
            second[k] = 0.999 * second[k] + 0.001 * g * g
            root = second[k].sqrt() / np.sqrt(1 - 0.999**t) + 1e-8
            p[k] = p[k] - c["lr"] / (1 - 0.9**t) * first[k] / root
    return losses, p, nearest


# ---- one case ----

def make(c, number, seed):
    rng = np.random.default_rng([number, seed])
    x, items, weights = draw_items(c, rng)
    batch, known, freq = draw_batch(c, rng, number)
    params = draw_parameters(c, rng)
    inputs = (c, x, items, weights, batch, known, freq)

    model = Model(*inputs, torch.float64)
    p = {k: torch.tensor(v) for k, v in params.items()}
    layers, z, beta, loss, grad = model.gradients(p)
    nearest = min(model.nearest)
    if nearest < 2e-4:
        raise Unsuitable(f"a kink at {nearest:.1e}")
    for k, g in grad.items():
        if (g != 0).double().mean() < 0.5:
            raise Unsuitable(f"most of the gradient of {k} is zero")
    if model.active and not 0.2 < np.mean(model.active) < 0.9:
        raise Unsuitable("hinges all alike")
    losses, final, near_later = train(c, model, p)
    if near_later < 1e-5:
        raise Unsuitable(f"a kink at {near_later:.1e} while training")
    if losses[-1] > 0.97 * losses[0]:
        raise Unsuitable("the loss hardly falls")

    # What float32 makes of it, to know that the test's float bounds are fair.
    losses32, final32, _ = train(c, Model(*inputs, torch.float32), {k: v.float() for k, v in p.items()})
    apart = max(np.abs(np.array(losses32) - losses).max(),
                max((final32[k].double() - final[k]).abs().max().item() for k in final))
    if apart > 1e-5:
        raise Unsuitable(f"float32 ends {apart:.1e} away")

    e = {"cfg." + k: v for k, v in c.items()}
    e.update({"x": x, "nbr_items": items, "nbr_weights": weights})
    e.update({"batch." + k: v for k, v in batch.items()})
    e["known.query"], e["known.item"] = np.array(known, np.int32).T
    e["freq"] = freq
    e.update(params)
    e.update({f"out.h{k + 1}": h for k, h in enumerate(layers)})
    e.update({"out.z": z, "out.beta": beta, "out.loss": loss, "train.loss": np.array(losses)})
    e.update({"grad." + k: g for k, g in grad.items()})
    e.update({"final." + k: v for k, v in final.items()})
    return e, f"loss {losses[0]:.4f} -> {losses[-1]:.4f}, nearest kink {nearest:.0e}, float32 {apart:.0e} away"


def write(path, entries):
    with open(path, "wb") as f:
        f.write(b"PSORACLE")
        for name, value in entries.items():
            a = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
            code, kind = (1, "<i4") if a.dtype.kind == "i" else (3, "<f8")
            f.write(struct.pack("<I", len(name)) + name.encode() + struct.pack("<BB", code, a.ndim))
            f.write(struct.pack(f"<{a.ndim}I", *a.shape) + np.ascontiguousarray(a).astype(kind).tobytes())


def main():
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent)
    torch.set_num_threads(1)
    print("torch", torch.__version__, "numpy", np.__version__)
    for number, (name, changes) in enumerate(CASES.items()):
        for seed in range(1000):
            try:
                entries, summary = make({**DEFAULTS, **changes}, number, seed)
            except Unsuitable as why:
                last = why
                continue
            write(folder / f"oracle_{name}.bin", entries)
            print(f"{name}: seed {seed}: {summary}", flush=True)
            break
        else:
            sys.exit(f"{name}: no suitable draw; the last: {last}")


main()
