#!/usr/bin/env python3
"""Gives every tool inputs that are broken, and a system that refuses.

usage: faults.py BIN [--every N] [TOOL ...]

In an empty folder it makes small good inputs with the tools themselves, then runs each row of JOBS with one
thing wrong at a time.  Whatever is wrong, a tool must end with status 1 (2 for wrong usage), say so in one line
that begins with its name and names the file, and leave nothing new under the name of its output, nor beside it.
--every N: only every N-th of the single-byte faults, for slow builds.  Standard library only.
"""
import concurrent.futures
import os
import random
import shutil
import struct
import subprocess
import sys
import threading
import zlib

BIN = os.path.abspath(sys.argv[1])
EVERY = 1
RANDOM_PLACES = 12

# A job: tool, its arguments, the file on its standard input.  "@name" is a file that can be broken.
# Flags: "graph" - a file with another graph's fingerprint must be refused; "numbers" - and a number that is no
# node; "anykind" - any kind of records will do; "silent" - nothing is written when all is well.
TRAIN = ["--epochs", "1", "--hidden", "4", "-d", "4", "--batch", "8", "--negatives", "4", "-j", "1"]
JOBS = [
    ("psgraph-build", ["-t", "-I", "@items.tsv"], "edges.tsv", ""),
    ("psgraph-build", [], "edges.psr", ""),
    ("psfeat", ["-g", "@g.psg", "-t", "-d", "4", "--sketch", "4"], "items.tsv", ""),
    ("psfeat", ["-g", "@g.psg", "--sketch", "4", "-x", "@x.psr"], None, "graph numbers"),
    ("psfeat", ["-g", "@g.psg", "--sketch", "4", "--npy", "@f.npy", "-I", "@names.txt"], None, ""),
    ("pswalk", ["-g", "@g.psg", "-w", "20", "-j", "1"], "ids.psr", "graph numbers"),
    ("pswalk", ["-g", "@g.psg", "-w", "20", "-j", "1", "-t", "-k", "3"], "names.txt", ""),
    ("psneigh", ["-T", "3"], "visits.psr", ""),
    ("psneigh", ["-g", "@g.psg", "-T", "3", "-w", "20", "-j", "1"], "ids.psr", "graph numbers"),
    ("psneigh", ["-g", "@g.psg", "-T", "3", "-w", "20", "-j", "1", "-t"], "names.txt", ""),
    ("pstrain", ["-g", "@g.psg", "-x", "@x.psr", "-n", "@n.psr", "-p", "@valid.psr"] + TRAIN, "pairs.psr", "graph numbers"),
    ("pstrain", ["-g", "@g.psg", "-x", "@x.psr", "-n", "@n.psr", "-t"] + TRAIN, "pairs.tsv", "graph numbers"),
    ("psembed", ["-m", "@m.psm", "-n", "@n.psr", "-j", "1"], "x.psr", "graph"),
    ("psknn", ["-g", "@g.psg", "-x", "@z.psr", "-k", "3", "-j", "1"], "ids.psr", "graph numbers"),
    ("psknn", ["-g", "@g.psg", "-x", "@z.psr", "-k", "3", "-j", "1", "-t"], "names.txt", "graph numbers"),
    ("psknn", ["-g", "@g.psg", "-x", "@z.psr", "-k", "3", "-j", "1", "-Q", "@q.psr"], None, "graph numbers"),
    ("pseval", ["-g", "@g.psg", "-p", "@valid.psr", "-j", "1"], "hits.psr", "graph numbers"),
    ("pseval", ["-g", "@g.psg", "-p", "@valid.psr", "-x", "@z.psr", "-j", "1"], None, "graph numbers"),
    ("pseval", ["-g", "@g.psg", "-p", "@valid.psr", "-j", "1", "--bootstrap", "5", "@hits.psr", "@z.psr"], None, "graph numbers"),
    ("psview", ["-g", "@g.psg", "--npz"], "x.psr", "graph"),
    ("psview", ["-g", "@g.psg"], "hits.psr", "graph numbers anykind"),
    ("psview", ["--raw", "@x.psr"], None, "anykind"),
    ("psview", ["--npy"], "x.psr", ""),
    ("psview", ["-c", "-g", "@g.psg", "@n.psr"], None, "graph numbers anykind silent"),
    ("psview", ["-c", "@m.psm"], None, "anykind silent"),
    ("psview", ["-H", "@g.psg"], None, "anykind"),
    ("psview", ["-C"], "sparse.psr", "anykind"),
    ("psview", ["-t", "-K", "hits", "-d", "3", "-g", "@g.psg"], "hits.txt", ""),
]
OTHER_GRAPH = "another graph's fingerprint"
NOTHING = os.open(os.devnull, os.O_RDONLY)

failures = []
seen = set()
counted = {}
lock = threading.Lock()
local = threading.local()


def tool(name):
    return os.path.join(BIN, name)


# ---- good inputs ----

def make(command):
    result = subprocess.run(["sh", "-c", "set -e; " + command], capture_output=True,
                            env={**os.environ, "PATH": BIN + ":" + os.environ["PATH"]})
    if result.returncode:
        sys.exit("the good inputs cannot be made: %s\n%s" % (command, result.stderr.decode()))


def write(name, data):
    with open(name, "wb") as f:
        f.write(data)


def read(name):
    with open(name, "rb") as f:
        return f.read()


def good_inputs():
    n = 14
    write("edges.tsv", b"".join(b"i%d\tb%d\n" % (i, (i * j + i) % 6) for i in range(n) for j in range(4)))
    write("items.tsv", b"".join(b"i%d\tsome text %d\n" % (i, i % 5) for i in range(n)))
    write("names.txt", b"".join(b"i%d\n" % i for i in range(n)))
    write("pairs.tsv", b"".join(b"i%d\ti%d\n" % (i, (i + 5) % n) for i in range(n)))
    write("hits.txt", b"".join(b"i%d\ti%d\t%d\n" % (i, (i + k) % n, 3 - k) for i in range(n) for k in (1, 2)))
    make("psgraph-build -t -I items.tsv < edges.tsv > g.psg")
    make("psview --edges g.psg | psview -t -K edges -g g.psg > edges.psr")
    make("psview -t -K ids -g g.psg < names.txt > ids.psr")
    make("psview -t -K pairs -g g.psg < pairs.tsv > pairs.psr; cp pairs.psr valid.psr")
    make("psview -t -K hits -d 3 -g g.psg < hits.txt > hits.psr")
    make("printf 'i1\\ti2\\t3\\ni1\\ti4\\t1\\ni2\\ti1\\t2\\n' | psview -t -K visits -g g.psg > visits.psr")
    make("printf 'i1\\t2\\t3\\ni1\\t4\\t-1\\ni2\\t1\\t2\\n' | psview -t -K sparse -d 8 -g g.psg > sparse.psr")
    write("vectors.txt", b"".join(b"i%d" % i + b"".join(b"\t%.4f" % ((i * 7 + j * 5) % 11 / 11 - .4)
                                                      for j in range(9)) + b"\n" for i in range(n)))
    make("psview -t -K vectors -g g.psg < vectors.txt > x.psr; psview --npy x.psr > f.npy")
    write("neighbours.txt", b"".join(b"i%d\ti%d\t%s\n" % (i, (i + k) % n, (b"0.75", b"0.25")[k - 1])
                                   for i in range(n) for k in (1, 2)))
    make("psview -t -K neighbours -d 3 -g g.psg < neighbours.txt > n.psr")
    if os.path.exists(tool("pstrain")):
        make("pstrain -g g.psg -x x.psr -n n.psr %s < pairs.psr > m.psm" % " ".join(TRAIN))
    if os.path.exists(tool("psembed")) and os.path.exists("m.psm"):
        make("psembed -m m.psm -n n.psr -j 1 < x.psr > z.psr")
        make("cp z.psr q.psr")
    os.mkdir("folder")


# ---- breaking them ----

def header_length(data):
    if data[:4] == b"\x89PSR":
        return struct.unpack_from("<I", data, 44)[0]
    if data[:4] == b"\x89PSG":
        return struct.unpack_from("<I", data, 12)[0]
    if data[:4] == b"\x89PSM":
        return 32
    return 80  # .npy: magic and shape


def places(data, first, seed, thorough):
    """Bytes of the header, and some of the rest by the seed.  Once for each way that a tool reads a format:
    every byte of the fixed part, of history or section table every 4th (psview: every byte)."""
    draw = random.Random(seed)
    length = min(header_length(data), len(data))
    rest = draw.sample(range(length, len(data)), min(RANDOM_PLACES, len(data) - length))
    step = EVERY * (1 if thorough else 9)
    fixed = range(first + draw.randrange(step), min(64, length), step)
    step *= 1 if thorough == "psview" else 4
    later = range(64 + draw.randrange(step), length, step)
    return list(fixed) + list(later) + sorted(rest)[::1 if step < 9 else 3]


def covered(data, at):
    """Is this byte under some check?  Between the sections of a graph there is nothing."""
    if data[:4] != b"\x89PSG":
        return at < len(data) if data[:2] != b"\x93N" else at < 10
    if at < header_length(data):
        return True
    for i in range(struct.unpack_from("<H", data, 10)[0]):
        begin, size = struct.unpack_from("<QQ", data, 64 + 32 * i + 8)
        if begin <= at < begin + size:
            return True
    return False


def flip(data, at, bit):
    out = bytearray(data)
    out[at] ^= 1 << bit
    return bytes(out)


def with_head(data, at, code, value):
    """A stream whose header says something else, and has the CRC to it."""
    out = bytearray(data)
    struct.pack_into("<" + code, out, at, value)
    length = min(struct.unpack_from("<I", out, 44)[0], len(out))
    struct.pack_into("<I", out, 60, 0)
    struct.pack_into("<I", out, 60, zlib.crc32(bytes(out[:max(length, 64)])))
    return bytes(out)


def with_record(data, at, code, value):
    """A stream with other bytes in its first record, and the CRCs to them."""
    out = bytearray(data)
    begin, = struct.unpack_from("<I", out, 44)
    struct.pack_into("<" + code, out, begin + at, value)
    end = len(out) - 32
    struct.pack_into("<I", out, end + 24, zlib.crc32(bytes(out[begin:end])))
    struct.pack_into("<I", out, end + 28, zlib.crc32(bytes(out[end:end + 28])))
    return bytes(out)


def packed(data):
    z = zlib.compressobj(6, zlib.DEFLATED, 31)
    return z.compress(data) + z.flush()


def binary_faults(name, data, flags, thorough):
    """(what, bytes) for a binary file."""
    kind = data[1:4]
    yield "empty", b""
    for at in places(data, 1, "cut " + name, thorough):
        yield "cut at byte %d" % at, data[:at]
    yield "cut before its last byte", data[:-1]
    for at in places(data, 0, "flip " + name, thorough):
        if covered(data, at) and not (kind == b"NUM" and at >= 10):
            yield "bit flipped at byte %d" % at, flip(data, at, (at * 5 + 3) % 8)
    small = packed(data)
    for at in (1, 5, len(small) // 2, len(small) - 1):
        yield "gzip cut at byte %d" % at, small[:at]
    yield "gzip damaged", flip(small, len(small) // 2, 2)
    yield "gzip with a wrong CRC", flip(small, len(small) - 7, 0)
    yield "text", b"these are words\n" * 20
    if kind != b"NUM":
        yield "a text-mode transfer", data.replace(b"\r\n", b"\n", 1)
    if kind == b"PSR":
        yield from stream_faults(name, data, flags)


def stream_faults(name, data, flags):
    yield "a version from the future", with_head(data, 8, "H", 2)
    yield "a kind from the future", with_head(data, 10, "B", 77)
    if data[10] != 8:
        yield "a dimension that does not fit", with_head(data, 20, "I", 0xffffffff)
    yield "a huge record size", with_head(data, 16, "I", 0xffffffff)
    yield "a huge count", with_head(data, 32, "Q", 1 << 60)
    yield "a header longer than the file", with_head(data, 44, "I", 65536)
    yield "another end", data + b"more"
    if "anykind" not in flags:
        yield "a graph instead", read("g.psg")
        yield "a wrong kind", read("edges.psr" if name != "edges.psr" else "ids.psr")
    else:
        yield "another kind behind it", data + read("edges.psr")
    if "graph" in flags:
        yield OTHER_GRAPH, with_head(data, 24, "Q", 0x1234567)
    if "numbers" in flags:
        yield "a node that is not in the graph", with_record(data, 0, "I", 4000000)
    if data[10] == 7:
        yield "NaN", with_record(data, 8, "f", float("nan"))
        yield "infinity", with_record(data, 8, "f", float("inf"))
    if data[10] == 5:
        yield "a weight that is NaN", with_record(data, 8, "f", float("nan"))


def text_faults(name, data, job):
    yield "a line too long", data + b"i" * ((1 << 20) + 5) + b"\n"
    yield "a NUL byte", data + b"i1\0\ti2\t3\n"
    yield "records instead", read("ids.psr")
    if name != "items.tsv" or job[0] != "psgraph-build":
        bad = {"edges.tsv": b"nobody\tb1\n", "hits.txt": b"i1\tnobody\t1\n", "pairs.tsv": b"i1\tnobody\n"}
        yield "a name that is not in the graph", data + bad.get(name, b"nobody\ta\n" if name == "items.tsv" else b"nobody\n")
    if name == "pairs.tsv":
        yield "a weight that is NaN", data + b"i1\ti2\tnan\n"
    if name in ("edges.tsv", "hits.txt"):
        yield "a value that is NaN", data + b"i1\tb1\tnan\n" if name == "edges.tsv" else data + b"i1\ti2\tnan\n"


# ---- one run ----

def folder():
    if not hasattr(local, "folder"):
        with lock:
            local.folder = "out%d" % len(os.listdir("."))
            os.mkdir(local.folder)
    return local.folder


def complain(argv, what, why, err=b""):
    said = err.decode(errors="replace")[:600]
    with lock:
        failures.append("%s: %s: %s%s" % (" ".join(argv), what, why, "\n    " + said if said else ""))


def judge(argv, what, result, status, names):
    err = result.stderr
    shown = [os.path.basename(argv[0])] + argv[1:]
    if result.returncode < 0:
        return complain(shown, what, "died of signal %d" % -result.returncode, err)
    if result.returncode != status:
        return complain(shown, what, "status %d, not %d" % (result.returncode, status), err)
    if err.count(b"\n") != 1 or not err.endswith(b"\n"):
        return complain(shown, what, "%d lines on standard error, not one" % err.count(b"\n"), err)
    if not err.startswith(os.path.basename(argv[0]).encode() + b": "):
        return complain(shown, what, "the message does not begin with the tool's name", err)
    if names and not any(n.encode() in err for n in names):
        return complain(shown, what, "the message does not name " + " or ".join(names), err)
    return None


def run(argv, what, stdin=None, status=1, names=(), prefix=(), out=None):
    """Runs with -o on a name that exists or not by turns; stdin: bytes, a file's name, a descriptor or None."""
    where = folder()
    target = out or os.path.join(where, "result")
    old = zlib.crc32(what.encode()) % 2 == 0
    if old and not out:
        write(target, b"old\n")
    source = {"input": stdin} if isinstance(stdin, bytes) else \
        {"stdin": NOTHING if stdin is None else open(stdin, "rb") if isinstance(stdin, str) else stdin}
    result = subprocess.run(list(prefix) + argv + ["-o", target], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            close_fds=False, timeout=60, **source)
    if isinstance(stdin, str):
        source["stdin"].close()
    with lock:
        counted[os.path.basename(argv[0])] = counted.get(os.path.basename(argv[0]), 0) + 1
    judge(argv, what, result, status, names)
    shown = [os.path.basename(argv[0])] + argv[1:]
    if result.stdout:
        complain(shown, what, "wrote to standard output in spite of -o")
    left = sorted(os.listdir(where))
    if left != (["result"] if old and not out else []):
        complain(shown, what, "left %s beside its output" % left)
    elif left and read(target) != b"old\n":
        complain(shown, what, "spoilt the file that had the output's name")
    for name in left:
        os.unlink(os.path.join(where, name))


# ---- all faults of a job ----

def arguments(job, broken=None, by=None):
    return [tool(job[0])] + [by if a == broken else a[1:] if a[0] == "@" else a for a in job[1]]


def damaged_inputs(job, submit):
    tool_name, args, stdin, flags = job
    files = [a for a in args if a[0] == "@"]
    for role in files + ([stdin] if stdin else []):
        file = role.lstrip("@")
        data = read(file)
        is_text = file.endswith((".tsv", ".txt"))
        way = (tool_name, data[:4], role[0] == "@")
        thorough = None if way in seen else "psview" if tool_name == "psview" else "once"
        seen.add(way)
        for what, bad in text_faults(file, data, job) if is_text else \
                binary_faults(file, data, flags.split(), thorough):
            submit(damaged, job, role, what, bad)


def damaged(job, role, what, bad):
    path = "%s.bad" % folder() if role[0] == "@" else "<stdin>"
    # Of two streams that do not belong together either may be named.
    names = [path] + ([f.lstrip("@") for f in job[1]] + ["<stdin>"] if what == OTHER_GRAPH else [])
    what = "%s: %s" % (role.lstrip("@"), what)
    if role[0] != "@":
        return run(arguments(job), what, bad, names=names)
    write(path, bad)
    return run(arguments(job, role, path), what, job[2], names=names)


def missing_files(job, submit, locked_prefix):
    for role in [a for a in job[1] if a[0] == "@"]:
        for what, path in (("missing", "nowhere/file"), ("a folder", "folder")):
            submit(run, arguments(job, role, path), "%s: %s" % (role[1:], what), job[2], 1, [path])
        if locked_prefix is not None:
            submit(run, arguments(job, role, "locked"), role[1:] + ": no permission", job[2], 1, ["locked"],
                   locked_prefix)
    if job[2]:
        submit(folder_as_stdin, job)


def folder_as_stdin(job):
    fd = os.open("folder", os.O_RDONLY)
    run(arguments(job), "a folder as standard input", fd, 1, ["<stdin>"])
    os.close(fd)


def misuse(job, submit):
    for extra in (["--nonsense"], ["-%"], ["-j", "0"], ["-j", "many"], ["-s", "-1"], ["-j"], ["-s", "1e99"]):
        submit(bare, arguments(job) + extra, "wrong usage", job[2], 2)
    if job[0] not in ("psview", "pseval"):  # they take files
        surplus = ["surplus", "operand"] if job[0] == "pstrain" else ["surplus"]  # it takes its pairs
        submit(bare, arguments(job) + surplus, "surplus operand", job[2], 2)


def bare(argv, what, stdin, status, stdout=subprocess.PIPE, names=()):
    with open(stdin or os.devnull, "rb") as source:
        result = subprocess.run(argv, stdin=source, stdout=stdout, stderr=subprocess.PIPE, close_fds=False, timeout=60)
    with lock:
        counted[os.path.basename(argv[0])] = counted.get(os.path.basename(argv[0]), 0) + 1
    if result.stdout:
        complain(argv, what, "wrote to standard output")
    judge(argv, what, result, status, names)


def refusing_outputs(job, submit, locked_prefix):
    submit(run, arguments(job), "-o in a folder that does not exist", job[2], 1, ["nowhere/out"], (), "nowhere/out")
    submit(run, arguments(job), "-o is a folder", job[2], 1, ["folder"], (), "folder")
    if locked_prefix is not None:
        submit(run, arguments(job), "-o in a folder without permission", job[2], 1, ["sealed/out"], locked_prefix,
               "sealed/out")
    if "silent" in job[3]:
        return
    submit(full_stdout, job)
    submit(run, arguments(job), "-o /dev/full", job[2], 1, ["/dev/full"], (), "/dev/full")
    submit(closed_pipe, job)


def full_stdout(job):
    with open("/dev/full", "wb") as full:
        bare(arguments(job), "/dev/full as standard output", job[2], 1, full, ["<stdout>"])


def closed_pipe(job):
    """A reader that is gone ends a program silently, by SIGPIPE."""
    r, w = os.pipe()
    os.close(r)
    with open(job[2] or os.devnull, "rb") as source:
        result = subprocess.run(arguments(job), stdin=source, stdout=w, stderr=subprocess.PIPE, timeout=60)
    os.close(w)
    if result.returncode != -13 or result.stderr:
        complain(arguments(job), "a closed pipe", "status %d" % result.returncode, result.stderr)


def good_run(job):
    """Otherwise all the rest says nothing."""
    with open(job[2] or os.devnull, "rb") as source:
        result = subprocess.run(arguments(job), stdin=source, capture_output=True, timeout=60)
    if result.returncode or result.stderr or bool(result.stdout) == ("silent" in job[3]):
        complain(arguments(job), "nothing wrong", "status %d" % result.returncode, result.stderr)
        return False
    return True


def without_permission():
    """What to put before a command so that it may not read what nobody may; None if there is no way."""
    write("locked", read("g.psg"))
    os.chmod("locked", 0)
    os.mkdir("sealed")
    os.chmod("sealed", 0o500)
    if os.getuid() != 0:
        return []
    prefix = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--"]
    try:
        refused = subprocess.run(prefix + ["cat", "locked"], capture_output=True).returncode != 0
    except FileNotFoundError:
        refused = False
    return prefix if refused else None


def main():
    global EVERY
    args = sys.argv[2:]
    if args and args[0] == "--every":
        EVERY = int(args[1])
        args = args[2:]
    good_inputs()
    prefix = without_permission()
    if prefix is None:
        print("skipped: files without permission (root, and no setpriv to give that up)")
    with concurrent.futures.ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as pool:
        pending = []

        def submit(*call):
            pending.append(pool.submit(*call))

        for job in JOBS:
            absent = [a[1:] for a in job[1] if a[0] == "@" and not os.path.exists(a[1:])]
            if args and job[0] not in args:
                continue
            if not os.path.exists(tool(job[0])) or absent:
                print("skipped: %s %s: %s" % (job[0], " ".join(job[1]), "not built" if not absent else
                                              "no " + ", ".join(absent)))
                continue
            if good_run(job):
                damaged_inputs(job, submit)
                missing_files(job, submit, prefix)
                misuse(job, submit)
                refusing_outputs(job, submit, prefix)
        for future in pending:
            future.result()
    print("runs: " + ", ".join("%s %d" % c for c in sorted(counted.items())))
    for failure in sorted(failures)[:60]:
        print(failure)
    if failures:
        sys.exit("%d faults not met as they should be" % len(failures))
    for name in os.listdir("."):
        if os.path.isdir(name):
            os.chmod(name, 0o700)
            shutil.rmtree(name)


if __name__ == "__main__":
    main()
