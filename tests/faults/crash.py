#!/usr/bin/env python3
"""Ends tools at random moments, fills disks under them, and lets two write one file.

usage: crash.py BIN [--kills N]

Under the output's name there must be what was there before, or the complete new file.  N kills (default 2) of each of JOBS, with
the tools that write much.  A disk is a tmpfs where it can be mounted, else a limit on the size of files.  Standard library only.
"""
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time

import faults
from faults import make, read, write

KILLS = int(sys.argv[3]) if sys.argv[2:3] == ["--kills"] else 2
PEOPLE, BOARDS = 4000, 1500
JOBS = {
    "graph": (["psgraph-build", "-t", "-i"], "edges.tsv"),
    "graph within memory": (["psgraph-build", "-t", "-i", "-M", "16M", "--tmp", "."], "edges.tsv"),
    "features": (["psfeat", "-g", "g.psg", "-d", "0", "--sketch", "64"], None),
    "visits": (["pswalk", "-g", "g.psg", "-a", "-w", "200"], None),
    "neighbourhoods": (["psneigh", "-g", "g.psg", "-a", "-w", "500", "-z"], None),
    "model": (["pstrain", "-q", "-g", "g.psg", "-x", "x.psr", "-n", "n.psr", "-c", "check", "--every", "0", "--epochs", "1", "--hidden",
               "16", "-d", "16", "--batch", "256", "--negatives", "50"], "pairs.psr"),
    "embeddings": (["psembed", "-m", "m.psm", "-n", "n.psr"], "x.psr"),
    "hits": (["psknn", "-g", "g.psg", "-x", "x.psr", "-k", "50", "-a"], None),
    "index": (["psknn", "-x", "x.psr", "-B", "ivf"], None),
    "text": (["psview", "n.psr"], None),
    "records": (["psview", "-t", "-K", "pairs", "-g", "g.psg"], "pairs.txt"),
    "metrics": (["pseval", "-g", "g.psg", "-x", "x.psr", "-p", "pairs.psr"], None),
}
failures = []


def good_inputs():
    draw = random.Random(1)
    write("edges.tsv", b"".join(b"%d\t%d\n" % (draw.randrange(PEOPLE), draw.randrange(BOARDS)) for _ in range(40000)))
    make("psgraph-build -t -i -o g.psg < edges.tsv")
    make("psfeat -g g.psg -d 0 --sketch 64 -o x.psr; psneigh -g g.psg -a -w 500 -o n.psr")
    write("pairs.txt", b"".join(b"%d\t%d\n" % (draw.randrange(PEOPLE), draw.randrange(PEOPLE)) for _ in range(2000)))
    make("psview -t -K pairs -g g.psg -o pairs.psr < pairs.txt")
    make("%s -o m.psm < pairs.psr; rm check" % " ".join(JOBS["model"][0]))


def start(job, out, limit=None):
    argv, stdin = JOBS[job]

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with open(stdin or os.devnull, "rb") as source:
        return subprocess.Popen([faults.tool(argv[0])] + argv[1:] + ["-o", out], stdin=source, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, preexec_fn=small_files if limit is not None else None)


def finish(job, out, limit=None):
    p = start(job, out, limit)
    err = p.communicate()[1]
    return p.returncode, err


def complain(job, what):
    failures.append("%s: %s" % (job, what))


def good_outputs():
    good = {}
    for job in JOBS:
        begun = time.monotonic()
        status, err = finish(job, "out")
        if status:
            sys.exit("nothing wrong, and yet: %s: status %d: %s" % (job, status, err.decode()))
        good[job] = (read("out"), time.monotonic() - begun)
        os.unlink("out")
    return good


def temporaries():
    return [n for n in os.listdir(".") if n.startswith(".out.")]


def sweep():
    for name in temporaries() + ["out", "check"]:
        if os.path.exists(name):
            os.unlink(name)


def kill(job, good, took, draw):
    """1 if it was killed in the midst of it."""
    old = b"old\n" if draw.randrange(2) else None
    if old:
        write("out", old)
    p = start(job, "out")
    moment = time.monotonic() + draw.random() * took
    if draw.randrange(2):  # while it writes: as soon as there is a temporary file
        while p.poll() is None and not temporaries() and time.monotonic() < moment + 10:
            pass
        time.sleep(draw.random() * took / 10)
    else:
        time.sleep(max(0, moment - time.monotonic()))
    p.kill()
    p.communicate()
    there = read("out") if os.path.exists("out") else None
    if there not in (old, good):
        complain(job, "killed, it left a file of %d bytes" % len(there))
    if os.path.exists("check"):
        checkpoint_goes_on(job)
    sweep()
    return p.returncode == -9


def checkpoint_goes_on(job):
    argv, stdin = JOBS["model"]
    with open(stdin, "rb") as source:
        result = subprocess.run([faults.tool(argv[0])] + argv[1:] + ["--resume", "check", "-o", "gone-on"], stdin=source,
                                capture_output=True)
    if result.returncode or read("gone-on") != read("m.psm"):
        complain(job, "its checkpoint cannot be gone on from: %s" % result.stderr.decode())


def full_disk(job, good, sizes, mounted):
    """Disks of these sizes: right, or refused with nothing left.  How many runs did not fit."""
    refused = 0
    for size in sizes:
        at = "out"
        if mounted:
            os.makedirs("disk", exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size, "none", "disk"], check=True)
            at = "disk/out"
        status, err = finish(job, at, None if mounted else size)
        left = sorted(os.listdir("disk")) if mounted else [n for n in ["out"] + temporaries() if os.path.exists(n)]
        if status == 0 and read(at) != good:
            complain(job, "a disk of %d bytes: status 0, other bytes" % size)
        elif status and (status != 1 or err.count(b"\n") != 1 or left):
            complain(job, "a disk of %d bytes: status %d, left %s: %s" % (size, status, left, err.decode()))
        refused += status != 0
        if mounted:
            subprocess.run(["umount", "disk"], check=True)
        sweep()
    return refused


def mountable():
    os.mkdir("probe")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", "probe"], capture_output=True).returncode == 0
    if done:
        subprocess.run(["umount", "probe"], check=True)
    os.rmdir("probe")
    return done


def two_at_once(good):
    pair = ["visits", "hits"]
    for _ in range(6):
        runs = [start(job, "out") for job in pair]
        for job, p in zip(pair, runs):
            err = p.communicate()[1]
            if p.returncode or err:
                complain(job, "beside another: status %d: %s" % (p.returncode, err.decode()))
        if read("out") not in [good[job][0] for job in pair]:
            complain(" and ".join(pair), "they mixed their outputs")
        if temporaries():
            complain(" and ".join(pair), "they left %s" % temporaries())
        sweep()


def main():
    good_inputs()
    good = good_outputs()
    sweep()
    draw = random.Random(KILLS)
    hit = {job: sum(kill(job, *good[job], draw) for _ in range(KILLS)) for job in JOBS}
    mounted, refused, tried = mountable(), 0, 0
    for job in JOBS:
        size = len(good[job][0])
        if job != "model" and size > 4096:  # the model writes checkpoints, too: inject.py has their faults
            steps = [size * k // 4 // 4096 * 4096 + 4096 for k in range(4 if KILLS > 2 else 2)]
            refused += full_disk(job, good[job][0], steps, mounted)
            tried += len(steps)
    two_at_once(good)
    print("%d kills, %d of them in the midst; %d disks (%s), %d of them too small; 6 times two runs with one output" %
          (KILLS * len(JOBS), sum(hit.values()), tried, "tmpfs" if mounted else "limits on the size of files", refused))
    print("in the midst: " + ", ".join("%s %d" % pair for pair in hit.items()))
    for failure in failures:
        print(failure)
    if failures or sum(hit.values()) < KILLS * len(JOBS) // 4 or refused < tried // 2:
        sys.exit("not as it should be")
    for name in os.listdir("."):
        shutil.rmtree(name) if os.path.isdir(name) else os.unlink(name)


if __name__ == "__main__":
    main()
