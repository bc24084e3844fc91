#!/bin/sh
# format.sh - the written formats against an independent reader, and the examples in their man pages.
set -eu
. "$PS_ROOT/tests/fixture.sh"


# ---- the hex in the man pages is what the tools write ----

hex_of() { sed -n '/^\.Bd -literal$/,/^\.Ed/p' "$PS_ROOT/man/$1" | grep -E '^([0-9a-f]{6}|\*)'; }

printf '0\t1\t2\n0\t2\t1\n' | psview -t -K visits >visits.psr
od -A x -t x1 visits.psr >got
hex_of psrec.5 >wanted
diff wanted got || fail "psrec.5 shows another stream than psview writes"
printf '0\t0\n0\t1\n1\t1\n' | psview -t -K edges | psgraph-build >tiny.psg
od -A x -t x1 tiny.psg >got
hex_of psgraph.5 >wanted
diff wanted got || fail "psgraph.5 shows another graph than psgraph-build writes"

# ---- the reader ----

command -v python3 >/dev/null || {
    echo "the reader in tests/reader needs python3"
    exit 77
}
reader="python3 $PS_ROOT/tests/reader/psread.py"

same() { # FILE [options]: text and header of psview and of the reader
    file=$1
    shift
    psview "$@" "$file" >text.psview || fail "psview $* $file"
    # shellcheck disable=SC2086
    $reader --info info.reader "$@" "$file" >text.reader || fail "reader $* $file"
    cmp text.psview text.reader || fail "$file $*: psview and the reader show different text"
    [ -s text.psview ] || fail "$file: nothing to compare"
    psview -H "$file" | grep -Ev '^(version|whole)' >info.psview
    diff info.psview info.reader || fail "$file: psview and the reader show different headers"
}

{
    echo 'a	x	2'
    echo 'b	x'
    echo 'b	y	0.125'
    echo 'b	y	3'
    echo 'c	y	1e-3'
    echo 'd	z'
    awk 'BEGIN { for (i = 0; i < 300; i++) printf "i%d\tb%d\t%g\n", i * 7 % 50, i * i % 23, 1 + i % 9 }'
} >edges.tsv
psgraph-build -t <edges.tsv >g.psg
cut -f1,2 edges.tsv | psgraph-build -t >unweighted.psg
for graph in g.psg unweighted.psg tiny.psg; do
    psview --edges $graph >edges.psview
    $reader --info info $graph >edges.reader || fail "the reader refuses $graph"
    cmp edges.psview edges.reader || fail "$graph: different edges"
    psview -H $graph | grep -Ev '^(version|item names|board names|weighted|file bytes|section|whole)' | diff - info ||
        fail "$graph: different headers"
done

load() { psview -t -g g.psg -K "$@" >s.psr; }

cut -f1-3 edges.tsv | load edges
same s.psr
same s.psr -g g.psg
printf 'a\nb\na\n' | load ids
same s.psr -g g.psg
printf 'a\tb\tc\nb\nc\tc\tc\tc\ta\n' | load walks -d 4
same s.psr -g g.psg
printf 'a\tb\t3\nb\tc\t4000000000\n' | load visits
same s.psr -g g.psg
printf 'a\tb\t0.75\na\tc\t0.25\nb\nc\ta\t1\n' | load neighbours -d 3
same s.psr -g g.psg
same s.psr -g g.psg --wide
printf 'a\tb\nc\ta\t0.1\n' | load pairs
same s.psr -g g.psg
printf 'a\t1\t2\na\t7\t-0.5\nb\t0\t1e-30\n' | load sparse -d 8
same s.psr -g g.psg
printf 'a\tb\t1\na\tc\t-0.25\n\na\tb\t3\nb\nb\nb\tc\t1\n' | load hits -d 3
same s.psr -g g.psg
same s.psr -g g.psg --wide
printf '0\tb\t1\n9\tc\t-0.25\n' | load hits -d 3 --first plain
same s.psr -g g.psg
printf '1\t4294967295\n3\t18446744073709551614\n' | psview -t -K pairs --width 8 >s.psr
same s.psr
for elem in f32 f16 bf16 i8; do
    printf 'a\t1\t-2.5\t3.1e-38\nc\t-0\t0.1\t1000.7\nd\t0\t0\t1e-7\n' | load vectors -E $elem --bias
    same s.psr -g g.psg
    cat s.psr s.psr >two.psr
    same two.psr
    gzip -c two.psr >two.psr.gz
    same two.psr.gz
done

# What other tools make.
if [ -x "$PS_BIN/pswalk" ] && [ -x "$PS_BIN/psneigh" ]; then
    pswalk -g g.psg -a -w 200 >s.psr
    same s.psr -g g.psg
    psneigh -g g.psg -a -w 200 -T 5 >s.psr
    same s.psr -g g.psg
    pswalk -g g.psg -a -w 200 -k 4 >s.psr
    same s.psr -g g.psg
fi

# ---- the reader sees damage, so that its agreement means something ----

python3 - "$PS_ROOT/tests/reader" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from psread import Damaged, streams
whole = open("visits.psr", "rb").read()
streams(whole)
bad = [(whole[:n], "cut at byte %d" % n) for n in range(len(whole))]
for at in range(len(whole)):
    flipped = bytearray(whole)
    flipped[at] ^= 4
    bad.append((bytes(flipped), "a bit of byte %d flipped" % at))
overlooked = []
for data, what in bad:
    try:
        streams(data)
        overlooked.append(what)
    except Damaged:
        pass
if overlooked:
    sys.exit("the reader overlooks: " + "; ".join(overlooked))
END
