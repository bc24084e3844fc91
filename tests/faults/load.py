#!/usr/bin/env python3
"""The tools that answer line by line (-l -u) under a stream of good and bad lines.

usage: load.py BIN [LINES]

LINES (default 100000) in all, a quarter of them bad, are shared out to pswalk, psknn and psembed.  Every good line must be answered,
with the bytes that the good lines alone get without -l; every bad one told of on standard error, in order; memory must not grow with
the stream.  Then each is asked questions one by one, before and after a stream, for its latency.  Standard library only.
"""
import os
import random
import shutil
import subprocess
import sys
import threading
import time

import faults
from faults import make, read, write

LINES = int(sys.argv[2]) if len(sys.argv) > 2 else 100000
ITEMS, ASKED, GROWTH = 500, 500, 8 << 10  # KiB
SERVERS = [  # and its share of the lines
    (["pswalk", "-g", "g.psg", "-t", "-u", "-k", "3", "-w", "20", "-j", "1"], .5),
    (["psknn", "-g", "g.psg", "-x", "z.psr", "-t", "-u", "-k", "3", "-j", "1"], .2),
    (["psknn", "-g", "g.psg", "-x", "z.psr", "-t", "-u", "-k", "3", "-j", "1", "--index", "l.psi"], .2),
    (["psembed", "-g", "g.psg", "-m", "m.psm", "-n", "n.psr", "-x", "x.psr", "-t", "-u", "-j", "1"], .1),
]
BAD = [(b"nobody", "g.psg has no item 'nobody'"), (b"", "an empty name"),
       (b"i1\ti2", "several names on a line (--sets takes each line as one query)"), (b"\xff\x1b[2J", None)]
failures = []


def inputs():
    write("edges.tsv", b"".join(b"i%d\tb%d\n" % (i, (i * j + i) % 60) for i in range(ITEMS) for j in range(4)))
    write("pairs.tsv", b"".join(b"i%d\ti%d\n" % (i, (i + 5) % ITEMS) for i in range(ITEMS)))
    make("psgraph-build -t -o g.psg < edges.tsv; psfeat -g g.psg -d 0 --sketch 8 -o x.psr; psneigh -g g.psg -a -T 3 -w 50 -o n.psr")
    make("pstrain -q -g g.psg -x x.psr -n n.psr -t --epochs 1 --hidden 8 -d 8 -j 1 -o m.psm < pairs.tsv")
    make("psembed -m m.psm -n n.psr -o z.psr < x.psr; psknn -B lsh -x z.psr -o l.psi")


def stream(n):
    """A text, its good lines, and what is to be said of the others: (line, words)."""
    draw, text, good, told = random.Random(n), [], [], []
    for i in range(n):
        if draw.random() < .25:
            line, words = BAD[draw.randrange(len(BAD))]
            told.append((i + 1, words))
        else:
            line = b"i%d" % draw.randrange(ITEMS)
            good.append(line)
        text.append(line)
    return b"\n".join(text) + b"\n", b"\n".join(good) + b"\n", told


def embedded(good):
    """psembed without -l gives an item that is asked for twice once: its answers are those rows, as often as they were asked for."""
    make("psview -g g.psg z.psr > z.txt; psview -g g.psg out > out.txt")
    row = dict(line.split(b"\t", 1) for line in read("z.txt").splitlines())
    return read("out.txt").splitlines() == [name + b"\t" + row[name] for name in good.splitlines()]


def peak(pid):
    """KiB.  What wait4 says would begin with the size of this program."""
    try:
        with open("/proc/%d/status" % pid) as f:
            return next((int(line.split()[1]) for line in f if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


def serve(argv, name, n):
    """KiB that it took, and seconds."""
    text, good, told = stream(n)
    write("in", text)
    write("good", good)
    if name != "psembed":
        with open("good", "rb") as source, open("right", "wb") as out:
            subprocess.run([faults.tool(argv[0])] + argv[1:], stdin=source, stdout=out, check=True)
    begun = time.monotonic()
    with open("in", "rb") as source, open("out", "wb") as out, open("err", "wb") as err:
        p = subprocess.Popen([faults.tool(argv[0])] + argv[1:] + ["-l"], stdin=source, stdout=out, stderr=err)
        memory = 0
        while p.poll() is None:
            memory = max(memory, peak(p.pid))
            time.sleep(.002)
    took = time.monotonic() - begun
    if p.returncode:
        failures.append("%s: status %d" % (name, p.returncode))
    if not (embedded(good) if name == "psembed" else read("out") == read("right")):
        failures.append("%s: other answers than without -l" % name)
    said = read("err").decode(errors="replace").splitlines()
    for line, (number, words) in zip(said, told):
        if not line.startswith("%s: <stdin>: line %d: " % (name, number)) or not line.endswith("; skipped") or (words and words not in line):
            failures.append("%s: of bad line %d: %s" % (name, number, line))
            break
    if len(said) != len(told) + 1:  # and how many there were
        failures.append("%s: %d lines on standard error for %d bad ones" % (name, len(said), len(told)))
    return memory, took


def latencies(argv):
    """Milliseconds of questions one by one: median and 99th percentile, before and after a stream."""
    p = subprocess.Popen([faults.tool(argv[0])] + argv[1:] + ["-l"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                         stderr=subprocess.DEVNULL)
    os.write(p.stdin.fileno(), b"i0\n")  # the header comes with the first answer
    head = b""
    while len(head) < 64:
        head += os.read(p.stdout.fileno(), 64 - len(head))
    rest, size = int.from_bytes(head[44:48], "little") - 64, int.from_bytes(head[16:20], "little")

    def take(n):
        while n > 0:
            n -= len(os.read(p.stdout.fileno(), min(n, 1 << 16)))

    def ask():
        times = []
        for i in range(ASKED):
            begun = time.monotonic()
            os.write(p.stdin.fileno(), b"i%d\n" % (i % ITEMS))
            take(size)
            times.append((time.monotonic() - begun) * 1000)
        times.sort()
        return "%.3f, %.3f" % (times[ASKED // 2], times[ASKED * 99 // 100])

    take(rest + size)
    before = ask()
    text, good, _ = stream(LINES // 20)
    feeder = threading.Thread(target=lambda: p.stdin.write(text))
    feeder.start()
    take(size * good.count(b"\n"))
    feeder.join()
    after = ask()
    p.stdin.close()
    take(32)
    if p.wait():
        failures.append("%s: status %d after questions one by one" % (argv[0], p.returncode))
    return before, after


def main():
    inputs()
    for argv, share in SERVERS:
        name, n = argv[0], int(LINES * share)
        few, _ = serve(argv, name, 1000)
        many, took = serve(argv, name, n)
        if many > few + GROWTH:
            failures.append("%s: %d KiB for 1000 lines, %d for %d" % (name, few, many, n))
        before, after = latencies(argv)
        print("%s: %d lines, %.0f a second, %d KiB (1000 lines: %d); one by one, median and p99: %s ms before, %s ms after a stream" %
              (name, n, n / took, many, few, before, after))
    for failure in failures:
        print(failure)
    if failures:
        sys.exit("not as it should be")
    for name in os.listdir("."):
        shutil.rmtree(name) if os.path.isdir(name) else os.unlink(name)


if __name__ == "__main__":
    main()
