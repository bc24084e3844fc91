#!/usr/bin/env python3
"""Makes one call of the system at a time fail under every tool.

usage: inject.py BIN SHIM [--sample N] [--seed S] [TOOL ...]

A good run of each job in JOBS counts its calls (shim.c); then it is run again with the n-th call of a kind failing,
for every n, kind and way, or for N of them drawn at random.  A run must end with the right bytes and status 0, or with
status 1, one line on standard error, and neither a new file nor a spoilt old one under the name of any output.
Transfers that are cut or interrupted are no failures: they must end with the right bytes.  Killed at a call, it leaves what
was there before, or the complete new file.  Standard library only.
"""
import concurrent.futures
import os
import random
import shutil
import subprocess
import sys
import threading

import faults
from faults import TRAIN, make, read, write

SHIM = os.path.abspath(sys.argv[2])
ALL_CALLS = 400  # of more calls of one kind in one job only so many are tried, evenly spread

# (tool, arguments, standard input, other outputs); "+name" is an output beside -o.
W = ["-w", "20", "-T", "3"]
JOBS = [
    ("psgraph-build", ["-t", "-j", "1", "-I", "items.tsv"], "edges.tsv"),
    ("psgraph-build", ["-t", "-j", "2", "-M", "16M", "--tmp", "."], "edges.tsv.gz"),
    ("psgraph-build", ["-t", "-j", "1", "-g", "g.psg"], "edges.tsv"),
    ("psgraph-build", ["-j", "1", "--order", "community", "--max-board", "3"], "edges.psr"),
    ("psgraph-build", ["-t", "-j", "1", "-F", ",", "-H", "--columns", "board,item"], "edges.csv"),
    ("psgraph-build", ["--mtx", "-j", "1", "-z"], "edges.mtx"),
    ("psgraph-build", ["-g", "g.psg", "-x", "x.psr", "--drop-diverse", "0.2", "--keep-power", "0.9", "-j", "2"], "edges.psr"),
    ("psfeat", ["-g", "g.psg", "-t", "-d", "4", "--sketch", "4", "--save", "+state", "-z"], "items.tsv"),
    ("psfeat", ["-g", "g.psg", "-t", "-d", "4", "--lsa", "--board-terms", "--save", "+state", "-j", "2"], "items.tsv"),
    ("psfeat", ["--load", "terms", "--boards", "boards.txt", "-t", "-g", "g.psg"], "new.tsv"),
    ("psfeat", ["-g", "g.psg", "-t", "--sparse", "--board-terms", "--ngrams", "3-4"], "items.tsv"),
    ("psfeat", ["-g", "g.psg", "-d", "0", "--sketch", "4", "--npy", "f.npz"], None),
    ("psfeat", ["-g", "g.psg", "-t", "-d", "4", "--lsa", "-j", "2"], "items.tsv"),
    ("psfeat", ["--load", "state", "--boards", "boards.txt", "-t", "-g", "g.psg"], "new.tsv"),
    ("psfeat", ["-g", "g.psg", "--npy", "f.npy", "-I", "names.txt", "-x", "x.psr", "-E", "f16"], None),
    ("psfeat", ["-g", "g.psg", "-t", "--sparse"], "items.tsv"),
    ("pswalk", ["-g", "g.psg", "-w", "20", "-j", "2", "-a"], None),
    ("pswalk", ["-g", "g.psg", "-w", "20", "-j", "1", "-t", "-k", "3"], "names.txt"),
    ("pswalk", ["-g", "g.psg", "-j", "1", "-t", "--paths", "4", "--bias-items", "bias.txt"], "names.txt"),
    ("pswalk", ["-g", "g.psg", "-w", "20", "-j", "1", "-a", "--negatives", "2", "--low", "1", "--high", "5", "-p", "pairs.psr"], None),
    ("pswalk", ["-g", "g.psg", "-w", "20", "-j", "2", "--sets", "-k", "3"], "pairs.psr"),
    ("psneigh", ["-T", "3", "-j", "1"], "visits.psr.gz"),
    ("psneigh", ["-g", "g.psg", "-a", "-T", "3", "-j", "1", "--push", "1e-3"], None),
    ("psneigh", ["-g", "g.psg", "-j", "1", "-t", "-l", "--exact", "50"] + W, "names.txt"),
    ("psneigh", ["-g", "g.psg", "-j", "2", "-a"] + W, None),
    ("psneigh", ["-g", "g.psg", "-j", "1", "--boards", "-t"] + W, "boards.txt"),
    ("pstrain", ["-g", "g.psg", "-x", "x.psr", "-n", "n.psr", "-p", "valid.psr", "-c", "+check", "--every", "0", "--log",
                 "log"] + TRAIN, "pairs.psr"),
    ("pstrain", ["-g", "g.psg", "-x", "x.psr", "-n", "n.psr", "-p", "valid.psr", "--resume", "check"] + TRAIN, "pairs.psr"),
    ("pstrain", ["-g", "g.psg", "-x", "x.psr", "-y", "sparse.psr", "-t", "-T", "3"] + TRAIN[:-1] + ["2"], "pairs.tsv"),
    ("psembed", ["-m", "m.psm", "-n", "n.psr", "-j", "2"], "x.psr"),
    ("psembed", ["-m", "m.psm", "-n", "n.psr", "-x", "x.psr", "-M", "1M", "--tmp", ".", "-a", "-j", "1"], None),
    ("psembed", ["-m", "m.psm", "-n", "n.psr", "-x", "x.psr", "-g", "g.psg", "-l", "-t", "-j", "1"], "names.txt"),
    ("psembed", ["-m", "m.psm", "-x", "x.psr", "-g", "g.psg", "-t", "--boards", "boards.txt", "-w", "20", "-T", "3", "-j", "1"], "new.psr"),
    ("psembed", ["-m", "m.psm", "-x", "x.psr", "-n", "n.psr", "--new", "n.psr", "-j", "2"], "x.psr"),
    ("psembed", ["-m", "m.psm", "-n", "n.psr", "--update", "z.psr", "--old-x", "x2.psr", "--old-n", "n.psr", "-j", "1"], "x.psr"),
    ("psembed", ["-m", "m.psm", "--invert"], "n.psr"),
    ("psembed", ["-m", "m.psm", "--project", "1", "-j", "1"], "x.psr"),
    ("psembed", ["-m", "m.psm", "--scatter", "inverted.psr", "-j", "1"], "projected.psr"),
    ("psembed", ["-m", "m.psm", "--gather", "1", "-x", "x.psr", "-j", "1"], "sums.psr"),
    ("psknn", ["-g", "g.psg", "-x", "z.psr", "-k", "3", "-j", "2", "-a"], None),
    ("psknn", ["-g", "g.psg", "-x", "z.psr", "-k", "3", "-j", "1", "-t", "-l"], "names.txt"),
    ("psknn", ["-x", "z.psr", "-B", "ivf", "-j", "1"], None),
    ("psknn", ["-x", "z.psr", "-B", "lsh", "-j", "2"], None),
    ("psknn", ["-x", "z2.psr", "-B", "ivf", "--update", "i.psi", "-j", "1"], None),
    ("psknn", ["-x", "z2.psr", "-B", "lsh", "--update", "l.psi", "-j", "2"], None),
    ("psknn", ["-g", "g.psg", "-x", "z.psr", "--index", "i.psi", "-k", "3", "-j", "1", "-a"], None),
    ("psknn", ["-g", "g.psg", "-x", "z.psr", "--index", "l.psi", "-k", "3", "-j", "1", "-t", "-l"], "names.txt"),
    ("psknn", ["-g", "g.psg", "--boards", "-k", "3", "-j", "1", "-a", "--mmr", ".5"], None),
    ("psknn", ["-g", "g.psg", "-x", "z.psr", "--sets", "-t", "-k", "3", "--groups", "groups.txt", "--per-group", "1", "-j", "1",
               "--deny", "deny.txt"], "sets.txt"),
    ("pseval", ["-g", "g.psg", "-p", "valid.psr", "-j", "1"], "hits.psr"),
    ("pseval", ["-g", "g.psg", "-p", "valid.psr", "-x", "z.psr", "-J", "-j", "2", "--against", "x.psr"], None),
    ("pseval", ["-g", "g.psg", "-p", "valid.psr", "-j", "2", "--bootstrap", "20", "--breakdown", "--distribution", "50", "-J", "hits.psr",
                "z.psr", "x.psr"], None),
    ("pseval", ["-g", "g.psg", "-t", "-p", "pairs.tsv", "--boards", "-j", "1"], None),
    ("psview", ["-g", "g.psg"], "hits.psr"),
    ("psview", ["--npy"], "x.psr"),
    ("psview", ["-g", "g.psg", "--npz"], "x.psr"),
    ("psview", ["-g", "g.psg", "--word2vec", "-j", "1"], "x.psr"),
    ("psview", ["--edges", "g.psg"], None),
    ("psview", ["-c", "-g", "g.psg", "n.psr", "m.psm", "g.psg", "i.psi", "l.psi", "state", "check"], None),
    ("psview", ["-J", "m.psm"], None),
    ("psview", ["-H", "i.psi", "terms", "check"], None),
    ("psview", ["-t", "-K", "hits", "-d", "3", "-g", "g.psg"], "hits.txt"),
    ("psview", ["--sort", "-M", "1M", "--tmp", "."], "many.psr"),
]
TRANSFER = ["fail", "short", "eintr"]
WAYS = {"alloc": ["fail", "stuck"], "write": TRANSFER + ["stuck", "kill"], "pwrite": TRANSFER + ["stuck", "kill"], "read": TRANSFER,
        "pread": TRANSFER, **{kind: ["fail", "kill"] for kind in ("open", "fsync", "rename", "close", "ftruncate")}}

failures, injected, refused, killed = [], {}, 0, 0
lock = threading.Lock()
local = threading.local()


def job_inputs():
    faults.good_inputs()
    n = 14
    write("boards.txt", b"b0\tb1\nb2\n")
    write("sets.txt", b"".join(b"i%d\ti%d\n" % (i, (i + 3) % n) for i in range(3)))
    write("new.tsv", b"new1\tsome text 3\nnew2\twords\n")
    write("groups.txt", b"".join(b"i%d\tgroup%d\n" % (i, i % 3) for i in range(n)))
    write("bias.txt", b"i1\t2\ni2\t0.5\n")
    make("head -n 2 names.txt > deny.txt")
    make("for i in $(seq 4000); do cat visits.psr; done > some.psr; for i in $(seq 10); do cat some.psr; done > many.psr")
    write("edges.csv", b"item,board\n" + b"".join(b'"i%d","b ""%d"""\n' % (i, i % 5) for i in range(n)))
    write("edges.mtx", b"%%%%MatrixMarket matrix coordinate integer general\n%d 6 %d\n" % (n, 2 * n) +
          b"".join(b"%d %d %d\n" % (i + 1, (i * j) % 6 + 1, j) for i in range(n) for j in (1, 2)))
    make("gzip -k edges.tsv visits.psr")
    make("psview -g g.psg --npz x.psr > f.npz")
    make("psfeat -g g.psg -t -d 4 --sketch 4 --save state < items.tsv > /dev/null")
    make("psfeat -g g.psg -t -d 4 --lsa --board-terms --save terms < items.tsv > /dev/null")
    for name, bias in ("x", ""), ("z", "--bias"):  # the same with another first element in some
        make("psview -g g.psg %s.psr | awk -F '\\t' -v OFS='\\t' 'NR > 9 {$2 = .3} 1' | psview -t -K vectors %s -g g.psg > %s2.psr" %
             (name, bias, name))
    make("psknn -x z.psr -B ivf > i.psi; psknn -x z.psr -B lsh > l.psi")
    make("psview --take 2 x.psr --raw > new.psr")
    make("psembed -m m.psm --invert < n.psr | psview --raw -S > inverted.psr; psembed -m m.psm --project 1 < x.psr > projected.psr")
    make("psembed -m m.psm --scatter inverted.psr < projected.psr | psview --raw -S > sums.psr")
    make("pstrain -g g.psg -x x.psr -n n.psr -p valid.psr -c check --every 0 %s < pairs.psr > /dev/null" % " ".join(TRAIN))


def folder():
    if not hasattr(local, "folder"):
        with lock:
            local.folder = "run%d" % len([f for f in os.listdir(".") if f.startswith("run")])
            os.mkdir(local.folder)
    return local.folder


def start(job, fault, extra):
    where = folder()
    at = os.path.join(where, "result")
    args = [os.path.join(where, a[1:]) if a[0] == "+" else a for a in job[1]]
    env = {**os.environ, "LD_PRELOAD": SHIM, "OPENBLAS_NUM_THREADS": "1", **extra}
    if fault:
        env["PS_FAULT"] = fault
    with open(job[2] or os.devnull, "rb") as source:
        try:
            return subprocess.run([faults.tool(job[0])] + args + ["-o", at], stdin=source, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=env, timeout=60)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(args, "hung", b"", b"")


def collect():
    """The files that a run left, taken away."""
    where = folder()
    files = {name: read(os.path.join(where, name)) for name in os.listdir(where)}
    for name in files:
        os.unlink(os.path.join(where, name))
    return files


def good_run(job):
    result = start(job, None, {"PS_FAULT_COUNT": os.path.join(folder(), "counts")})
    files = collect()
    counts = {k: int(v) for k, v in (line.split() for line in files.pop("counts", b"").decode().splitlines())}
    if result.returncode or result.stderr or not counts:
        sys.exit("nothing wrong, and yet: %s: status %s: %s" % (shown(job), result.returncode, result.stderr.decode()))
    return files, counts


def shown(job):
    return " ".join([job[0]] + job[1])


def goes_on(checkpoint):
    mine = folder() + ".check"
    write(mine, checkpoint)
    job = next(j for j in JOBS if "--resume" in j[1])
    with open(job[2], "rb") as source:
        return subprocess.run([faults.tool(job[0])] + [mine if a == "check" else a for a in job[1]] + ["-o", os.devnull],
                              stdin=source, stderr=subprocess.DEVNULL).returncode == 0


def kept(good, files, old):
    for name, data in files.items():
        temporary = any(name.startswith(".%s." % g) for g in good)
        if not temporary and data not in (good.get(name), old) and not (name == "check" and goes_on(data)):
            return "killed, it left %s" % name
    return "killed, it took the old output away" if old and "result" not in files else None


def judge(job, how, result, files, good, old):
    """What is wrong with a run, or None."""
    if how == "kill" and result.returncode == -9:
        return kept(good, files, old)
    # Training without a log or a checkpoint is better than none: it warns and goes on.
    warnings = [line for line in result.stderr.splitlines() if job[0] == "pstrain" and
                (line.endswith(b"training goes on") or b"no checkpoint after batch" in line)]
    if result.returncode == 0 and len(warnings) == result.stderr.count(b"\n"):
        wrong = sorted(n for n in set(files) | set(good) if files.get(n) != good.get(n) and (n == "result" or not warnings))
        return "status 0, but other bytes in %s" % wrong if wrong else None
    if how in ("short", "eintr") or result.returncode != 1:
        return "status %s" % result.returncode
    if result.stderr.count(b"\n") - len(warnings) != 1:
        return "%d lines on standard error" % result.stderr.count(b"\n")
    for name, data in files.items():
        if name not in good:
            return "left %s" % name
        # An output that was complete before another failed may stand, and so may any checkpoint that can be gone on from.
        if name == "check":
            if not goes_on(data):
                return "left a checkpoint that cannot be read"
        elif data not in ([good[name], old] if name != "result" or b"training log could not" in result.stderr else [old]):
            return "spoilt %s" % name
    if old and "result" not in files:
        return "took the old output away"
    return None


def inject(job, good, kind, how, n):
    global refused, killed
    where = folder()
    old = b"old\n" if n % 2 and "result" in good else b""
    if old:
        write(os.path.join(where, "result"), old)
    mark = where + ".mark"
    result = start(job, "%s:%s:%d" % (kind, how, n), {"PS_FAULT_MARK": mark})
    files = collect()
    if not os.path.exists(mark):
        return
    os.unlink(mark)
    said = result.stderr.decode(errors="replace")
    wrong = judge(job, how, result, files, good, old)
    if wrong is None and result.returncode == 1 and not said.startswith(job[0] + ": "):
        wrong = "the message does not begin with the tool's name"
    with lock:
        injected[kind] = injected.get(kind, 0) + 1
        refused += result.returncode == 1
        killed += result.returncode == -9
        if wrong:
            failures.append("%s < %s: %s %s at call %d: %s\n    %s" % (shown(job), job[2], kind, how, n, wrong, said[:1500]))


def planned(counts, most=ALL_CALLS):
    for kind, count in counts.items():
        for how in WAYS.get(kind, ["fail"]):
            step = max(1, count // most)
            for n in range(1, count + 1, step):
                yield kind, how, n


def draw(plans, sample, seed):
    """Every job, kind and way as often as others."""
    source = random.Random(seed)
    groups = {}
    for p in plans:
        groups.setdefault((id(p[0]), p[2], p[3]), []).append(p)
    lists = list(groups.values())
    for g in lists:
        source.shuffle(g)
    source.shuffle(lists)
    chosen = []
    for turn in range(max(map(len, lists))):
        chosen += [g[turn] for g in lists if turn < len(g)]
    return chosen[:sample]


def main():
    args, sample, seed = sys.argv[3:], 0, 1
    while args and args[0] in ("--sample", "--seed"):
        sample, seed = (int(args[1]), seed) if args[0] == "--sample" else (sample, int(args[1]))
        args = args[2:]
    job_inputs()
    plans = []
    for job in JOBS:
        if not args or job[0] in args:
            good, counts = good_run(job)
            plans += [(job, good) + p for p in planned(counts)]
    if sample:
        plans = draw(plans, sample, seed)
    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        for future in [pool.submit(inject, *p) for p in plans]:
            future.result()
    total = sum(injected.values())
    print("%d injections (%s): %d refused, %d killed, %d right in spite of them, %d neither" %
          (total, ", ".join("%s %d" % k for k in sorted(injected.items())), refused, killed, total - refused - killed,
           len(failures)))
    for failure in sorted(failures)[:40]:
        print(failure)
    if failures or total < len(plans) // 2:
        sys.exit("%d of %d injections not met as they should be" % (len(failures), total))
    for name in os.listdir("."):
        if os.path.isdir(name):
            shutil.rmtree(name)


if __name__ == "__main__":
    main()
