#!/usr/bin/env python3
"""Reads psrec(5) streams and psgraph(5) graphs by their man pages alone and prints the text of psview.

usage: psread.py [-g GRAPH] [--wide] [--info OUT] [FILE ...]

Records as text; of a graph its edges.  --info: what the headers say goes to the file OUT, a line each.

Standard library only.  All that the man pages demand of a reader is checked; status 1 and one line on
standard error if something is not so.
"""
import gzip
import math
import struct
import sys
import zlib

NONE64 = (1 << 64) - 1
MASK = NONE64
EDGES, IDS, WALKS, VISITS, NEIGHBOURS, PAIRS, VECTORS, SPARSE, HITS = range(1, 10)
KINDS = [None, "edges", "ids", "walks", "visits", "neighbours", "pairs", "vectors", "sparse", "hits"]
SPACES = ["plain", "items", "boards"]
ELEMENTS = {0: ("none", 0), 1: ("f32", 4), 2: ("f16", 2), 3: ("bf16", 2), 4: ("i8", 1)}


class Damaged(Exception):
    pass


def need(condition, why):
    if not condition:
        raise Damaged(why)


def load(path):
    data = sys.stdin.buffer.read() if path == "-" else open(path, "rb").read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def crc_without(data, at):
    return zlib.crc32(data[:at] + b"\0\0\0\0" + data[at + 4:])


# ---- graphs ----

def mix(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def name_hash(name):
    h = 0xCBF29CE484222325
    for byte in name:
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return mix(h)


class Side:
    """One direction: offsets, adjacency, weights, alias tables, names."""

    def __init__(self, sections, base, nodes, edges, what):
        def numbers(number, code, count):
            elem, data = sections[base + number]
            need(elem == struct.calcsize("<" + code), what + ": element size")
            need(count is None or len(data) == elem * count, what + ": section length")
            return struct.unpack("<%d%s" % (len(data) // elem, code), data)

        self.nodes = nodes
        self.off = numbers(0, "Q", nodes + 1)
        self.adj = numbers(1, "I", edges)
        need(self.off[0] == 0 and self.off[-1] == edges, what + ": offsets do not span the edges")
        need(all(a <= b for a, b in zip(self.off, self.off[1:])), what + ": offsets not in order")
        weighted = [base + i in sections for i in (2, 3, 4)]
        need(len(set(weighted)) == 1, what + ": weights not complete")
        self.weight = numbers(2, "f", edges) if weighted[0] else None
        self.alias = numbers(3, "I", edges) if weighted[0] else None
        self.accept = numbers(4, "I", edges) if weighted[0] else None
        named = [base + i in sections for i in (5, 6, 7)]
        need(len(set(named)) == 1, what + ": names not complete")
        self.names = None
        if named[0]:
            off = numbers(5, "Q", nodes + 1)
            text = sections[base + 6][1]
            need(off[0] == 0 and off[-1] <= len(text), what + ": name offsets")
            self.names = [text[a:b] for a, b in zip(off, off[1:])]
            self.slots = numbers(7, "I", None)
            self.check_names(what)

    def check_names(self, what):
        n = len(self.slots)
        need(n & (n - 1) == 0 and n > self.nodes, what + ": lookup slots")
        for number, name in enumerate(self.names):
            need(self.find(name) == number, "%s: name %d is not found" % (what, number))

    def find(self, name):
        at = name_hash(name) % len(self.slots)
        while self.slots[at]:
            number = self.slots[at] - 1
            if self.names[number] == name:
                return number
            at = (at + 1) % len(self.slots)
        return None

    def name(self, number):
        need(number < self.nodes, "node %d is out of range" % number)
        return self.names[number] if self.names else b"%d" % number

    def check_lists(self, others, what):
        for u in range(self.nodes):
            a, b = self.off[u], self.off[u + 1]
            edges = self.adj[a:b]
            need(all(x <= y for x, y in zip(edges, edges[1:])), what + ": adjacency not sorted")
            need(not edges or edges[-1] < others, what + ": adjacency out of range")
            if self.weight:
                self.check_alias(u, a, b, what)

    def check_alias(self, u, a, b, what):
        """The table's shares must be those of the weights."""
        n, total, share = b - a, sum(self.weight[a:b]), {}
        for i in range(a, b):
            p = (self.accept[i] + 1) / 2**32
            share[self.adj[i]] = share.get(self.adj[i], 0) + p / n
            share[self.alias[i]] = share.get(self.alias[i], 0) + (1 - p) / n
        wanted = {}
        for i in range(a, b):
            wanted[self.adj[i]] = wanted.get(self.adj[i], 0) + self.weight[i] / total
        for v, p in share.items():
            need(abs(p - wanted.get(v, 0)) < 1e-6, "%s %d: alias table does not give its weights" % (what, u))


class Graph:
    def __init__(self, data):
        need(len(data) >= 64 and data[:8] == b"\x89PSG\r\n\x1a\n", "not a psgraph file")
        version, count, length, items, boards, edges, fingerprint = struct.unpack_from("<HHIQQQQ", data, 8)
        need(version == 1, "psgraph version %d" % version)
        need(length == 64 + 32 * count and length <= len(data), "header length")
        need(crc_without(data[:length], 60) == struct.unpack_from("<I", data, 60)[0], "header CRC")
        sections, h = {}, mix((items + 1) & MASK)
        h = mix(h ^ boards)
        h = mix(h ^ edges)
        for i in range(count):
            number, elem, at, size, crc, zero = struct.unpack_from("<IIQQII", data, 64 + 32 * i)
            need(at % 4096 == 0 and at + size <= len(data) and zero == 0, "section %d: place" % number)
            body = data[at:at + size]
            need(zlib.crc32(body) == crc, "section %d: CRC" % number)
            sections[number] = (elem, body)
            if number != 1:
                for value in (number, size, crc):
                    h = mix(h ^ value)
        need((h or 1) == fingerprint, "fingerprint")
        self.fingerprint, self.edges, self.history = fingerprint, edges, sections[1][1]
        self.items = Side(sections, 2, items, edges, "item")
        self.boards = Side(sections, 10, boards, edges, "board")
        self.items.check_lists(boards, "item")
        self.boards.check_lists(items, "board")
        self.check_both_ways()

    def check_both_ways(self):
        def listed(side, turn):
            weight = side.weight or [1.0] * self.edges
            return sorted(((u, side.adj[i]) if not turn else (side.adj[i], u)) + (weight[i],)
                          for u in range(side.nodes) for i in range(side.off[u], side.off[u + 1]))
        need(listed(self.items, False) == listed(self.boards, True), "the two directions hold different edges")

    def name(self, space, number):
        return b"%d" % number if space == 0 else (self.boards if space == 2 else self.items).name(number)

    def print_edges(self, out):
        for u in range(self.items.nodes):
            for i in range(self.items.off[u], self.items.off[u + 1]):
                fields = [self.items.name(u), self.boards.name(self.items.adj[i])]
                if self.items.weight:
                    fields.append(real(self.items.weight[i]))
                out.write(b"\t".join(fields) + b"\n")

    def info(self):
        return ["kind\tgraph", "fingerprint\t%016x" % self.fingerprint, "items\t%d" % self.items.nodes,
                "boards\t%d" % self.boards.nodes, "edges\t%d" % self.edges] + \
               ["history\t" + line for line in self.history.decode().splitlines()]


# ---- record streams ----

class Head:
    def __init__(self, data, at):
        need(len(data) - at >= 64, "byte %d: truncated header" % at)
        need(data[at:at + 8] == b"\x89PSR\r\n\x1a\n", "byte %d: not a psrec stream" % at)
        (version, self.kind, self.elem, self.width, self.qspace, self.nspace, self.flags, self.size, self.dim,
         self.graph, self.count, self.scale, self.length, history) = struct.unpack_from("<HBBBBBBIIQQfII", data, at + 8)
        need(version == 1, "psrec version %d" % version)
        need(64 <= self.length <= 65536 and self.length % 64 == 0 and at + self.length <= len(data), "header length")
        whole = data[at:at + self.length]
        need(crc_without(whole, 60) == struct.unpack_from("<I", whole, 60)[0], "byte %d: header CRC" % at)
        need(0 < self.kind < len(KINDS) and self.elem in ELEMENTS and self.width in (4, 8), "impossible shape")
        need((self.kind == VECTORS) == (self.elem != 0), "element type")
        w, d = self.width, self.dim
        sizes = {EDGES: 2 * w + 4, IDS: w, WALKS: w + d * w, VISITS: 2 * w + 4, NEIGHBOURS: w + d * (w + 4),
                 PAIRS: 2 * w + 4, VECTORS: w + d * ELEMENTS[self.elem][1], SPARSE: w + 8, HITS: w + d * (w + 4)}
        need(self.size == sizes[self.kind] <= 1 << 20, "record size")
        need(history <= self.length - 64, "history length")
        self.history = whole[64:64 + history].decode()

    def shape(self):
        return (self.kind, self.elem, self.width, self.qspace, self.nspace, self.flags, self.dim, self.graph,
                self.scale)

    def info(self, records):
        lines = ["kind\t" + KINDS[self.kind], "dimension\t%d" % self.dim]
        if self.kind == VECTORS:
            lines += ["element\t" + ELEMENTS[self.elem][0], "scale\t%.9g" % self.scale,
                      "bias\t" + ("yes" if self.flags & 1 else "no")]
        lines += ["number bytes\t%d" % self.width, "record bytes\t%d" % self.size,
                  "first number\t" + SPACES[self.qspace], "other numbers\t" + SPACES[self.nspace],
                  "graph\t" + ("%016x" % self.graph if self.graph else "none")]
        return lines + ["history\t" + line for line in self.history.splitlines()] + ["records\t%d" % records]


def streams(data):
    """The first header and the records of all streams in a row."""
    at, first, records = 0, None, []
    need(data, "empty input")
    while at < len(data):
        head = Head(data, at)
        first = first or head
        need(head.shape() == first.shape(), "byte %d: another shape follows" % at)
        begin = at = at + head.length
        while True:
            need(at + head.width <= len(data), "byte %d: truncated" % at)
            if data[at:at + head.width] == b"\xff" * head.width:
                break
            need(at + head.size <= len(data), "byte %d: truncated" % at)
            records.append(data[at:at + head.size])
            at += head.size
        end = data[at:at + 32]
        need(len(end) == 32, "byte %d: truncated end mark" % at)
        ones, magic, count, crc, own = struct.unpack("<Q8sQII", end)
        need(ones == NONE64 and magic == b"PSREND\r\n" and own == zlib.crc32(end[:28]), "byte %d: end mark" % at)
        need(count == (at - begin) // head.size and head.count in (NONE64, count), "byte %d: count" % at)
        need(crc == zlib.crc32(data[begin:at]), "byte %d: CRC of the records" % at)
        at += 32
    return first, records


def real(value):
    return b"%.9g" % value


def to_float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def elements(head, body):
    d = head.dim
    if head.elem == 1:
        return struct.unpack("<%df" % d, body)
    if head.elem == 2:
        return struct.unpack("<%de" % d, body)
    if head.elem == 3:
        return [struct.unpack("<f", b"\0\0" + body[2 * j:2 * j + 2])[0] for j in range(d)]
    return [to_float32(head.scale * x) for x in struct.unpack("<%db" % d, body)]


class Printer:
    def __init__(self, head, graph, wide, out):
        self.head, self.graph, self.wide, self.out = head, graph, wide, out
        self.code = "I" if head.width == 4 else "Q"
        self.none = (1 << 8 * head.width) - 1
        self.open = None
        need(not graph or head.graph in (0, graph.fingerprint), "numbers of another graph")

    def node(self, space, number):
        return self.graph.name(space, number) if self.graph else b"%d" % number

    def line(self, *fields):
        self.out.write(b"\t".join(fields) + b"\n")

    def record(self, r):
        h, w = self.head, self.head.width
        first, = struct.unpack_from("<" + self.code, r)
        name = self.node(h.qspace, first)
        if h.kind == IDS:
            self.line(name)
        elif h.kind in (EDGES, PAIRS, VISITS):
            other, value = struct.unpack_from("<" + self.code + ("I" if h.kind == VISITS else "f"), r, w)
            need(value > 0 and math.isfinite(value), "weight or count")
            self.line(name, self.node(h.nspace, other), b"%d" % value if h.kind == VISITS else real(value))
        elif h.kind == SPARSE:
            index, value = struct.unpack_from("<If", r, w)
            need(index < h.dim and math.isfinite(value), "sparse value")
            self.line(name, b"%d" % index, real(value))
        elif h.kind == VECTORS:
            values = elements(h, r[w:])
            need(all(map(math.isfinite, values)), "element not finite")
            self.line(name, *map(real, values))
        else:
            self.entries(first, name, r)

    def entries(self, first, name, r):
        h, w = self.head, self.head.width
        step = w if h.kind == WALKS else w + 4
        parts = []
        padding = None
        for j in range(h.dim):
            node, = struct.unpack_from("<" + self.code, r, w + j * step)
            value = 0 if h.kind == WALKS else struct.unpack_from("<f", r, 2 * w + j * step)[0]
            need(math.isfinite(value), "value not finite")
            if node == self.none:
                need(value == 0, "padding with a value")
                padding = j
                continue
            need(padding is None, "padding before the end")
            parts.append([self.node(h.nspace, node)] + ([] if h.kind == WALKS else [real(value)]))
        if h.kind == WALKS or self.wide:
            self.line(name, *[field for part in parts for field in part])
            return
        if parts and self.open == first:
            self.out.write(b"\n")
        if not parts:
            self.line(name)
        for part in parts:
            self.line(name, *part)
        self.open = first if 0 < len(parts) < h.dim else None


def main(args):
    out, graph, wide, info, files = sys.stdout.buffer, None, False, None, []
    while args:
        arg = args.pop(0)
        if arg == "-g":
            graph = Graph(load(args.pop(0)))
        elif arg == "--wide":
            wide = True
        elif arg == "--info":
            info = open(args.pop(0), "w")
        else:
            files.append(arg)
    for path in files or ["-"]:
        data = load(path)
        if data[1:4] == b"PSG":
            g = Graph(data)
            if info:
                info.write("\n".join(g.info()) + "\n")
            g.print_edges(out)
            continue
        head, records = streams(data)
        if info:
            info.write("\n".join(head.info(len(records))) + "\n")
        printer = Printer(head, graph, wide, out)
        for r in records:
            printer.record(r)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Damaged as why:
        print("psread: %s" % why, file=sys.stderr)
        sys.exit(1)
