#!/usr/bin/env python3
"""Makes one call of the system at a time fail under the tools that scripts run.

usage: scripts.py BIN SHIM [MOST]

Each row of SCRIPTS is run with the n-th call of one of its tools failing, for at most about MOST n (default 6) of each kind and way.
The script must end with the right bytes and status 0, or with status 1, one line, and what was there before under its output's name.
Standard library only.
"""
import os
import shutil
import subprocess
import sys

from inject import SHIM, collect, faults, folder, job_inputs, planned, read, write

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOST = int(sys.argv[3]) if len(sys.argv) > 3 else 6
SCRIPTS = [  # (script, output, arguments, the tool that fails)
    ("psplot", "out.dot", ["near", "g.psg", "i1", "3"], "psneigh"),
    ("psplot", "out.dot", ["near", "g.psg", "i1", "3"], "psview"),
    ("psplot", "out.svg", ["map", "z.psr", "g.psg"], "psview"),
    ("psreport", "page", ["-g", "g.psg", "-p", "pairs.tsv", "--no-map", "z=z.psr", "hits=hits.psr"], "pseval"),
    ("psreport", "page", ["-g", "g.psg", "-p", "pairs.tsv", "--no-map", "z=z.psr"], "psknn"),
]


def start(script, extra):
    name, out, arguments, tool = script
    env = {**os.environ, "LD_PRELOAD": SHIM, "OPENBLAS_NUM_THREADS": "1", "PS_BIN": faults.BIN, "PS_FAULT_IN": tool, **extra}
    return subprocess.run([sys.executable, os.path.join(ROOT, "scripts", name), "-o", os.path.join(folder(), out)] + arguments,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=600)


def judge(result, files, good, old):
    """What is wrong with a run, or None."""
    if result.returncode == 0:
        return None if files == good else "status 0, but other bytes"
    if result.returncode != 1 or result.stderr.count(b"\n") != 1:
        return "status %s, %d lines" % (result.returncode, result.stderr.count(b"\n"))
    return None if files == old else "it left %s" % sorted(files)


def main():
    job_inputs()
    count, refused, failures = 0, 0, []
    for script in SCRIPTS:
        if script[2][0] == "map" and not shutil.which("gnuplot"):
            continue
        result = start(script, {"PS_FAULT_COUNT": "counts"})
        good = collect()
        if result.returncode or result.stderr or len(good) != 1:
            sys.exit("nothing wrong, and yet: %s: status %s: %s" % (script, result.returncode, result.stderr.decode()))
        calls = {k: int(v) for k, v in (line.split() for line in read("counts").decode().splitlines())}
        for kind, how, n in planned(calls, MOST):
            old = {script[1]: b"old\n"} if n % 2 else {}
            for name, data in old.items():
                write(os.path.join(folder(), name), data)
            result = start(script, {"PS_FAULT": "%s:%s:%d" % (kind, how, n), "PS_FAULT_MARK": "mark"})
            wrong = judge(result, collect(), good, old)
            if os.path.exists("mark"):
                os.unlink("mark")
                count += 1
                refused += result.returncode == 1
            if wrong:
                failures.append("%s: %s %s at call %d: %s\n    %s" %
                                (" ".join([script[0]] + script[2]), kind, how, n, wrong, result.stderr.decode(errors="replace")[:1500]))
    print("%d faults under scripts: %d refused, %d right in spite of them, %d neither" %
          (count, refused, count - refused - len(failures), len(failures)))
    for failure in failures[:40]:
        print(failure)
    if failures or refused < count // 4 or not count:
        sys.exit("not as it should be")


if __name__ == "__main__":
    main()
