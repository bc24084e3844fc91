"""psrec - psrec(5) streams as NumPy arrays, and back.

    import psrec
    z = psrec.read("z.psr")            # a Stream: z.kind, z.records, z.graph, z.history ...
    z.records["item"], z.vectors()     # numbers, and the matrix as float32
    psrec.write("x.psr", psrec.vectors(matrix, items=z.records["item"]), like=z)

A plain file of one stream is mapped, not read: records come from the disk as they are used, and no more memory is
taken however large the file is.  Packed (gzip) files, pipes and streams in a row are read whole.

Needs Python 3.9, NumPy, and psout.py beside it.  Everything that psrec(5) demands of a reader is checked, but for the
CRC of a mapped file's records, which would read all of it: read(path, check=True), or psview -c.
"""
import gzip
import os
import struct
import zlib

import numpy as np

import psout

__all__ = ["Damaged", "Stream", "read", "write", "dtype", "vectors", "hits", "pairs", "KINDS", "SPACES"]

MAGIC = b"\x89PSR\r\n\x1a\n"
END = b"PSREND\r\n"
UNKNOWN = (1 << 64) - 1
HEAD = struct.Struct("<8sHBBBBBBIIQQfII8sI")
TAIL = struct.Struct("<Q8sQII")
KINDS = ("edges", "ids", "walks", "visits", "neighbours", "pairs", "vectors", "sparse", "hits")
SPACES = ("plain", "items", "boards")
USUAL_OTHER = {"edges": "boards", "ids": "plain", "vectors": "plain", "sparse": "plain"}
ELEMENTS = {"none": (0, None), "f32": (1, "<f4"), "f16": (2, "<f2"), "bf16": (3, "<u2"), "i8": (4, "i1")}
ELEMENT_NAMES = {code: name for name, (code, _) in ELEMENTS.items()}


class Damaged(ValueError):
    """The file is no stream, or not a whole and unchanged one; says where."""


def dtype(kind, dim=0, width=4, element="none"):
    """The NumPy type of a record: its field names are those of the table in psrec(5)."""
    number = "<u%d" % width
    entries = {"walks": [("items", number, (dim,))],
               "neighbours": [("neighbours", [("item", number), ("weight", "<f4")], (dim,))],
               "hits": [("hits", [("item", number), ("score", "<f4")], (dim,))]}
    plain = {"edges": [("item", number), ("board", number), ("weight", "<f4")],
             "ids": [("node", number)],
             "visits": [("query", number), ("node", number), ("count", "<u4")],
             "pairs": [("query", number), ("positive", number), ("weight", "<f4")],
             "sparse": [("item", number), ("index", "<u4"), ("value", "<f4")]}
    if kind == "vectors":
        return np.dtype([("item", number), ("vector", ELEMENTS[element][1], (dim,))])
    if kind in plain:
        return np.dtype(plain[kind])
    return np.dtype([("node" if kind == "neighbours" else "query", number)] + entries[kind])


class Stream:
    """Records and what their header says.

    kind, element, width, dim, scale   the shape; see psrec(5)
    first, other                       spaces of the first and of the other node numbers
    bias                               whether a vector's last element is the item bias
    graph                              fingerprint of the graph that numbered the nodes, 0: none
    history                            text, a line for each step that led to the stream
    records                            a structured array; padding has the largest number
    """

    def __init__(self, kind, records, element="none", width=4, dim=0, first="items", other=None, bias=False, graph=0,
                 scale=1.0, history=""):
        self.kind, self.records, self.element, self.width, self.dim = kind, records, element, width, dim
        self.first, self.other = first, other or USUAL_OTHER.get(kind, "items")
        self.bias, self.graph, self.scale, self.history = bias, graph, scale, history

    def __len__(self):
        return len(self.records)

    def shape(self):
        return (self.kind, self.element, self.width, self.dim, self.first, self.other, self.bias, self.graph,
                self.scale)

    def vectors(self):
        """The matrix of a stream of vectors as float32, a row for each record; a view where it can be one."""
        if self.kind != "vectors":
            raise ValueError("a stream of %s has no vectors" % self.kind)
        rows = self.records["vector"]
        if self.element == "f32":
            return rows
        if self.element == "bf16":
            return (rows.astype("<u4") << 16).view("<f4")
        return rows.astype("<f4") * np.float32(self.scale)


# ---- reading ----

def _head(data, at, name):
    def need(condition, why):
        if not condition:
            raise Damaged("%s: byte %d: %s" % (name, at, why))

    need(len(data) - at >= HEAD.size, "truncated header")
    (magic, version, kind, element, width, first, other, flags, size, dim, graph, count, scale, length, history,
     zeros, crc) = HEAD.unpack_from(data, at)
    need(magic == MAGIC, "not a psrec stream")
    need(version == 1, "version %d of the format; this reader knows version 1" % version)
    need(64 <= length <= 65536 and length % 64 == 0 and at + length <= len(data), "header length")
    whole = bytes(data[at:at + length])
    need(zlib.crc32(whole[:60] + b"\0\0\0\0" + whole[64:]) == crc, "CRC of the header")
    need(1 <= kind <= len(KINDS) and element in ELEMENT_NAMES and width in (4, 8), "impossible shape")
    need((KINDS[kind - 1] == "vectors") == (element != 0), "element type")
    need(first < len(SPACES) and other < len(SPACES) and flags <= 1, "spaces or flags")
    need(history <= length - 64 and zeros == bytes(8), "history length")
    need(size <= 1 << 20, "record size")
    stream = Stream(KINDS[kind - 1], None, ELEMENT_NAMES[element], width, dim, SPACES[first], SPACES[other], bool(flags),
                    graph, scale, whole[64:64 + history].decode())
    entry = {"walks": width, "neighbours": width + 4, "hits": width + 4}.get(stream.kind, 0)
    if stream.kind == "vectors":
        entry = np.dtype(ELEMENTS[stream.element][1]).itemsize
    need(not entry or width + dim * entry == size, "record size")
    need(dtype(stream.kind, dim, width, stream.element).itemsize == size, "record size")
    return stream, at + length, count


def _tail(data, at, name):
    if at + TAIL.size > len(data):
        raise Damaged("%s: byte %d: truncated end mark" % (name, at))
    ones, magic, count, crc, own = TAIL.unpack_from(data, at)
    if ones != UNKNOWN or magic != END or zlib.crc32(bytes(data[at:at + 28])) != own:
        raise Damaged("%s: byte %d: no end mark where one belongs: truncated or damaged" % (name, at))
    return count, crc


def _end(data, begin, size, width, said):
    """Where the records that begin at `begin` end."""
    if said != UNKNOWN:
        return begin + said * size
    last = len(data) - TAIL.size
    if last >= begin and bytes(data[last + 8:last + 16]) == END:
        # A single stream, if the count agrees: nothing of it need be looked at.
        if begin + size * TAIL.unpack_from(data, last)[2] == last:
            return last
    n = max(0, (len(data) - begin - width) // size + 1)
    numbers = np.ndarray((n,), "<u%d" % width, data, begin, (size,))
    marks = np.flatnonzero(numbers == (1 << 8 * width) - 1)
    return begin + size * int(marks[0] if len(marks) else n)


def _one(data, at, name, check):
    """The stream that begins at `at`, and where the next one would."""
    stream, begin, said = _head(data, at, name)
    layout = dtype(stream.kind, stream.dim, stream.width, stream.element)
    end = _end(data, begin, layout.itemsize, stream.width, said)
    count, crc = _tail(data, end, name)
    if count != (end - begin) // layout.itemsize:
        raise Damaged("%s: %d records, but the end mark says %d" % (name, (end - begin) // layout.itemsize, count))
    if check and zlib.crc32(data[begin:end]) != crc:
        raise Damaged("%s: CRC of the records: they are not what was written" % name)
    stream.records = np.frombuffer(data, layout, count, begin)
    return stream, end + TAIL.size


def _load(source):
    """The bytes, and whether they are mapped: then their CRC is for the caller to ask for."""
    if hasattr(source, "read"):
        data = source.read()
    elif os.path.isfile(source) and os.path.getsize(source) > 0:
        mapped = np.memmap(source, np.uint8, "r")
        if bytes(mapped[:2]) != b"\x1f\x8b":
            return memoryview(mapped), True
        data = bytes(mapped)
    else:
        with open(source, "rb") as f:
            data = f.read()
    return memoryview(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data), False


def read(source, check=None):
    """The Stream in a file (by its path) or in an open binary file such as sys.stdin.buffer.

    check: whether to verify the CRC of the records; None: where they are read anyway.  The records of streams in a
    row are put together.  Damaged, if it is not a whole stream.
    """
    name = getattr(source, "name", None) if hasattr(source, "read") else os.fspath(source)
    name = name if isinstance(name, str) else "<stream>"
    data, mapped = _load(source)
    if len(data) == 0:
        raise Damaged("%s: empty" % name)
    check = not mapped if check is None else check
    stream, at = _one(data, 0, name, check)
    parts = [stream.records]
    while at < len(data):
        more, at = _one(data, at, name, check)
        if more.shape() != stream.shape():
            raise Damaged("%s: streams in a row, but of other kinds or shapes" % name)
        parts.append(more.records)
    if len(parts) > 1:
        stream.records = np.concatenate(parts)
    return stream


# ---- making records ----

def vectors(matrix, items=None, element="f32"):
    """Records of vectors from a matrix, a row for each item; items None: 0, 1, 2 ..."""
    matrix = np.asarray(matrix, "<f4")
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ValueError("vectors are the rows of a matrix of finite numbers")
    if element not in ("f32", "f16"):
        raise ValueError("element %r: write f32 or f16; psview -E makes the others" % element)
    records = np.zeros(len(matrix), dtype("vectors", matrix.shape[1], element=element))
    records["item"] = np.arange(len(matrix)) if items is None else items
    records["vector"] = matrix
    return records


def pairs(queries, positives, weights=1.0):
    """Records of pairs, for pstrain and pseval."""
    records = np.zeros(len(queries), dtype("pairs"))
    records["query"], records["positive"], records["weight"] = queries, positives, weights
    return records


def hits(queries, items, scores):
    """Records of hits from two matrices, a row for each query, best first; items below 0 pad, as FAISS has it."""
    items = np.asarray(items)
    records = np.zeros(len(items), dtype("hits", items.shape[1]))
    records["query"] = queries
    records["hits"]["item"] = np.where(items < 0, 0xFFFFFFFF, items)
    records["hits"]["score"] = np.where(items < 0, 0, scores)
    return records


# ---- writing ----

def _kind_of(layout):
    for kind in KINDS:
        names = dtype(kind, 1, element="f32" if kind == "vectors" else "none").names
        if layout.names == names:
            return kind
    raise ValueError("no kind of record has the fields %s" % (layout.names,))


def _shape_of(records):
    """kind, dimension, bytes of a number, element of a structured array."""
    layout = records.dtype
    kind, width, dim, element = _kind_of(layout), layout[0].itemsize, 0, "none"
    if kind in ("walks", "neighbours", "hits", "vectors"):
        dim = layout[1].shape[0]
    if kind == "vectors":
        element = next(name for name, (_, code) in ELEMENTS.items() if code and np.dtype(code) == layout[1].base)
    return kind, dim, width, element


def write(target, records, like=None, note="psrec.py", dim=None, bias=None, first=None, other=None):
    """Writes a stream to a path (whole or not at all) or to an open binary file.

    records   a structured array of one of the types that dtype() makes, or a Stream
    like      a Stream whose graph, spaces, scale and history are taken over; None: numbers of no graph
    note      a line for the history
    dim       of sparse vectors: how many indices there are
    bias      whether the last element of the vectors is the item bias; None: as `like` has it
    """
    if isinstance(records, Stream):
        like, records = like or records, records.records
    kind, shape_dim, width, element = _shape_of(records)
    like = like or Stream(kind, None)
    same = like.kind == kind
    dim = shape_dim or dim or (like.dim if same and kind == "sparse" else 0)
    first = first or (like.first if same else "items")
    other = other or (like.other if same else USUAL_OTHER.get(kind, "items"))
    bias = bool(like.bias and same) if bias is None else bias
    scale = like.scale if same and element == "i8" else 1.0
    expected = dtype(kind, dim, width, element)
    if records.dtype != expected:
        raise ValueError("records of %s have the type %s" % (kind, expected))
    body = np.ascontiguousarray(records)
    if (body[body.dtype.names[0]] == (1 << 8 * width) - 1).any():
        raise ValueError("a record begins with the number that is no node")
    history = (like.history + note + "\n").encode()
    while len(history) > 65536 - 64:
        history = history.split(b"\n", 1)[1]
    length = 64 + (len(history) + 63) // 64 * 64
    head = HEAD.pack(MAGIC, 1, KINDS.index(kind) + 1, ELEMENTS[element][0], width, SPACES.index(first),
                     SPACES.index(other), bias, expected.itemsize, dim, like.graph, len(body), scale, length,
                     len(history), bytes(8), 0) + history + bytes(length - 64 - len(history))
    head = head[:60] + struct.pack("<I", zlib.crc32(head)) + head[64:]
    view = body.view(np.uint8).data
    tail = TAIL.pack(UNKNOWN, END, len(body), zlib.crc32(view), 0)[:28]
    tail += struct.pack("<I", zlib.crc32(tail))
    if hasattr(target, "write"):
        for part in (head, view, tail):
            target.write(part)
        return
    psout.put(target, (head, view, tail))
