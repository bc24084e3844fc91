#!/usr/bin/env python3
"""Reads models and checkpoints (psmodel(5)), psfeat's states (psfeat(5)) and indexes (psindex(5)) by their man pages alone.

usage: psfiles.py history FILE             their histories' lines, after a check of every CRC and length
       psfiles.py boards FILE              whether boards are terms of a state: yes or no
       psfiles.py version N FILE OUT       the same file as format version N, for tests: below the one that brought the
                                           history without it
       psfiles.py lines N FILE OUT         the same file, not an index, with a history of N empty lines, for tests

Standard library only; status 1 and one line on standard error if something is not so.
"""
import struct
import sys
import zlib

from psread import Damaged, crc_without, load, need

# letter: length of the header, where in it stand the lengths of the texts, the last of them the history's,
# and the version that brought it.
FRAMES = {b"M": (32, (16, 20, 24), 1), b"C": (96, (24, 28, 76), 2), b"F": (64, (52,), 3)}
INDEX_HISTORY = 15


def u32(data, at):
    return struct.unpack_from("<I", data, at)[0]


def texts_of(data, head, places):
    at, texts = head, []
    for place in places:
        texts.append((at, u32(data, place)))
        at += texts[-1][1]
    need(at <= len(data) - 24, "its texts are longer than the file")
    return texts


def frame_history(data):
    letter = data[3:4]
    head, places, _ = FRAMES[letter]
    need(len(data) >= head + 24, "truncated")
    need(zlib.crc32(data[:head - 4]) == u32(data, head - 4), "header CRC")
    end = data[-24:]
    magic, count, crc, own = struct.unpack("<8sQII", end)
    need(magic == b"PS" + letter + b"END\r\n" and own == zlib.crc32(end[:20]), "end mark")
    need(count == len(data) - 24 and crc == zlib.crc32(data[:-24]), "length or CRC")
    at, n = texts_of(data, head, places)[-1]
    return data[at:at + n]


def index_sections(data):
    count, length = struct.unpack_from("<HI", data, 10)
    need(length == 64 + 32 * count and length <= len(data), "header length")
    need(crc_without(data[:length], 60) == u32(data, 60), "header CRC")
    sections = {}
    for i in range(count):
        number, _, at, size, crc, _ = struct.unpack_from("<IIQQII", data, 64 + 32 * i)
        need(at % 64 == 0 and at + size <= len(data) and number not in sections, "section %d: place" % number)
        need(zlib.crc32(data[at:at + size]) == crc, "section %d: CRC" % number)
        sections[number] = data[at:at + size]
    return sections


def history(data):
    need(data[:3] == b"\x89PS" and data[4:8] == b"\r\n\x1a\n", "not a file of psgraph")
    if data[3:4] == b"I":
        return index_sections(data).get(INDEX_HISTORY, b"")
    need(data[3:4] in FRAMES, "not a model, a checkpoint, a state or an index")
    return frame_history(data)


def frame_with(data, version, history):
    """As this version, with this history."""
    letter = data[3:4]
    head, places, _ = FRAMES[letter]
    at, n = texts_of(data, head, places)[-1]
    data = bytearray(data[:-24])
    data[at:at + n] = history
    struct.pack_into("<I", data, 8, version)
    struct.pack_into("<I", data, places[-1], len(history))
    struct.pack_into("<I", data, head - 4, zlib.crc32(data[:head - 4]))
    end = struct.pack("<8sQI", b"PS" + letter + b"END\r\n", len(data), zlib.crc32(data))
    return bytes(data) + end + struct.pack("<I", zlib.crc32(end))


def frame_as(data, version):
    return frame_with(data, version, b"" if version < FRAMES[data[3:4]][2] else history(data))


def index_as(data, version):
    data = bytearray(data)
    struct.pack_into("<H", data, 8, version)
    count, length = struct.unpack_from("<HI", data, 10)
    if version < 3:  # the history's entry stands last
        need(u32(data, length - 32) == INDEX_HISTORY, "the history is not the last section")
        data[length - 32:length] = bytes(32)
        count, length = count - 1, length - 32
        struct.pack_into("<HI", data, 10, count, length)
    struct.pack_into("<I", data, 60, crc_without(bytes(data[:length]), 60))
    return bytes(data)


def main(args):
    if args[0] == "history":
        sys.stdout.buffer.write(history(load(args[1])))
        return
    if args[0] == "boards":
        data = load(args[1])
        history(data)
        need(data[3:4] == b"F", "not a state")
        print("yes" if u32(data, 12) & 4 else "no")
        return
    n, data = int(args[1]), load(args[2])
    history(data)
    with open(args[3], "wb") as out:
        if args[0] == "lines":
            out.write(frame_with(data, u32(data, 8), b"\n" * n))
        else:
            out.write((index_as if data[3:4] == b"I" else frame_as)(data, n))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    try:
        main(sys.argv[1:])
    except Damaged as why:
        print("psfiles: %s" % why, file=sys.stderr)
        sys.exit(1)
