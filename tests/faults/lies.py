#!/usr/bin/env python3
"""Headers that lie, under CRCs that are right: refused, or harmless, at once and in little memory.

usage: lies.py BIN [--every N] [--offset K]

Each number of each format's header and section table is given values that overflow, point outside, or overlap what is there.
A tool must end with status 0, or 1 and one line, within the time and memory of the good file and a little more.
Standard library only.
"""
import concurrent.futures
import os
import shutil
import struct
import sys
import tempfile
import zlib

import faults
from faults import TRAIN, make, read, write

EVERY = int(sys.argv[3]) if sys.argv[2:3] == ["--every"] else 1
MORE_SECONDS, MORE_MEMORY = 1.5, 48 << 10  # KiB
SMALL = [0, 1, 0x7fffffff, 0x80000000, 0xffffffff]
LARGE = [1 << 32, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 2, (1 << 64) - 1]
MASK = (1 << 64) - 1
# Of the frames by the length of their headers: where in these stand the lengths of the texts, the history's last.
TEXTS = {"32": (16, 20, 24), "64": (52,), "96": (24, 28, 76)}

# (format, file, tool, arguments with "@" for the file, standard input)
READERS = [
    ("stream", "edges.psr", "psgraph-build", ["-g", "g.psg", "-j", "1"], "@"),
    ("stream", "ids.psr", "pswalk", ["-g", "g.psg", "-w", "20", "-j", "1"], "@"),
    ("stream", "walks.psr", "psview", ["-c", "@"], None),
    ("stream", "visits.psr", "psneigh", ["-T", "3"], "@"),
    ("stream", "n.psr", "psembed", ["-m", "m.psm", "-n", "@", "-j", "1"], "x.psr"),
    ("stream", "pairs.psr", "pstrain", ["-g", "g.psg", "-x", "x.psr", "-n", "n.psr"] + TRAIN, "@"),
    ("stream", "x.psr", "psknn", ["-x", "@", "-B", "lsh", "-j", "1"], None),
    ("stream", "x.psr", "psview", ["--sort"], "@"),
    ("stream", "sparse.psr", "psknn", ["-g", "g.psg", "-x", "@", "-a", "-j", "1"], None),
    ("stream", "hits.psr", "pseval", ["-g", "g.psg", "-p", "valid.psr", "-j", "1"], "@"),
    ("graph", "g.psg", "pswalk", ["-g", "@", "-a", "-w", "20", "-j", "1"], None),
    ("graph", "g.psg", "psview", ["-c", "@"], None),
    ("graph", "g.psg", "psgraph-build", ["-t", "-g", "@", "-j", "1"], "edges.tsv"),
    ("graph", "weighted.psg", "psneigh", ["-g", "@", "-a", "-w", "20", "-T", "3", "-j", "1"], None),
    ("index", "ivf.psi", "psknn", ["-g", "g.psg", "-x", "z.psr", "--index", "@", "-a", "-k", "3", "-j", "1"], None),
    ("index", "lsh.psi", "psknn", ["-g", "g.psg", "-x", "z.psr", "--index", "@", "-a", "-k", "3", "-j", "1"], None),
    ("frame:32", "m.psm", "psembed", ["-m", "@", "-n", "n.psr", "-j", "1"], "x.psr"),
    ("frame:64", "state", "psfeat", ["-g", "g.psg", "--load", "@", "-t"], "items.tsv"),
    ("frame:64", "lsa", "psfeat", ["-g", "g.psg", "--load", "@", "-t"], "items.tsv"),
    ("frame:96", "check", "pstrain", ["-g", "g.psg", "-x", "x.psr", "-n", "n.psr", "-p", "valid.psr", "--resume", "@"] + TRAIN,
     "pairs.psr"),
]


def inputs():
    faults.good_inputs()
    make("pswalk -g g.psg -a -w 20 --paths 4 -o walks.psr; awk '{print $0 \"\\t2\"}' edges.tsv | psgraph-build -t -o weighted.psg")
    make("psknn -x z.psr -B ivf -o ivf.psi; psknn -x z.psr -B lsh -o lsh.psi")
    make("psfeat -g g.psg -t -d 4 --sketch 4 --save state < items.tsv > x2.psr")
    make("psfeat -g g.psg -t -d 4 --lsa --save lsa < items.tsv > x2.psr")
    make("pstrain -g g.psg -x x.psr -n n.psr -p valid.psr -c check --every 0 %s -o m2.psm < pairs.psr" % " ".join(TRAIN))


# ---- CRCs ----

def mix(z):
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9 & MASK
    z = (z ^ z >> 27) * 0x94d049bb133111eb & MASK
    return z ^ z >> 31


def seal_head(out, length):
    struct.pack_into("<I", out, 60, 0)
    struct.pack_into("<I", out, 60, zlib.crc32(bytes(out[:length])))


def sections(out):
    n, = struct.unpack_from("<H", out, 10)
    return [64 + 32 * i for i in range(n) if 96 + 32 * i <= len(out)]


def seal(form, out):
    kind, _, head = form.partition(":")
    if kind == "stream":
        length = max(64, min(struct.unpack_from("<I", out, 44)[0], len(out)))
        return seal_head(out, length)
    if kind == "frame":
        head = int(head)
        struct.pack_into("<I", out, head - 4, zlib.crc32(bytes(out[:head - 4])))
        end = len(out) - 24
        struct.pack_into("<I", out, end + 16, zlib.crc32(bytes(out[:end])))
        struct.pack_into("<I", out, end + 20, zlib.crc32(bytes(out[end:end + 20])))
        return None
    entries = sections(out)
    hashed = [struct.unpack_from("<Q", out, at)[0] for at in (16, 24, 32)]
    h = mix(hashed[0] + 1 & MASK)
    h = mix(mix(h ^ hashed[1]) ^ hashed[2])
    for at in entries:
        ident, begin, size = struct.unpack_from("<I4xQQ", out, at)
        if begin <= len(out) and size <= len(out) - begin:
            struct.pack_into("<I", out, at + 24, zlib.crc32(bytes(out[begin:begin + size])))
        if ident != 1:
            h = mix(mix(mix(h ^ ident) ^ size) ^ struct.unpack_from("<I", out, at + 24)[0])
    if kind == "graph":
        struct.pack_into("<Q", out, 40, h or 1)
    return seal_head(out, min(len(out), entries[-1] + 32 if entries else 64))


# ---- lies ----

def lies(form, data):
    kind, _, head = form.partition(":")
    length = int(head) - 4 if head else 64
    tables = sections(bytearray(data)) if kind in ("graph", "index") else []
    fields = [("<I", at, v) for at in range(8, length, 4) for v in SMALL]
    fields += [("<Q", at, v) for at in range(8, length - 4, 8) for v in LARGE]
    if kind == "frame":  # a history of nothing but ends of lines
        fields += [("lines", TEXTS[head][-1], 1 << 20)]
    fields += [("<H", at, v) for at in (8, 10) for v in (0, 1, 255, 65535)]
    for at in tables:
        fields += [("<I", at, v) for v in (0, 1, 2, 3, 99)]
        fields += [("<Q", at + k, v) for k in (8, 16) for v in LARGE + [0, 1, 64, len(data) - 1, len(data), len(data) + 4096]]
        fields += [("<Q", at + 8, struct.unpack_from("<Q", data, other + 8)[0]) for other in tables if other != at]
    return fields


def told(form, data, lie):
    """The file that tells it; a parent that held all of them would be large, and its children seem so."""
    if form == "npy":
        return lie[1]
    out = bytearray(data)
    if lie[0] == "lines":
        head = form.partition(":")[2]
        lengths = [struct.unpack_from("<I", data, at)[0] for at in TEXTS[head]]
        end = int(head) + sum(lengths)
        out[end - lengths[-1]:end] = b"\n" * lie[2]
        struct.pack_into("<I", out, lie[1], lie[2])
        struct.pack_into("<Q", out, len(out) - 16, len(out) - 24)
    else:
        struct.pack_into(lie[0], out, lie[1], lie[2])
    seal(form, out)
    return bytes(out)


def npy_lies():
    for text in ("(18446744073709551615, 2)", "(4294967296, 4294967296)", "(9223372036854775807,)", "(-1, 2)", "(0, 0)",
                 "(99999999999999999999, 1)", "(1, 4611686018427387905)", "(" + "1, " * 4000 + ")", "(2, 3" + " " * 60000 + ")"):
        head = ("{'descr': '<f4', 'fortran_order': False, 'shape': %s, }\n" % text).encode()
        yield "shape %s" % text[:40], b"\x93NUMPY\1\0" + struct.pack("<H", min(len(head), 65535)) + head + b"\0" * 64
        yield "shape %s of version 2" % text[:40], b"\x93NUMPY\2\0" + struct.pack("<I", len(head)) + head + b"\0" * 64
    for size in (0xffffffff, 0x80000000, 1 << 20):
        yield "header of %d bytes" % size, b"\x93NUMPY\2\0" + struct.pack("<I", size) + b"{" * 80


# ---- running ----

def measure(tool, args, stdin):
    """(status, standard error, seconds of processor time, KiB)"""
    with tempfile.TemporaryFile() as err, open(stdin or os.devnull, "rb") as source:
        pid = os.posix_spawn(faults.tool(tool), [tool] + args + ["-o", os.devnull], {**os.environ, "OPENBLAS_NUM_THREADS": "1"},
                             file_actions=[(os.POSIX_SPAWN_DUP2, source.fileno(), 0), (os.POSIX_SPAWN_DUP2, err.fileno(), 2),
                                           (os.POSIX_SPAWN_DUP2, faults.NOTHING, 1)])
        _, status, usage = os.wait4(pid, 0)
        err.seek(0)
        return os.waitstatus_to_exitcode(status), err.read(), usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def judge(what, got, good):
    status, err, seconds, memory = got
    if status not in (0, 1):
        return "%s: status %d: %s" % (what, status, err.decode(errors="replace")[:300])
    if status == 1 and err.count(b"\n") != 1:
        return "%s: not one line: %s" % (what, err.decode(errors="replace")[:300])
    if seconds > good[2] + MORE_SECONDS or memory > good[3] + MORE_MEMORY:
        return "%s: %.1f s and %d KiB; the good file took %.1f s and %d KiB" % (what, seconds, memory, good[2], good[3])
    return None


def tell(reader, number, lie, good):
    """1 if it is refused, 0 if not, or what is wrong."""
    form, name, tool, args, stdin = reader
    what = lie[0] if form == "npy" else "%s at byte %d is %d" % ({"<I": "u32", "<Q": "u64", "<H": "u16", "lines": "lines"}[lie[0]], lie[1], lie[2])
    path = "lie%s-%d" % (name, number)
    write(path, told(form, read(name), lie))
    got = measure(tool, [path if a == "@" else a for a in args], path if stdin == "@" else stdin)
    os.unlink(path)
    return judge("%s %s: %s: %s" % (tool, " ".join(args), name, what), got, good) or got[0]


def main():
    inputs()
    count, refused, failures = 0, 0, []
    npy = ("npy", "f.npy", "psfeat", ["--npy", "@"], None)
    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        pending = []
        for reader in READERS + [npy]:
            form, name, tool, args, stdin = reader
            good = measure(tool, [name if a == "@" else a for a in args], name if stdin == "@" else stdin)
            if good[0]:
                sys.exit("nothing wrong, and yet: %s %s: %s" % (tool, " ".join(args), good[1].decode()))
            for lie in npy_lies() if form == "npy" else lies(form, read(name)):
                if form == "npy" or lie[0] == "lines" or len(pending) % EVERY == 0:
                    pending.append(pool.submit(tell, reader, len(pending), lie, good))
                else:
                    pending.append(None)
        for future in filter(None, pending):
            count += 1
            if isinstance(future.result(), str):
                failures.append(future.result())
            else:
                refused += future.result()
    print("%d lies: %d refused, %d believed and harmless, %d neither" % (count, refused, count - refused - len(failures),
                                                                                      len(failures)))
    for failure in failures[:40]:
        print(failure)
    if failures or refused < count // 3:
        sys.exit("%d of %d lies not met as they should be" % (len(failures), count))
    for name in os.listdir("."):
        shutil.rmtree(name) if os.path.isdir(name) else os.unlink(name)


if __name__ == "__main__":
    main()
