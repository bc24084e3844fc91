#!/usr/bin/env python3
"""A training step of the paper's model in PyTorch on a GPU, at the sizes of tests/cuda/bench.c and with batches already on the
device: two convolutions, importance pooling, margin loss, Adam.  Prints milliseconds and pairs a second for each kind of
product.  Status 77 where torch or a GPU is missing."""
import sys
import time

try:
    import torch
except ImportError:
    print("PyTorch is not installed")
    sys.exit(77)
if not torch.cuda.is_available():
    print("PyTorch finds no GPU")
    sys.exit(77)

ITEMS, DX, M, D, T, B, N = 200000, 4352, 2048, 1024, 50, 2048, 500
cuda = torch.device("cuda")


def matrix(rows, cols):
    bound = (6 / (rows + cols)) ** 0.5
    return torch.nn.Parameter((2 * torch.rand(rows, cols, device=cuda) - 1) * bound)


def batch():
    """Unique items of each layer, the first of them those of the layer above, and their neighbours."""
    generator = torch.Generator().manual_seed(1)
    top = torch.unique(torch.randint(ITEMS, (2 * B + N,), generator=generator))
    layers, neighbours = [top], []
    for _ in range(2):
        near = torch.randint(ITEMS, (len(layers[-1]), T), generator=generator)
        new = torch.unique(near)
        new = new[~torch.isin(new, layers[-1])]
        items = torch.cat([layers[-1], new])
        place = torch.empty(ITEMS, dtype=torch.long)
        place[items] = torch.arange(len(items))
        layers.append(items)
        neighbours.append(place[near].to(cuda))
    rows = torch.randint(len(top), (2 * B + N,), generator=generator).to(cuda)
    return layers, neighbours, rows


def main():
    layers, neighbours, rows = batch()
    x = torch.rand(len(layers[2]), DX, device=cuda) - 0.5
    Q, W = [matrix(M, DX), matrix(M, M)], [matrix(M, DX + M), matrix(M, 2 * M)]
    G1, G2 = matrix(M, M), matrix(D, M)
    bias = [torch.nn.Parameter(torch.zeros(M, device=cuda)) for _ in range(5)]
    optimizer = torch.optim.Adam([*Q, *W, G1, G2, *bias], lr=1e-6, fused=True)

    def step():
        h = x
        for k in range(2):
            near, n = neighbours[1 - k], len(layers[1 - k])
            p = torch.relu(torch.nn.functional.linear(h, Q[k], bias[2 * k]))
            flat = torch.nn.functional.embedding_bag(near, p, mode="mean")
            h = torch.relu(torch.nn.functional.linear(torch.cat([h[:n], flat], 1), W[k], bias[2 * k + 1]))
            h = torch.nn.functional.normalize(h)
        z = torch.nn.functional.linear(torch.relu(torch.nn.functional.linear(h, G1, bias[4])), G2)
        q, i, n = z[rows[:B]], z[rows[B:2 * B]], z[rows[2 * B:]]
        loss = torch.relu(q @ n.T - (q * i).sum(1, keepdim=True) + 0.1).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    print(f"PyTorch {torch.__version__}, {torch.cuda.get_device_name()}: items in the layers "
          f"{len(layers[2])}, {len(layers[1])}, {len(layers[0])}")
    for name, tf32, cast in (("f32", False, False), ("tf32", True, False), ("bf16", True, True)):
        torch.backends.cuda.matmul.allow_tf32 = tf32
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=cast):
            step()
            torch.cuda.synchronize()
            begin = time.monotonic()
            for _ in range(5):
                step()
            torch.cuda.synchronize()
        seconds = (time.monotonic() - begin) / 5
        print(f"{name:6} {1e3 * seconds:9.1f} ms {B / seconds:10.0f} pairs/s")


main()
