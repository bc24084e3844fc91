"""scripts/psspark with an engine of this process in Spark's place: the bytes of one machine, and every planted loss refused.

Arguments: scripts, the folder of the tools, and a folder with m.psm (two layers), x.psr, n.psr, z.psr, g.psg, edges.psr, sorted.psr.
"""
import argparse
import importlib.machinery
import importlib.util
import os
import random
import shutil
import subprocess
import sys

scripts, tools, data = (os.path.abspath(p) for p in sys.argv[1:])
loader = importlib.machinery.SourceFileLoader("psspark", scripts + "/psspark")
sys.dont_write_bytecode = True
psspark = importlib.util.module_from_spec(importlib.util.spec_from_loader("psspark", loader))
loader.exec_module(psspark)
psparts = psspark.psparts
PARTS = 3
rng = random.Random(1)


class Here(psspark.Run):
    """Tasks one after the other; rows come mixed up.  `meddle` has what is planted between tasks."""

    def __init__(self, args, settings, meddle):
        super().__init__(args, settings)
        self.meddle, self.stages = meddle, 0

    def each(self, parts, work):
        return [work(i) for i in range(parts)]

    def shuffle(self, sources, targets, produce, consume):
        self.stages += 1
        got = [[] for _ in range(targets)]
        for source in range(sources):
            for target, row in produce(source):
                got[target].append(row)
        for rows in got:
            rng.shuffle(rows)
        self.meddle("shuffle", self.stages, got)
        return [consume(t, iter(rows)) for t, rows in enumerate(got)]

    def commit_stage(self, folder, done, stage):
        stream = super().commit_stage(folder, done, stage)
        self.meddle("parts", self.stages, folder)
        return stream


OPTIONS = {
    "embed": dict(model="m.psm", vectors="x.psr", neighbours="n.psr", texts=None),
    "neigh": dict(graph="g.psg", items=None, top=8, steps=1000, restart=".5", seed=1),
    "sort": dict(input="edges.psr"),
}
WANTED = {"embed": "z.psr", "neigh": "n.psr", "sort": "sorted.psr"}


def run(command, folder=None, meddle=lambda *_: None):
    """What psspark would say; None: it is done, and the output is right."""
    args = dict(parts=PARTS, master=None, conf=[], bin=folder or tools, tmp=os.getcwd(), memory="16M", threads=1, verbose=0,
                command=command, output="out")
    args.update({k: data + "/" + v if isinstance(v, str) and os.path.exists(data + "/" + v) else v
                 for k, v in OPTIONS[command].items()})
    job = Here(argparse.Namespace(**args), {**args, "model": args.get("model"), "texts": None}, meddle)
    try:
        {"embed": psspark.command_embed, "neigh": psspark.command_neigh, "sort": psspark.command_sort}[command](job)
    except psparts.Failed as e:
        assert not os.path.exists("out"), "failed, but there is an output"
        return str(e)
    finally:
        job.close()
        assert not [n for n in os.listdir(".") if n.startswith(".out")], "something is left"
    text = subprocess.check_output([tools + "/psview", "--raw", "out/manifest"])
    shutil.rmtree("out")
    with open(data + "/" + WANTED[command], "rb") as f:
        assert text == f.read(), command + ": not the bytes of one machine"
    return None


def planted(name, step, does):
    """A folder of tools in which `name`, where it is called with `step`, does something else."""
    shutil.rmtree("bin", ignore_errors=True)
    os.mkdir("bin")
    for tool in os.listdir(tools):
        os.symlink(tools + "/" + tool, "bin/" + tool)
    os.remove("bin/" + name)
    with open("bin/" + name, "w") as f:
        f.write("#!/bin/sh\nreal='%s/%s' psview='%s/psview'\ncase \" $* \" in *' %s '*) ;; *) exec \"$real\" \"$@\" ;; esac\n%s\n"
                % (tools, name, tools, step, does))
    os.chmod("bin/" + name, 0o755)
    return os.path.abspath("bin")


def refused(what, said, *patterns):
    assert said is not None, what + ": not noticed"
    assert any(p in said for p in patterns), (what, said)


for command in OPTIONS:
    assert run(command) is None

# ---- filters that lose or repeat a record, in streams that are whole ----
FILTERS = [("embed", "psembed", step) for step in ("--invert", "--project", "--scatter", "--gather")]
FILTERS += [("embed", "psview", "-S"), ("sort", "psview", "-S"), ("neigh", "psneigh", "-T")]
for command, name, step in FILTERS:
    for does in ('"$real" "$@" | "$psview" --raw --skip 1',
                 '"$real" "$@" >held.$$; { cat held.$$; "$psview" --raw --take 1 held.$$; } | "$psview" --raw; rm held.$$'):
        refused("%s %s: %s" % (name, step, does), run(command, planted(name, step, does)), "records came out", ": psembed: ")
    refused(name + " ends early", run(command, planted(name, step, '"$real" "$@" | head -c 700; exit 0')), "its output", "stopped reading")
    refused(name + " fails", run(command, planted(name, step, "cat >/dev/null; echo the reason >&2; exit 3")), "the reason")

# ---- rows that get lost, come twice or change between map and reduce, at every stage ----


def lose(got):
    got[1].pop(next(i for i, row in enumerate(got[1]) if row[1] >= 0))


def repeat(got):
    got[1].append(next(row for row in got[1] if row[1] >= 0))


def change(got):
    i = next(i for i, row in enumerate(got[1]) if row[1] >= 0)
    source, number, count, crc, block = got[1][i]
    got[1][i] = (source, number, count, crc, block[:8] + bytes([block[8] ^ 1]) + block[9:])


def swap(got):
    got[0], got[1] = got[1], got[0]


def forget(got):
    """All that one source sent."""
    got[1] = [row for row in got[1] if row[0] != 2]


for command, stages in (("embed", 3), ("sort", 1)):
    for stage in range(1, stages + 1):
        for fault in (lose, repeat, change, forget):
            refused("%s, stage %d: %s" % (command, stage, fault.__name__),
                    run(command, meddle=lambda kind, at, got: kind == "shuffle" and at == stage and fault(got)),
                    ", part 1: ")

# ---- parts that vanish, are cut off, damaged, or others than the stage wrote, between the stages ----


def vanish(path):
    os.remove(path)


def cut(path):
    os.truncate(path, os.path.getsize(path) - 100)


def damage(path):
    with open(path, "r+b") as f:
        f.seek(-60, 2)
        byte = f.read(1)[0]
        f.seek(-1, 1)
        f.write(bytes([byte ^ 1]))


def shorten(path):
    """A whole stream, with a record fewer."""
    text = subprocess.check_output([tools + "/psview", "--raw", "--skip", "1", path])
    with open(path, "wb") as f:
        f.write(text)


for stage in (1, 2):
    for fault in (vanish, cut, damage, shorten):
        said = run("embed", meddle=lambda kind, at, folder: kind == "parts" and at == stage and fault(folder + "/part-00001.psr"))
        refused("stage %d: a part: %s" % (stage, fault.__name__), said, "cannot open", "truncated", "not the part", "CRC")

# ---- the input changes while it is read: behind the map, before the reduce ----
own = os.getcwd() + "/x.psr"
for offset in (-60, -2000):
    shutil.copy(data + "/x.psr", own)
    OPTIONS["embed"]["vectors"] = own

    def late(kind, at, _):
        if kind == "shuffle" and at == 2:
            with open(own, "r+b") as f:
                f.seek(offset, 2)
                f.write(b"\x01")
    refused("vectors that change", run("embed", meddle=late), "has changed since it was read", "CRC")
