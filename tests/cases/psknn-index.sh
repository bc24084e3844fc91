# psknn by an index: how much of the exact hits is found, the same bytes for any number of threads, updates; damaged and
# foreign index files are refused.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
check() { python3 "$PS_ROOT/tests/knn_check.py" "$@"; }
recall() { python3 "$PS_ROOT/tests/recommend_check.py" recall "$@"; }

# Clusters of vectors; one in fifty is zero, some are twice there.
clusters() { # N SEED BIAS FILE
    awk -v n="$1" -v seed="$2" -v bias="$3" 'BEGIN { srand(seed)
        for (c = 0; c < 40; c++) for (j = 0; j < 12; j++) centre[c, j] = rand() - 0.5
        for (i = 0; i < n; i++) {
            c = int(rand() * 40); line = i
            for (j = 0; j < 12; j++) line = line "\t" (i % 50 == 7 ? 0 : centre[c, j] + (rand() - 0.5) * 0.7)
            if (bias) line = line "\t" (rand() - 0.5) * 0.4
            if (i % 50 == 9) { sub(/^[0-9]+/, i, last); line = last }
            last = line
            print line } }' >text
    psview -t -K vectors ${3:+--bias} text >"$4"
}
clusters 3000 1 "" plain.psr
clusters 3000 1 1 bias.psr
check ids ids.psr $(seq 0 11 2999)
for x in plain bias; do
    for how in "" --cosine; do
        psknn -x $x.psr $how -k 10 <ids.psr >exact.psr
        for type in ivf lsh; do
            psknn -B $type -x $x.psr $how -j 1 >$x.psi
            psknn -B $type -x $x.psr $how -j 3 -o again.psi
            cmp $x.psi again.psi || fail "$type, $x $how: threads make another index"
            for r in 0.5 0.9 0.99; do
                psknn -x $x.psr $how --index $x.psi --recall $r -k 10 -j 1 <ids.psr >h.psr
                floor=$(awk -v r=$r 'BEGIN { print r - 0.06 }')
                recall exact.psr h.psr 10 "$floor" || fail "$type, $x $how: recall $r"
                psknn -x $x.psr $how --index $x.psi --recall $r -k 10 -j 4 <ids.psr | cmp - h.psr || fail "$type, $x $how: -j 4"
                psknn -x $x.psr $how --index $x.psi --recall $r -k 10 -l <ids.psr | cmp - h.psr || fail "$type, $x $how: -l"
            done
        done
    done
done

# All cells; more hits than there are.
psknn -B ivf -x bias.psr -o b.psi
psknn -x bias.psr -k 10 <ids.psr >exact.psr
psknn -x bias.psr --index b.psi --effort 100000 -k 10 <ids.psr >h.psr
recall exact.psr h.psr 10 0.9999 || fail "all cells"
check ids few.psr 0 7 9 2999
psknn -x bias.psr -k 4000 <few.psr >exact.psr
psknn -B lsh -x bias.psr -o l.psi
for f in b l; do
    psknn -x bias.psr --index $f.psi --effort 1 -k 4000 <few.psr >h.psr
    recall exact.psr h.psr 3000 1 || fail "$f.psi: k above n"
done

# Each item once, whichever cells are looked at; from a third of them on everything is found.
for effort in 1 2 5 20 60; do
    psknn -x bias.psr --index b.psi --effort $effort -k 200 <ids.psr | psview | cut -f 1,2 | sort | uniq -d >twice
    [ ! -s twice ] || fail "effort $effort: twice among the hits: $(head -n 3 twice)"
done
cells=$(psview -H b.psi | sed -n 's/^cells	//p')
psknn -x bias.psr -k 10 <ids.psr >exact.psr
psknn -x bias.psr --index b.psi --effort $((cells / 3 + 1)) -k 10 <ids.psr >h.psr
recall exact.psr h.psr 10 0.9999 || fail "a third of the cells"

# A set that has a member many times leaves it out once: no fewer hits than exactly.
check pairs many.psr $(awk 'BEGIN { for (i = 0; i < 900; i++) print 0, 5, 1 }')
for f in b l; do
    n=$(psknn -x bias.psr --index $f.psi --effort 1 -k 2999 <many.psr | psview | wc -l)
    [ "$n" -eq 2999 ] || fail "$f.psi: $n hits of a set of one item"
done

# The recall that is asked for, with fewer hits than it was measured with, and just more than ten.
for k in 1 3 12; do
    psknn -x bias.psr -k $k <ids.psr >exact.psr
    psknn -x bias.psr --index l.psi --recall 0.97 -k $k <ids.psr >h.psr
    recall exact.psr h.psr $k 0.96 || fail "lsh, k = $k"
done

# Queries so short that a float does not hold 7 times the reciprocal of their length.
python3 - "$PS_ROOT/tests" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from knn_check import read, write
rows = read("plain.psr")[2]
write("short.psr", "vectors", 12, "I12f", [[r[0]] + [v * 1e-39 for v in r[1:]] for r in rows[::11]], 1)
END
psknn -B lsh -x plain.psr -o plain.psi
psknn -x plain.psr -Q short.psr -k 10 >exact.psr
psknn -x plain.psr -Q short.psr --index plain.psi --recall 0.9 -k 10 >h.psr
recall exact.psr h.psr 10 0.85 || fail "lsh: short queries"

# An index takes little beside its vectors, though they are few.
awk 'BEGIN { srand(9); for (i = 0; i < 1500; i++) { line = i; for (j = 0; j < 128; j++) line = line "\t" rand() - 0.5; print line } }' |
    psview -t -K vectors >wide.psr
psknn -B ivf -x wide.psr -o wide.psi
[ "$(wc -c <wide.psi)" -le $((1500 * 128 * 4 * 35 / 100)) ] || fail "an index of $(wc -c <wide.psi) bytes"

# An update: rows gone, rows new, rows changed; nothing is trained anew.
python3 - "$PS_ROOT/tests" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from knn_check import read, write
rows = [list(r) for r in read("bias.psr")[2]]
half = [r for r in rows if r[0] % 3 != 0]
write("old.psr", "vectors", 13, "I13f", half, 1, 1)
new = [[r[0]] + [-v for v in r[1:]] if r[0] % 10 == 1 else r for r in rows if r[0] % 5 != 2]
new.reverse()
write("new.psr", "vectors", 13, "I13f", new, 1, 1)
END
check ids some.psr $(seq 0 10 2990)
psknn -x new.psr -k 10 <some.psr >exact.psr
for type in lsh ivf; do
    psknn -B $type -x old.psr -o old.psi
    psknn -B $type --update old.psi -x new.psr -j 3 -o new.psi
    psknn -x new.psr --index new.psi --recall 0.95 -k 10 <some.psr >h.psr
    recall exact.psr h.psr 10 0.85 || fail "$type: updated index"
    psknn -B $type --update new.psi -x new.psr -j 1 | cmp - new.psi || fail "$type: an update to the same is not the same"
    # Forth and back: what an index holds of a row does not depend on when it came.
    psknn -B $type --update new.psi -x old.psr | cmp - old.psi || fail "$type: an update back is not the same"
done

# What is refused: one line, nothing under -o's name.
refused() { # TEXT COMMAND...
    text=$1
    shift
    if "$@" -o never <some.psr >out 2>err; then
        fail "$*: not refused"
    fi
    grep -qF -e "$text" err && [ "$(wc -l <err)" -eq 1 ] && [ ! -e never ] && [ ! -s out ] || fail "$*: $(cat err)"
}
refused "2000 rows of 13 elements, but bias.psr has 3000" psknn -x bias.psr --index old.psi
clusters 3000 2 1 other.psr
refused "other vectors" psknn -x other.psr --index b.psi
refused "rows of 13 elements, but plain.psr" psknn -x plain.psr --index b.psi
refused "leave out --cosine" psknn -x bias.psr --index b.psi --cosine
refused "another type" psknn -B ivf --update bias.psi -x new.psr
refused "other vectors" psknn -B ivf --update old.psi -x plain.psr
refused "not a psgraph index" psknn -x bias.psr --index bias.psr
check sparse s.psr plain.psr
refused "sparse" psknn -B ivf -x s.psr
for f in b l; do
    size=$(wc -c <$f.psi)
    for n in 0 8 63 64 500 $((size / 2)) $((size - 1)); do
        head -c $n $f.psi >cut.psi
        refused cut.psi psknn -x bias.psr --index cut.psi
    done
    python3 - $f.psi <<'END'
import sys
data = open(sys.argv[1], "rb").read()
for k in range(40):
    at = (k * 7919 * len(data) // 40000) % len(data) if k > 20 else k * 37
    bad = bytearray(data)
    bad[at] ^= 0x40
    open("bad%d.psi" % k, "wb").write(bad)
END
    for k in $(seq 0 39); do
        # Between sections there are bytes that mean nothing.
        psknn -x bias.psr --index $f.psi --effort 2 -k 3 <few.psr >want.psr
        if psknn -x bias.psr --index bad$k.psi --effort 2 -k 3 <few.psr >h.psr 2>err; then
            cmp -s h.psr want.psr || fail "$f.psi: damage $k goes unnoticed"
        else
            [ "$(wc -l <err)" -eq 1 ] || fail "$f.psi: damage $k: $(cat err)"
        fi
    done
done
