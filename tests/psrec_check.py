"""psrec_check.py SCRIPTS BIN: psrec.py against the tools, on streams of every kind in the current folder."""
import gzip
import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np

sys.path.insert(0, sys.argv[1])
import psrec  # noqa: E402

PSVIEW = os.path.join(sys.argv[2], "psview")
TEXT = {
    "edges": "0\t0\t1\n0\t1\t2.5\n3\t1\t1\n",
    "ids": "5\n0\n7\n",
    "walks": "4\t1\t2\n4\t2\n",
    "visits": "0\t1\t2\n0\t2\t1\n2\t1\t7\n",
    "neighbours": "0\t1\t0.75\n0\t2\t0.25\n1\n",
    "pairs": "0\t1\t1\n7\t2\t0.5\n",
    "vectors": "0\t1\t-2\t0.5\n9\t0\t3\t4\n",
    "sparse": "0\t3\t0.5\n0\t7\t1\n4\t0\t-2\n",
    "hits": "0\t1\t0.75\n0\t2\t-0.25\n1\n",
}
DIM = {"walks": 3, "neighbours": 2, "hits": 2, "sparse": 8}


def psview(*args, stdin=b""):
    return subprocess.run([PSVIEW, *args], input=stdin, check=True, stdout=subprocess.PIPE).stdout


def of_text(kind, *args):
    dim = ["-d", str(DIM[kind])] if kind in DIM else []
    return psview("-t", "-K", kind, *dim, *args, stdin=TEXT[kind].encode())


def refused(data, why):
    try:
        psrec.read(io.BytesIO(data))
    except psrec.Damaged as e:
        assert why in str(e), (why, str(e))
        return
    raise AssertionError("taken, but: " + why)


def round_trips():
    for kind in psrec.KINDS:
        for width in ("4", "8"):
            data = of_text(kind, "--width", width)
            with open("k.psr", "wb") as f:
                f.write(data)
            for source in ("k.psr", io.BytesIO(data)):
                stream = psrec.read(source, check=True)
                assert (stream.kind, stream.width, len(stream.history) > 0) == (kind, int(width), True)
                psrec.write("back.psr", stream)
                subprocess.run([PSVIEW, "-c", "back.psr"], check=True)
                assert psview("back.psr") == TEXT[kind].encode(), (kind, psview("back.psr"))
            twice = psrec.read(io.BytesIO(data + data))
            assert len(twice) == 2 * len(stream) and (twice.records[len(stream):] == stream.records).all()
            assert (psrec.read(io.BytesIO(gzip.compress(data + data))).records == twice.records).all()
            empty = psview("--raw", "--skip", "99", stdin=data)
            assert len(psrec.read(io.BytesIO(empty))) == 0
            both = psrec.read(io.BytesIO(empty + data + empty))
            assert (both.records == stream.records).all()


def damages():
    data = of_text("vectors")
    for cut in range(len(data)):
        refused(data[:cut], "")
    for at in range(len(data)):
        refused(data[:at] + bytes([data[at] ^ 16]) + data[at + 1:], "")
    tail = data[-32:-16] + struct.pack("<QI", 7, struct.unpack("<I", data[-8:-4])[0])
    refused(data[:-32] + tail + struct.pack("<I", zlib.crc32(tail)), "the end mark says 7")
    refused(data + of_text("pairs"), "other kinds or shapes")
    refused(data[:8] + b"\2" + data[9:], "version 2")


def elements():
    for element in ("f32", "f16", "bf16", "i8"):
        stream = psrec.read(io.BytesIO(psview("--raw", "-E", element, stdin=of_text("vectors"))))
        lines = psview("-E", element, stdin=of_text("vectors")).splitlines()
        wanted = np.array([[float(x) for x in line.split(b"\t")[1:]] for line in lines], "<f4")
        assert stream.element == element and (stream.vectors() == wanted).all(), element


def made_here():
    matrix = np.random.default_rng(1).standard_normal((300, 17)).astype("<f4")
    for element in ("f32", "f16"):
        psrec.write("v.psr", psrec.vectors(matrix, element=element), bias=True)
        subprocess.run([PSVIEW, "-c", "v.psr"], check=True)
        back = psrec.read("v.psr")
        assert back.bias and not back.records.flags.writeable
        assert (back.vectors() == matrix.astype(back.records["vector"].dtype)).all()
    items, scores = np.array([[2, 1, -1], [0, -1, -1]]), np.array([[.5, .25, 0], [.125, 0, 0]])
    psrec.write("h.psr", psrec.hits([0, 1], items, scores))
    assert psview("--wide", "h.psr") == b"0\t2\t0.5\t1\t0.25\n1\t0\t0.125\n"
    buffer = io.BytesIO()
    psrec.write(buffer, psrec.pairs([0, 1], [1, 2]))
    assert psview(stdin=buffer.getvalue()) == b"0\t1\t1\n1\t2\t1\n"
    # A link to a descriptor is written to, not replaced by a file.
    with open("by-link.psr", "wb") as f:
        os.symlink("/proc/self/fd/%d" % f.fileno(), "link")
        psrec.write("link", psrec.pairs([0, 1], [1, 2]))
    assert os.path.islink("link") and psview("by-link.psr") == b"0\t1\t1\n1\t2\t1\n"
    for bad in (np.full((1, 2), np.nan), np.zeros(3)):
        try:
            psrec.vectors(bad)
        except ValueError:
            continue
        raise AssertionError("no vectors, but taken")


round_trips()
damages()
elements()
made_here()
