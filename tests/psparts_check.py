"""scripts/psparts.py: streams cut, routed and put together; losses of every kind noticed.  Arguments: scripts, a stream of vectors."""
import os
import random
import sys
import tempfile
import zlib

sys.path.insert(0, sys.argv[1])
import psparts
from psparts import Checked, Collected, Failed, Piece, Router, Stream, piped

stream = Stream(sys.argv[2])
whole = open(sys.argv[2], "rb").read()
records = whole[stream.head.length:-32]
size = stream.head.size
assert stream.count * size == len(records) and stream.count > 50


def refuses(what, work):
    try:
        work()
    except Failed as e:
        assert what in str(e), (what, e)
        return
    raise AssertionError("not refused: " + what)


def drain(chunks):
    return b"".join(chunks)


# CRCs of pieces
for cut in (0, 1, 7, len(records) - 1, len(records)):
    a, b = records[:cut], records[cut:]
    assert psparts.crc_join(zlib.crc32(a), zlib.crc32(b), len(b)) == zlib.crc32(records)

# Pieces are streams; together they are the whole
crc, text = 0, b""
for i in range(4):
    at, end = stream.count * i // 4, stream.count * (i + 1) // 4
    piece = Piece(stream, at, end - at)
    checked = Checked(piece, "piece", end - at)
    text += drain(checked.records())
    crc = psparts.crc_join(crc, piece.crc, (end - at) * size)
assert text == records and crc == stream.crc() == zlib.crc32(records)

# A stream in chunks of any size; cut off anywhere, changed anywhere
everything = Piece(stream, 0, stream.count)


def chunked(data, rng):
    while data:
        n = rng.choice((1, 31, 32, 33, size, 1000, 100000))
        yield data[:n]
        data = data[n:]


rng = random.Random(1)
for _ in range(20):
    assert drain(Checked(chunked(whole, rng), "x").records()) == records
for _ in range(60):
    cut = rng.randrange(len(whole))
    refuses("x: ", lambda: drain(Checked(chunked(whole[:cut], rng), "x")))
    if cut >= stream.head.length:
        other = whole[:cut] + bytes([whole[cut] ^ 4]) + whole[cut + 1:]
        refuses("x: ", lambda: drain(Checked(chunked(other, rng), "x")))
refuses("records came out", lambda: drain(Checked(everything, "x", stream.count + 1)))

# Filters: early ends, with any status; deaf ones; those that are not there
refuses("status 3: the reason", lambda: drain(piped(["sh", "-c", "cat; echo the reason >&2; exit 3"], everything, "f")))
refuses("signal 9", lambda: drain(piped(["sh", "-c", "kill -9 $$"], everything, "f")))
refuses("its output", lambda: drain(Checked(piped(["sh", "-c", "head -c 3000; cat >/dev/null"], everything, "f"), "f")))
refuses("stopped reading", lambda: drain(piped(["sh", "-c", "exec true"], iter(lambda: bytes(1 << 20), None), "f")))
refuses("cannot run", lambda: drain(piped(["./nothing"], everything, "f")))


def broken():
    yield whole[:1000]
    raise Failed("the source: why")


refuses("the source: why", lambda: drain(piped(["cat"], broken(), "f")))
refuses("the source: why", lambda: drain(piped(["cat"], Checked(piped(["cat"], broken(), "f"), "f"), "g")))

# Routing and collecting: every record where it belongs, once, in order; a lost, repeated or changed block is seen
bounds = [stream.number(stream.count // 3), stream.number(2 * stream.count // 3)]
rows = [[], [], []]
for source in range(2):
    half = Piece(stream, source * (stream.count // 2), stream.count // 2 if source == 0 else stream.count - stream.count // 2)
    small = (drain(half)[i:i + 777] for i in range(0, len(drain(half)), 777))
    for target, row in Router(bounds, 1000).rows(source, Checked(small, "half")):
        rows[target].append(row)
assert all(len(r) > 4 for r in rows)


def collect(target, change=lambda r: r):
    with tempfile.TemporaryDirectory() as folder:
        mixed = change(rng.sample(rows[target], len(rows[target])))
        return drain(Checked(Collected(mixed, 2, folder, "target %d" % target), "c").records())


assert b"".join(collect(t) for t in range(3)) == records
data = [r for r in rows[1] if r[1] >= 0]
for lost in (data[0], data[-1]):
    refuses("target 1: ", lambda: collect(1, lambda r: [row for row in r if row is not lost]))
    refuses("target 1: ", lambda: collect(1, lambda r: r + [lost]))
    refuses("damaged", lambda: collect(1, lambda r: [lost[:4] + (b"x" + lost[4][1:],) if row is lost else row for row in r]))
one, other = next((a, b) for a in data for b in data if a[1] < b[1] and a[0] == b[0] and a[2] == b[2])
refuses("target 1: ", lambda: collect(1, lambda r: [other if row is one else row for row in r]))
refuses("nothing came", lambda: collect(1, lambda r: [row for row in r if row[0] != 1]))

# Manifests
with tempfile.TemporaryDirectory() as folder:
    done = [psparts.save_part(Checked(Piece(stream, at, n), "p"), folder, i)
            for i, (at, n) in enumerate([(0, 20), (20, 0), (20, stream.count - 20)])]
    for d in done:
        os.rename(folder + "/" + d["own"], folder + "/" + d["name"])
    psparts.write_manifest(folder + "/manifest", [(d["name"], d["records"], d["crc"], d["bytes"]) for d in done])
    again = Stream(folder + "/manifest")
    assert again.count == stream.count and again.crc() == stream.crc() and again.number(21) == stream.number(21)
    assert drain(Checked(Piece(again, 3, 30), "m").records()) == records[3 * size:33 * size]
    os.truncate(folder + "/part-00002.psr", 100)
    refuses("truncated", lambda: Stream(folder + "/manifest"))
    os.truncate(folder + "/manifest", 50)
    refuses("truncated", lambda: Stream(folder + "/manifest"))
