# psgraph-build: what is in the graph it writes, from text, records, packed and piped; what it refuses.
# The graph is read here by a few lines of Python of their own, not by the tools.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"

cat >graph.py <<'END'
"""graph.py show FILE: the graph as text.  graph.py edges [8]: an edge stream, with numbers of 4 or 8 bytes, from lines
"item board weight"."""
import struct
import sys
import zlib


def show(data):
    assert data[:8] == b"\x89PSG\r\n\x1a\n", "no graph"
    version, n, length = struct.unpack_from("<HHI", data, 8)
    items, boards, edges, fingerprint = struct.unpack_from("<4Q", data, 16)
    section = {}
    for i in range(n):
        ident, elem, offset, size, crc, _ = struct.unpack_from("<IIQQII", data, 64 + 32 * i)
        body = data[offset:offset + size]
        assert offset % 4096 == 0 and len(body) == size and zlib.crc32(body) == crc, "section %d" % ident
        section[ident] = body
    print("items", items, "boards", boards, "edges", edges, "history", section[1].decode().strip())
    for side, base, nodes, other in (("item", 2, items, boards), ("board", 10, boards, items)):
        off = struct.unpack("<%dQ" % (nodes + 1), section[base])
        adj = struct.unpack("<%dI" % edges, section[base + 1])
        weight = struct.unpack("<%df" % edges, section[base + 2]) if base + 2 in section else None
        for u in range(nodes):
            name = str(u)
            if base + 5 in section:
                begin, end = struct.unpack_from("<2Q", section[base + 5], 8 * u)
                name = section[base + 6][begin:end].decode()
            row = range(off[u], off[u + 1])
            assert all(adj[i] < other for i in row)
            print(side, u, name, *("%d*%g" % (adj[i], weight[i]) if weight else adj[i] for i in row))


def edges(lines, out, width):
    head = bytearray(64)
    head[:8] = b"\x89PSR\r\n\x1a\n"
    struct.pack_into("<HBBBBBBII", head, 8, 1, 1, 0, width, 1, 2, 0, 2 * width + 4, 0)
    struct.pack_into("<QQfI", head, 24, 0, 2**64 - 1, 1, 64)
    struct.pack_into("<I", head, 60, zlib.crc32(head))
    body = b"".join(struct.pack("<IIf" if width == 4 else "<QQf", int(i), int(b), float(w)) for i, b, w in (x.split() for x in lines))
    end = b"\xff" * 8 + b"PSREND\r\n" + struct.pack("<QI", len(body) // (2 * width + 4), zlib.crc32(body))
    out.write(head + body + end + struct.pack("<I", zlib.crc32(end)))


if sys.argv[1] == "show":
    show(open(sys.argv[2], "rb").read())
else:
    edges(sys.stdin, sys.stdout.buffer, int((sys.argv + [4])[2]))
END
build=$PS_BIN/psgraph-build
show() {
    python3 graph.py show "$1"
}
# Is the graph what stands on standard input?
expect() {
    show "$1" >got
    diff -u - got || fail "$1 is not the expected graph"
}
# refused STATUS MESSAGE ARGUMENT...: with edges from the file input; one line, nothing on stdout, no output file.
refused() {
    want=$1 message=$2 status=0
    shift 2
    "$build" "$@" -o out.psg <input >stdout 2>err || status=$?
    [ $status -eq $want ] || fail "$message: status $status, not $want: $(cat err)"
    [ "$(cat err)" = "psgraph-build: $message" ] || fail "expected: psgraph-build: $message
got:      $(cat err)"
    [ ! -s stdout ] || fail "$message: something on standard output"
    [ "$(echo *out.psg* .*out.psg*)" = "*out.psg* .*out.psg*" ] || fail "$message: left $(ls -a)"
}
TAB=$(printf '\t')

# ---- text: numbers in order of appearance, sorted lists, duplicates kept ----
printf 'b\tX\na\tY\nb\tW\na\tX\nb\tX\n' >edges.tsv
"$build" -t <edges.tsv >plain.psg
expect plain.psg <<END
items 2 boards 3 edges 5 history psgraph-build $("$build" -V | sed -n '1s/.* //p')
item 0 b 0 0 2
item 1 a 0 1
board 0 X 0 0 1
board 1 Y 1
board 2 W 0
END

# ---- the same from a pipe, packed, into a file, packed and unpacked, with DOS line ends, without the last newline ----
cat edges.tsv | "$build" -t | cmp - plain.psg
"$build" -t -o file.psg <edges.tsv
cmp file.psg plain.psg
gzip -c edges.tsv | "$build" --text | cmp - plain.psg
"$build" -t -z <edges.tsv | gzip -dc | cmp - plain.psg
sed 's/$/\r/' edges.tsv | "$build" -t | cmp - plain.psg
printf %s "$(cat edges.tsv)" | "$build" -t | cmp - plain.psg
for j in 1 2 5; do
    "$build" -t -j $j -s $j <edges.tsv | cmp - plain.psg
done

# ---- -I: order, items on no board, further columns ignored ----
printf 'z\tany text\tat all\na\nb\n' >items.tsv
"$build" -t -I items.tsv <edges.tsv >listed.psg
show listed.psg | grep '^item ' >got
diff -u - got <<END || fail "-I does not give the order"
item 0 z
item 1 a 0 1
item 2 b 0 0 2
END
gzip -c items.tsv >items.gz
"$build" -t -I items.gz <edges.tsv | cmp - listed.psg

# ---- weights: absent is 1, each stays with its edge; all 1 is the unweighted graph ----
printf 'a\tX\t2.5\na\tW\nb\tX\t0.25\na\tX\t4\n' | "$build" -t >weighted.psg
show weighted.psg | grep -v '^items' >got
diff -u - got <<END || fail "weights are not where they belong"
item 0 a 0*2.5 0*4 1*1
item 1 b 0*0.25
board 0 X 0*2.5 0*4 1*0.25
board 1 W 0*1
END
sed 's/$/\t1.0/' edges.tsv | "$build" -t | cmp - plain.psg

# ---- names of all lengths: as short ones are read, as long ones are, by the line, and a little at a time ----
awk 'BEGIN { s = "abcdefghijklmnopqrstuvwxyz0123456789_+%"
    for (i = 0; i < 60000; i++) { x = (x * 1103515245 + 12345) % 2147483648
        a = int(x / 4096) % 3000; b = int(x / 64) % 2000
        print a substr(s, 1 + a % 7, a % 30) "\t" substr(s, 1 + b % 9, b % 17) b } }' >names.tsv
"$build" -t <names.tsv >names.psg
"$PS_BIN/psview" -c names.psg
"$PS_BIN/psview" --edges names.psg | sort >got
sort names.tsv | cmp - got
sed 's/$/\t1.0/' names.tsv | "$build" -t | cmp - names.psg
dd if=names.tsv bs=1000 2>/dev/null | "$build" -t | cmp - names.psg
cut -f 1 names.tsv | awk '!seen[$0]++' >order
"$build" -t -I order <names.tsv | cmp - names.psg

# ---- records: numbers as they are, no names ----
printf '2 1 1\n0 0 1\n2 1 1\n' | python3 graph.py edges >edges.psr
"$build" <edges.psr >numbers.psg
show numbers.psg | grep -v '^items' >got
diff -u - got <<END || fail "records do not give their graph"
item 0 0 0
item 1 1
item 2 2 1 1
board 0 0 0
board 1 1 2 2
END
gzip -c edges.psr | "$build" | cmp - numbers.psg
printf '2 1 1\n0 0 1\n2 1 1\n' | python3 graph.py edges 8 >wide.psr
"$build" <wide.psr | cmp - numbers.psg
for j in 1 2; do
    for big in 4294967294 4294967296 9223372036854775808; do
        printf '2 1 1\n0 0 1\n2 %s 1\n0 0 nan\n' $big | python3 graph.py edges 8 >input
        refused 1 "<stdin>: record 2: node number $big: the largest is 4294967293" -j $j
    done
done
cat edges.psr edges.psr | "$build" >twice.psg
show twice.psg | grep '^item 2 2 1 1 1 1$' >/dev/null || fail "two streams in a row are not one"

# ---- -u ----
printf 'a\tX\nnew\tX\nb\tX\nnewer\tY\n' >input
"$build" -t -u -I items.tsv <input >known.psg 2>err
[ "$(cat err)" = "psgraph-build: 2 edges skipped: their items are not in items.tsv" ] || fail "-u: $(cat err)"
show known.psg | grep '^items 3 boards 1 edges 2 ' >/dev/null || fail "-u did not skip"
"$build" -t -u -q -I items.tsv <input 2>err | cmp - known.psg
[ ! -s err ] || fail "-q does not silence the warning: $(cat err)"

# ---- what is refused, with the line it is on ----
refused 1 "<stdin>: line 2: item 'new' is not in the item list items.tsv (-u skips such lines)" -t -I items.tsv
printf 'a\tX\na\n' >input
refused 1 "<stdin>: line 2: expected item TAB board [TAB weight]" -t
printf 'a\tX\n\tX\n' >input
refused 1 "<stdin>: line 2: expected item TAB board [TAB weight]" -t
printf 'a\tX\t1\tmore\n' >input
refused 1 "<stdin>: line 1: more than three columns (--columns chooses some)" -t
for weight in 0 -1 nan inf 1e39 1e-60 one '' ' 1' 1,5 0x; do
    printf 'a\tX\nb\tY\nc\tZ\t%s\n' "$weight" >input
    refused 1 "<stdin>: line 3: weight '$weight': it must be a positive number" -t
done
printf 'a\tX\na\0b\tX\n' >input
refused 1 "<stdin>: line 2: a NUL byte: this is not text (binary records? then leave out -t)" -t
{ echo "a${TAB}X"; head -c 1100000 /dev/zero | tr '\0' x; } >input
refused 1 "<stdin>: line 2: longer than 1048576 bytes" -t
printf 'a\tX\n' >input
printf 'a\nb\na\n' >again
refused 1 "again: line 3: item 'a' again (first on line 1)" -t -I again
printf 'a\n\tno name\n' >again
refused 1 "again: line 2: an empty item name" -t -I again
: >none
refused 1 "none: no items in it" -t -I none
refused 1 "no-such-file: cannot open: No such file or directory" -t -I no-such-file
: >input
refused 1 "<stdin>: empty, expected edges" -t
printf 'a\tX\n' >input
refused 1 "<stdin>: byte 0: not a psrec stream (text goes with -t, or through psview -t)"
refused 2 "-I needs -t: edge records carry numbers, not names (psgraph-build -h shows the options)" -I items.tsv

# ---- damaged records: each byte short of the whole, each kind of damage ----
size=$(wc -c <edges.psr)
for bytes in 0 1 8 63 64 65 76 $((size - 32)) $((size - 1)); do
    head -c $bytes edges.psr >input
    if "$build" -o out.psg <input 2>err || [ -e out.psg ]; then
        fail "a stream cut at byte $bytes of $size is taken for whole"
    fi
    grep -q '^psgraph-build: <stdin>: ' err || fail "cut at byte $bytes: $(cat err)"
done
printf '0 0 nan\n' | python3 graph.py edges >input
refused 1 "<stdin>: record 0: edge weight nan: it must be positive and finite"
printf '0 4294967295 1\n' | python3 graph.py edges >input
if "$build" <input >out 2>err; then fail "a padding number is taken for a board"; fi

# ---- outputs that fail ----
if [ -w /dev/full ]; then
    status=0
    "$build" -t <edges.tsv >/dev/full 2>err || status=$?
    [ $status -eq 1 ] || fail "/dev/full: status $status"
    [ "$(cat err)" = "psgraph-build: <stdout>: cannot write: No space left on device" ] || fail "/dev/full: $(cat err)"
fi
status=0
"$build" -t -o no/such/folder.psg <edges.tsv 2>err || status=$?
[ $status -eq 1 ] && grep -q 'no/such/folder.psg' err || fail "-o into no folder: status $status: $(cat err)"
