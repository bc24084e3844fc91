"""psparts - psrec(5) streams in parts, for engines that carry psgraph's filters: psspark's workers use it.

A stream is cut at record boundaries, a piece is fed to a filter as a stream of its own, and what the filter writes is
believed only when its end mark has come and agrees with every byte; a filter that stops early is a failure whatever
its exit status.  A folder of parts has a manifest (psrec(5)), which is written last.

Standard library only, but for NumPy where records are looked at (Router, and the counts below it).
"""
import bisect
import os
import re
import shutil
import struct
import subprocess
import tempfile
import threading
import uuid
import zlib

MAGIC = b"\x89PSR\r\n\x1a\n"
END = b"PSREND\r\n"
UNKNOWN = (1 << 64) - 1
HEAD = struct.Struct("<8sHBBBBBBIIQQfII8sI")
TAIL = struct.Struct("<Q8sQII")
IDS, NEIGHBOURS, PAIRS, VECTORS = 2, 5, 6, 7
CHUNK = 1 << 18
MANIFEST = "manifest"
TITLE = "psgraph parts 1\n"


class Failed(Exception):
    """One line: what failed, where, why."""


# ---- headers and end marks ----

class Head:
    """A stream's header; `bytes` is the whole of it."""

    def __init__(self, data, name):
        if len(data) < HEAD.size or data[:8] != MAGIC:
            raise Failed("%s: not a psrec stream" % name)
        (_, self.version, self.kind, self.element, self.width, self.first, self.other, self.flags, self.size, self.dim,
         self.graph, self.count, self.scale, self.length, self.history, _, crc) = HEAD.unpack_from(data)
        self.bytes = bytes(data[:self.length])
        if self.version != 1 or not 64 <= self.length <= 65536 or not 0 < self.size <= 1 << 20:
            raise Failed("%s: a header that this program cannot read" % name)
        if len(self.bytes) == self.length and zlib.crc32(self.bytes[:60] + bytes(4) + self.bytes[64:]) != crc:
            raise Failed("%s: the header is damaged (its CRC does not match)" % name)

    def with_count(self, count):
        head = self.bytes[:32] + struct.pack("<Q", count) + self.bytes[40:60] + bytes(4) + self.bytes[64:]
        return head[:60] + struct.pack("<I", zlib.crc32(head)) + head[64:]

    def shape(self):
        return (self.kind, self.element, self.width, self.first, self.other, self.flags, self.size, self.dim, self.graph,
                self.scale)


def ids_head(width, history):
    """The header of items' numbers; history: lines."""
    text = history.encode()
    length = 64 + (len(text) + 63) // 64 * 64
    head = HEAD.pack(MAGIC, 1, IDS, 0, width, 1, 0, 0, width, 0, 0, UNKNOWN, 1.0, length, len(text), bytes(8), 0)
    head += text + bytes(length - 64 - len(text))
    return Head(head[:60] + struct.pack("<I", zlib.crc32(head)) + head[64:], "ids")


def end_mark(count, crc):
    tail = TAIL.pack(UNKNOWN, END, count, crc, 0)[:28]
    return tail + struct.pack("<I", zlib.crc32(tail))


def read_end(tail, name):
    """Count and CRC."""
    if len(tail) < TAIL.size:
        raise Failed("%s: truncated: no end mark" % name)
    ones, magic, count, crc, own = TAIL.unpack(tail)
    if ones != UNKNOWN or magic != END or zlib.crc32(tail[:28]) != own:
        raise Failed("%s: truncated or damaged: no end mark at its end" % name)
    return count, crc


def crc_join(first, second, length):
    """CRC-32 of two pieces in a row, the second of `length` bytes: the first one's is shifted by as many zeros, by squaring
    the matrix of one zero bit over GF(2)."""
    def times(matrix, vector):
        total = 0
        for row in matrix:
            if vector & 1:
                total ^= row
            vector >>= 1
        return total

    matrix, bits = [0xEDB88320] + [1 << n for n in range(31)], 8 * length
    while bits:
        if bits & 1:
            first = times(matrix, first)
        matrix = [times(matrix, row) for row in matrix]
        bits >>= 1
    return first ^ second


# ---- files: local ones, and what pyarrow opens (hdfs://, s3://, gs://) ----

def _remote(path):
    try:
        import pyarrow.fs
    except ImportError:
        raise Failed("%s: only pyarrow opens such places, and it is not installed" % path)
    return pyarrow.fs.FileSystem.from_uri(path)


def is_local(path):
    return "://" not in path


def open_read(path):
    try:
        if is_local(path):
            return open(path, "rb")
        system, place = _remote(path)
        return system.open_input_file(place)
    except OSError as e:
        raise Failed("%s: cannot open: %s" % (path, e.strerror or e))


def open_write(path):
    if is_local(path):
        return open(path, "xb")
    system, place = _remote(path)
    return system.open_output_stream(place)


def make_folder(path):
    if is_local(path):
        return os.makedirs(path)
    system, place = _remote(path)
    return system.create_dir(place, recursive=True)


def exists(path):
    if is_local(path):
        return os.path.exists(path)
    system, place = _remote(path)
    return system.get_file_info(place).type.name != "NotFound"


def names_in(path):
    if is_local(path):
        return os.listdir(path)
    import pyarrow.fs
    system, place = _remote(path)
    return [i.base_name for i in system.get_file_info(pyarrow.fs.FileSelector(place))]


def rename(old, new):
    if is_local(old):
        return os.rename(old, new)
    system, place = _remote(old)
    return system.move(place, _remote(new)[1])


def remove(path):
    if is_local(path):
        return shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    system, place = _remote(path)
    return system.delete_dir(place) if system.get_file_info(place).type.name == "Directory" else system.delete_file(place)


# ---- streams on disk ----

class Segment:
    """One stream in a plain file: whole, by its end mark, when it was looked at."""

    def __init__(self, path, said=None):
        self.path = path
        with open_read(path) as f:
            start = f.read(HEAD.size)
            if start[:2] == b"\x1f\x8b":
                raise Failed("%s: packed by gzip: it cannot be split" % path)
            head = Head(start, path)
            self.head = Head(start + f.read(head.length - len(start)), path)
            size = f.seek(0, 2)
            f.seek(max(size - TAIL.size, 0))
            self.count, self.crc = read_end(f.read(), path)
        body = size - self.head.length - TAIL.size
        if body != self.count * self.head.size:
            raise Failed("%s: %d bytes of records, but its end mark says %d records of %d: truncated, or several streams in a row"
                         % (path, body, self.count, self.head.size))
        self.said = (self.count, self.crc, size)
        if said and said != self.said:
            raise Failed("%s: not the part that its manifest tells of" % path)

    def read(self, first, count):
        """Chunks of so many records."""
        size = self.head.size
        step = max(CHUNK // size, 1) * size
        with open_read(self.path) as f:
            f.seek(self.head.length + first * size)
            left = count * size
            while left:
                data = f.read(min(step, left))
                if not data or len(data) % size:
                    raise Failed("%s: truncated while it was read" % self.path)
                left -= len(data)
                yield data


def read_manifest(path):
    """(name, records, crc, bytes) of each part."""
    with open_read(path) as f:
        text = f.read().decode("utf-8", "replace")
    lines = text.splitlines(keepends=True)
    if not lines or lines[0] != TITLE:
        raise Failed("%s: not a manifest of parts" % path)
    last = lines[-1].rstrip("\n").split("\t")
    parts = [line.rstrip("\n").split("\t") for line in lines[1:-1]]
    if last[0] != "end" or len(last) != 4 or last[3] != "%08x" % zlib.crc32("".join(lines[:-1]).encode()):
        raise Failed("%s: truncated or damaged" % path)
    return [(name, int(records), int(crc, 16), int(size)) for name, records, crc, size in parts]


def write_manifest(path, parts):
    text = TITLE + "".join("%s\t%d\t%08x\t%d\n" % part for part in parts)
    text += "end\t%d\t%d\t%08x\n" % (len(parts), sum(part[1] for part in parts), zlib.crc32(text.encode()))
    with open_write(path) as f:
        f.write(text.encode())
        if is_local(path):
            f.flush()
            os.fsync(f.fileno())


class Stream:
    """Records in one file, or in the parts of a manifest, that can be read from any record on."""

    def __init__(self, path):
        self.path = path
        with open_read(path) as f:
            parts = f.read(len(TITLE)) == TITLE.encode()
        if parts:
            folder = path.rpartition("/")[0] or "."
            self.segments = [Segment(folder + "/" + name, (records, crc, size))
                             for name, records, crc, size in read_manifest(path)]
        else:
            self.segments = [Segment(path)]
        self.head = self.segments[0].head
        for s in self.segments:
            if s.head.shape() != self.head.shape():
                raise Failed("%s: not of the kind of the parts before it" % s.path)
        self.count = sum(s.count for s in self.segments)
        self.begin = [0]
        for s in self.segments:
            self.begin.append(self.begin[-1] + s.count)

    def slices(self, first, count):
        """(segment, first, count) that make up so many records."""
        out, i = [], bisect.bisect_right(self.begin, first) - 1
        while count:
            n = min(count, self.begin[i + 1] - first)
            if n:
                out.append((self.segments[i], first - self.begin[i], n))
            first, count, i = first + n, count - n, i + 1
        return out

    def number(self, i):
        """The first number of record i."""
        data = b"".join(d for s, first, n in self.slices(i, 1) for d in s.read(first, n))
        return int.from_bytes(data[:self.head.width], "little")

    def crc(self):
        crc = 0
        for s in self.segments:
            crc = crc_join(crc, s.crc, s.count * self.head.size)
        return crc


class Piece:
    """Records first .. first + count - 1 of a stream, as a stream of their own; after it has been read, crc is theirs."""

    def __init__(self, stream, first, count):
        self.head, self.count, self.slices, self.crc = stream.head, count, stream.slices(first, count), None

    def __iter__(self):
        crc = 0
        yield self.head.with_count(self.count)
        for segment, first, count in self.slices:
            for data in segment.read(first, count):
                crc = zlib.crc32(data, crc)
                yield data
        self.crc = crc
        yield end_mark(self.count, crc)


# ---- filters ----

class Checked:
    """The chunks of a stream, looked at on their way; after the last one: head, count, crc.  name is for messages."""

    def __init__(self, chunks, name, expect=None):
        self.chunks, self.name, self.expect = chunks, name, expect
        self.head, self.count, self.crc = None, 0, 0

    def records(self):
        """Whole records, as chunks that are multiples of their size."""
        held = b""
        for data in self.chunks:
            held += data
            if self.head is None:
                if len(held) < HEAD.size or len(held) < Head(held, self.name).length:
                    continue
                self.head = Head(held, self.name)
                held = held[self.head.length:]
            n = max(len(held) - TAIL.size, 0) // self.head.size * self.head.size
            if n:
                out, held = held[:n], held[n:]
                self.crc = zlib.crc32(out, self.crc)
                self.count += n // self.head.size
                yield out
        if self.head is None:
            raise Failed("%s: its output ends before its header does" % self.name)
        rest = len(held) - TAIL.size
        if rest < 0 or rest % self.head.size:
            raise Failed("%s: its output is cut off after %d records" % (self.name, self.count))
        count, crc = read_end(held[rest:], self.name + ": its output")
        if count != self.count or crc != self.crc:
            raise Failed("%s: its output has %d records of CRC %08x, its end mark says %d of %08x"
                         % (self.name, self.count, self.crc, count, crc))
        if self.expect is not None and count != self.expect:
            raise Failed("%s: %d records came out, %d were expected" % (self.name, count, self.expect))

    def __iter__(self):
        """The stream again, its end mark last and only if all is well."""
        first = True
        for data in self.records():
            yield self.head.with_count(UNKNOWN) + data if first else data
            first = False
        yield (self.head.with_count(UNKNOWN) if first else b"") + end_mark(self.count, self.crc)


def piped(argv, source, name):
    """Chunks of what a filter writes while it reads those of `source`.  Its failure, or the source's, comes behind the last."""
    with tempfile.TemporaryFile() as err:
        try:
            p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err)
        except OSError as e:
            raise Failed("%s: cannot run %s: %s" % (name, argv[0], e.strerror))
        failure, deaf = [], []

        def feed():
            try:
                for data in source:
                    p.stdin.write(data)
                p.stdin.flush()
            except BrokenPipeError:
                deaf.append(1)
            except BaseException as e:
                failure.append(e)
            try:
                p.stdin.close()
            except OSError:
                deaf.append(1)

        thread = threading.Thread(target=feed, daemon=True)
        thread.start()
        try:
            while True:
                data = p.stdout.read1(CHUNK)
                if not data:
                    break
                yield data
            status = p.wait()
            thread.join()
        finally:
            if p.poll() is None:
                p.kill()
                p.wait()
            p.stdout.close()
        if failure:
            raise failure[0]
        err.seek(0)
        said = err.read().decode("utf-8", "replace").strip().splitlines()
        if status:
            raise Failed("%s: %s: %s" % (name, "signal %d" % -status if status < 0 else "status %d" % status,
                                         said[-1] if said else "it said nothing"))
        if deaf:
            raise Failed("%s: stopped reading before the end of its input, with status 0" % name)


def save(piece, path, crc):
    """Writes a piece, which was read before and then had this CRC, to a local file."""
    with open(path, "xb") as f:
        for data in piece:
            f.write(data)
    if piece.crc != crc:
        raise Failed("%s: the data has changed since it was read first: CRC %08x, not %08x"
                     % (piece.slices[0][0].path if piece.slices else path, piece.crc, crc))
    return path


def save_part(checked, folder, part):
    """Writes a checked stream to a new part, under a name that no other attempt has: what the manifest will say of it."""
    name = "part-%05d.psr" % part
    own = "%s.%s" % (name, uuid.uuid4().hex)
    size = 0
    with open_write(folder + "/" + own) as f:
        for data in checked:
            f.write(data)
            size += len(data)
        if is_local(folder):
            f.flush()
            os.fsync(f.fileno())
    return {"part": part, "own": own, "name": name, "records": checked.count, "crc": checked.crc, "bytes": size}


# ---- between map and reduce: records in blocks, so that an engine moves few large rows ----

class Router:
    """Blocks of records for targets: target t takes first numbers from bounds[t - 1] to below bounds[t]."""

    def __init__(self, bounds, block=CHUNK):
        self.bounds, self.block, self.targets = bounds, block, len(bounds) + 1

    def rows(self, source, checked, note=None):
        """(target, row) with rows (source, number of the block, records, crc, bytes); last for every target what there
        must be: (source, -1, blocks, records, (header, note))."""
        import numpy
        held = [[] for _ in range(self.targets)]
        waiting, blocks, records = [0] * self.targets, [0] * self.targets, [0] * self.targets
        bounds = numpy.array(self.bounds, "u8")

        def take(target):
            data = b"".join(held[target])
            n = len(data) // checked.head.size
            held[target], waiting[target] = [], 0
            blocks[target] += 1
            records[target] += n
            return target, (source, blocks[target] - 1, n, zlib.crc32(data), data)

        for data in checked.records():
            size, width = checked.head.size, checked.head.width
            table = numpy.frombuffer(data, numpy.uint8).reshape(-1, size)
            to = numpy.searchsorted(bounds, table[:, :width].copy().view("<u%d" % width)[:, 0], "right")
            if (to[1:] < to[:-1]).any():
                order = numpy.argsort(to, kind="stable")
                table, to = table[order], to[order]
            cuts = numpy.flatnonzero(to[1:] != to[:-1]) + 1
            for begin, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(to)]):
                target = int(to[begin])
                held[target].append(table[begin:end].tobytes())
                waiting[target] += (end - begin) * size
                if waiting[target] >= self.block:
                    yield take(target)
        for target in range(self.targets):
            if waiting[target]:
                yield take(target)
            yield target, (source, -1, blocks[target], records[target], (checked.head.bytes, note))


class Collected:
    """What a target got of all sources, held in a local file; iterates over it as one stream, sources in order."""

    def __init__(self, rows, sources, folder, name):
        self.path, self.index, self.notes, promised, heads = folder + "/blocks", [], {}, {}, {}
        with open(self.path, "xb") as f:
            for source, number, count, crc, data in rows:
                if number < 0:
                    promised[source] = (count, crc)
                    heads[source], self.notes[source] = data
                    continue
                if zlib.crc32(data) != crc:
                    raise Failed("%s: a block of part %d was damaged on its way" % (name, source))
                self.index.append((source, number, count, f.tell(), len(data)))
                f.write(data)
        self.index.sort()
        self.count = sum(entry[2] for entry in self.index)
        for source in range(sources):
            blocks = [entry for entry in self.index if entry[0] == source]
            if source not in promised:
                raise Failed("%s: nothing came of part %d" % (name, source))
            if [entry[1] for entry in blocks] != list(range(promised[source][0])) or \
                    sum(entry[2] for entry in blocks) != promised[source][1]:
                raise Failed("%s: of part %d came %d records, it sent %d"
                             % (name, source, sum(entry[2] for entry in blocks), promised[source][1]))
        self.head = Head(heads[0], name)

    def __iter__(self):
        crc = 0
        yield self.head.with_count(self.count)
        with open(self.path, "rb") as f:
            for _, _, _, at, size in self.index:
                f.seek(at)
                data = f.read(size)
                crc = zlib.crc32(data, crc)
                yield data
        yield end_mark(self.count, crc)


# ---- what must come out ----

def neighbours_in(piece):
    """Neighbours in a piece of neighbourhoods: pairs that --invert makes of it."""
    import numpy
    total, width, dim = 0, piece.head.width, piece.head.dim
    for segment, first, count in piece.slices:
        for data in segment.read(first, count):
            rows = numpy.frombuffer(data, numpy.uint8).reshape(-1, piece.head.size)[:, width:].reshape(-1, width + 4)
            items = rows[:, :width].copy().view("<u%d" % width)
            total += int((items != (1 << 8 * width) - 1).sum())
    return total


def items_that_need(segment):
    """Different second numbers of pairs: the sums that --scatter makes of them."""
    import numpy
    width, found = segment.head.width, [numpy.empty(0, "u8")]
    for data in segment.read(0, segment.count):
        table = numpy.frombuffer(data, numpy.uint8).reshape(-1, segment.head.size)
        found.append(numpy.unique(table[:, width:2 * width].copy().view("<u%d" % width)[:, 0]))
    return len(numpy.unique(numpy.concatenate(found)))


def message_of(text):
    """The line of a Failed in an engine's report of an exception."""
    found = re.search(r"\bFailed: (.*)", text)
    return found.group(1) if found else None
