# psfeat refuses what is wrong, says where, and leaves no output behind.
set -eu
. "$PS_ROOT/tests/fixture.sh"
psfeat=$PS_BIN/psfeat
printf 'a\tp\nb\tp\nc\tq\n' >edges.tsv
"$PS_BIN/psgraph-build" -t <edges.tsv >g.psg
printf 'a\tp\nb\tq\nc\tq\n' | "$PS_BIN/psgraph-build" -t >other.psg
printf 'a\tred fruit\nb\tgreen fruit\nc\tfast car\n' >items.tsv
"$psfeat" -g g.psg -t <items.tsv >x.psr

# refuse STATUS 'message' options...: standard input is in.txt
refuse() {
    status=$1 message=$2
    shift 2
    rm -f out.psr
    rc=0
    "$psfeat" "$@" -o out.psr <in.txt 2>err.txt || rc=$?
    [ $rc = "$status" ] || fail "psfeat $*: status $rc, expected $status: $(cat err.txt)"
    grep -q "^psfeat: .*$message" err.txt || fail "psfeat $*: expected '$message', got: $(cat err.txt)"
    [ "$(wc -l <err.txt)" = 1 ] || fail "psfeat $*: more than one line: $(cat err.txt)"
    [ "$(ls | grep -c '^out')" = 0 ] || fail "psfeat $*: an output is left"
}

: >in.txt
refuse 1 '<stdin>: empty input' -g g.psg -t
refuse 1 '<stdin>: empty input' -t
printf 'a\tx\nb\ty\na\tz\n' >in.txt
refuse 1 "<stdin>: line 3: item 'a' again (first on line 1)" -g g.psg -t
printf 'a\tx\nz\ty\n' >in.txt
refuse 1 "<stdin>: line 2: g.psg has no item 'z'" -g g.psg -t
printf 'a\tx\n\ty\n' >in.txt
refuse 1 '<stdin>: line 2: an empty item name' -g g.psg -t
printf 'a\tx\nb\t\000y\n' >in.txt
refuse 1 '<stdin>: line 2: a NUL byte' -g g.psg -t
{ printf 'a\t'; head -c 1100000 /dev/zero | tr '\0' x; } >in.txt
refuse 1 '<stdin>: line 1: longer than' -g g.psg -t

cp items.tsv in.txt
refuse 1 'nowhere.psg: ' -g nowhere.psg -t
refuse 1 'items.tsv: .*not a graph' -g items.tsv -t
refuse 1 'x.psr: .*not a graph' -g x.psr -t
head -c 100 g.psg >short.psg
refuse 1 'short.psg: ' -g short.psg -t
refuse 2 'nothing to make features of'
refuse 2 'nothing to make features of' -g g.psg
refuse 2 'no features are left' -g g.psg -d 0 --sketch 0 --no-degree
refuse 2 '--sparse' --sparse -x x.psr
refuse 2 '-I says' -I items.tsv -t
refuse 2 'standard input can be read only once' -t -x -
refuse 2 "--ngrams: 'x'" -t --ngrams x
refuse 2 "--ngrams: '3'" -t --ngrams 3
refuse 2 "--ngrams: '5-3'" -t --ngrams 5-3
refuse 2 "--ngrams: '3-17'" -t --ngrams 3-17
refuse 2 "--ngrams: '0-3'" -t --ngrams 0-3
refuse 2 "--ngrams: '3-5x'" -t --ngrams 3-5x
refuse 2 'out of range' -t -d -1
refuse 2 'out of range' -t -d 65537
refuse 2 'is not a number' -t --scale x
refuse 2 'is none of' -t -E i8
refuse 2 'unknown option' -t -Q
refuse 2 'surplus operand' -t items.tsv
refuse 1 'element 0: .* does not fit f16' -t -d 1 --scale 1000000 -E f16

refuse 1 'x.psr: its node numbers are those of graph' -g other.psg -x x.psr
"$psfeat" -g other.psg -t <items.tsv >y.psr
refuse 1 'y.psr: its node numbers are those of graph' -x x.psr -x y.psr
head -2 items.tsv | "$psfeat" -t >two.psr
refuse 1 'two.psr: vectors of 2 items where there are 3' -g g.psg -x two.psr
refuse 1 'two.psr: vectors of 2 items where there are 3' -x x.psr -x two.psr
"$psfeat" -g g.psg -t --sparse <items.tsv >s.psr
refuse 1 's.psr: holds sparse' -x s.psr
refuse 1 'nowhere.psr: ' -x nowhere.psr
refuse 1 'items.tsv: .*not a psrec stream' -x items.tsv
size=$(wc -c <x.psr)
for cut in 0 3 63 64 200 $((size - 33)) $((size - 1)); do
    head -c $cut x.psr >cut.psr
    refuse 1 'cut.psr: ' -x cut.psr
    cp cut.psr in.txt
    refuse 1 '<stdin>: ' -x -
done

cp items.tsv in.txt
refuse 1 'items.tsv: .*neither a .npy nor a .npz file' --npy items.tsv
refuse 1 'nowhere.npy: ' --npy nowhere.npy
npy() { # npy FILE ROWS COLS: of zeros
    head="{'descr': '<f4', 'fortran_order': ${4:-False}, 'shape': ($2, $3), }"
    { printf '\223NUMPY\001\000\166\000'; printf '%-117s\n' "$head"; head -c $(($2 * $3 * 4)) /dev/zero; } >$1
}
npy m.npy 2 3
"$psfeat" --npy m.npy >y.psr || fail "the test's own .npy"
refuse 1 'm.npy: 2 rows for 3 items' -g g.psg --npy m.npy
refuse 1 'm.npy: 2 rows for 3 items' -t --npy m.npy
printf 'a\n' >names.txt
refuse 1 'names.txt: 1 names for the 2 rows' -g g.psg --npy m.npy -I names.txt
printf 'a\nb\nc\n' >names.txt
refuse 1 'names.txt: line 3: m.npy has only 2 rows' -g g.psg --npy m.npy -I names.txt
printf 'a\na\n' >names.txt
refuse 1 "names.txt: line 2: item 'a' again" -g g.psg --npy m.npy -I names.txt
refuse 2 '-I says' --npy m.npy -I names.txt
size=$(wc -c <m.npy)
for cut in 0 5 9 50 127 $((size - 1)); do
    head -c $cut m.npy >cut.npy
    refuse 1 'cut.npy: ' --npy cut.npy
done
{ cat m.npy; printf x; } >long.npy
refuse 1 'long.npy: .*too long' --npy long.npy
npy f.npy 2 3 True
refuse 1 'f.npy: in Fortran order' --npy f.npy
{ head -c $((size - 8)) m.npy; printf '\000\000\300\177\000\000\000\000'; } >nan.npy
refuse 1 'nan.npy: row 1, column 1: NaN' --npy nan.npy
npy wide.npy 1 300000
refuse 1 'too many features' --npy wide.npy

# A full disk, and a reader that goes away.
rc=0
"$psfeat" -g g.psg -t <items.tsv >/dev/full 2>err.txt || rc=$?
[ $rc = 1 ] && grep -q 'No space' err.txt || fail "/dev/full: status $rc: $(cat err.txt)"
for i in 1 2 3 4 5 6 7 8; do cat items.tsv items.tsv; done >many.tsv
"$psfeat" -t -d 65536 <many.tsv 2>err.txt | head -c 10 >/dev/null
[ ! -s err.txt ] || fail "a closed pipe: $(cat err.txt)"
