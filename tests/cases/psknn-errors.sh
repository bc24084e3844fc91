# psknn and pseval refuse what makes no sense: one line that names the place, status 1 or 2, nothing under -o's name.
set -eu
. "$PS_ROOT/tests/need-python"
check() { python3 "$PS_ROOT/tests/knn_check.py" "$@"; }
PATH=$PS_BIN:$PATH
failed=0

# refused STATUS TEXT COMMAND...: reads what is in `in`.
refused() {
    want=$1 text=$2
    shift 2
    status=0
    "$@" -o never <in >out 2>err || status=$?
    if [ $status -ne "$want" ] || ! grep -qF -e "$text" err || [ "$(wc -l <err)" -ne 1 ] || [ -e never ] || [ -s out ]; then
        echo "$*: status $status, not $want with '$text': $(cat err)"
        failed=1
    fi
    rm -f never
}

printf 'a\tb1\nb\tb1\nc\tb2\nd\tb2\n' >edges.tsv
psgraph-build -t <edges.tsv >g.psg
printf 'x\tb1\ny\tb1\n' | psgraph-build -t >other.psg
check vectors x.psr 4 3 1
check vectors five.psr 5 3 1
check vectors wide.psr 4 7 1
check sparse s.psr x.psr
psknn -g g.psg -x x.psr -a -k 2 >h.psr
psknn -g other.psg --boards -a -k 2 >theirs.psr
psknn -g g.psg -x x.psr -t --sets -k 2 <<'END' >sets.psr
a
END
printf 'a\tb\n' >pairs.tsv
: >empty
python3 - "$PS_ROOT/tests" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from knn_check import write
nan = float("nan")
write("nan.psr", "vectors", 2, "Iff", [(0, 1, 1), (1, 1, nan)], 1)
write("twice.psr", "vectors", 2, "Iff", [(2, 1, 1), (2, 1, 0)], 1)
write("long.psr", "vectors", 2, "Iff", [(0, 1e30, 1)], 1)
write("none.psr", "vectors", 0, "I", [(0,)], 1)
write("apart.psr", "sparse", 4, "IIf", [(0, 1, 1), (1, 1, 1), (0, 2, 1)])
write("beyond.psr", "sparse", 4, "IIf", [(0, 4, 1)])
write("far.psr", "sparse", 4, "IIf", [(9, 1, 1)])
write("ids.psr", "ids", 0, "I", [(1,), (7,)])
write("seen.psr", "pairs", 0, "IIf", [(0, 1, 1), (1, 3, 1), (1, 2, 1)])
write("far-seen.psr", "pairs", 0, "IIf", [(0, 1, 1), (1, 4, 1)])
write("far-hits.psr", "hits", 1, "IIf", [(0, 1, 1), (1, 9, 1)])
write("far-query.psr", "hits", 1, "IIf", [(9, 1, 1)])
END

# psknn
: >in
refused 2 "-x VECTORS" psknn -g g.psg -a
refused 2 "give one" psknn -g g.psg -x x.psr --boards -a
refused 2 "--boards needs -g" psknn --boards
refused 2 "-t needs -g" psknn -x x.psr -t
refused 2 "-a needs -g" psknn -x x.psr -a
refused 2 "give one" psknn -g g.psg -x x.psr -a -t
refused 2 "give one" psknn -g g.psg -x x.psr -a -Q x.psr
refused 2 "needs -t" psknn -g g.psg -x x.psr --sets
refused 2 "leave out -Q" psknn -g g.psg --boards -Q x.psr
refused 2 "out of range" psknn -g g.psg -x x.psr -a -k 0
refused 1 "no.psg" psknn -g no.psg -x x.psr -a
refused 1 "no.psr" psknn -g g.psg -x no.psr -a
refused 1 "record 4: item number 4" psknn -g g.psg -x five.psr -a
refused 1 "record 1, element 1: NaN" psknn -x nan.psr
refused 1 "record 1: item 2 again" psknn -x twice.psr
refused 1 "overflow" psknn -x long.psr
refused 1 "no elements" psknn -x none.psr
refused 1 "record 2: item 0 again" psknn -x apart.psr
refused 1 "record 0: index 4" psknn -x beyond.psr
refused 1 "record 0: item 9 is out of range" psknn -g g.psg -x far.psr -a
refused 1 "h.psr: holds hits" psknn -g g.psg -x h.psr -a
refused 1 "wide.psr: vectors of 7 elements" psknn -x x.psr -Q wide.psr
refused 1 "s.psr: holds sparse" psknn -x x.psr -Q s.psr
refused 1 "empty" psknn -x empty
refused 1 "record 1, element 1: NaN" psknn -x x.psr -Q nan.psr
refused 1 "ids.psr: holds ids" psknn -g g.psg -x x.psr -a --seen ids.psr
refused 1 "record 1: item number 4" psknn -g g.psg -x x.psr -a --seen far-seen.psr
refused 1 "no.psr" psknn -g g.psg -x x.psr -a --seen no.psr
printf 'x\ty\n' | psview -t -g other.psg -K pairs >their-seen.psr
refused 1 "their-seen.psr: its node numbers are those of graph" psknn -g g.psg --boards -a --seen their-seen.psr
head -c 90 seen.psr >cut.psr
refused 1 "cut.psr" psknn -g g.psg -x x.psr -a --seen cut.psr
refused 2 "-B builds an index" psknn -B ivf -x x.psr --seen seen.psr
echo a >in
refused 1 "not a psrec stream" psknn -g g.psg -x x.psr
echo e >in
refused 1 "line 1: g.psg has no item 'e'" psknn -g g.psg -x x.psr -t
cp ids.psr in
refused 1 "record 1: item number 7" psknn -g g.psg -x x.psr
refused 1 "item 7 has no vector" psknn -x x.psr

# pseval
cp h.psr in
refused 2 "-p PAIRS" pseval -g g.psg
refused 2 "judging hits needs -g" pseval -p pairs.tsv
refused 2 "-t needs -g" pseval -x x.psr -t -p pairs.tsv
refused 2 "give one" pseval -g g.psg -t -p pairs.tsv -x x.psr --boards
refused 2 "--distribution needs vectors" pseval -g g.psg -t -p pairs.tsv --distribution 5
refused 2 "--against needs -p" pseval -x x.psr --distribution 5 --against x.psr
refused 2 "it needs -t" pseval -g g.psg -p pairs.psr -u
refused 2 "standard input" pseval -g g.psg -t -p -
refused 2 "out of range" pseval -g g.psg -t -p pairs.tsv --cold -1
for list in '' 0 1,,2 5,1 1,1 1x -1 1, 9999999 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17; do
    refused 2 "-K '$list'" pseval -g g.psg -t -p pairs.tsv -K "$list"
done
refused 1 "empty: no pairs" pseval -g g.psg -t -p empty
refused 1 "line 1: g.psg has no item 'b1'" pseval -g g.psg -t -p edges.tsv
refused 1 "no.tsv" pseval -g g.psg -t -p no.tsv
refused 1 "x.psr: holds vectors, but pairs" pseval -g g.psg -p x.psr
refused 1 "ids.psr: holds ids" pseval -g g.psg -t -p pairs.tsv -x ids.psr
refused 1 "ids.psr: holds ids" pseval -g g.psg -t -p pairs.tsv -x x.psr --against ids.psr
cp theirs.psr in
refused 1 "its node numbers are those of graph" pseval -g g.psg -t -p pairs.tsv
refused 1 "theirs.psr: its node numbers are those of graph" pseval -g g.psg -t -p pairs.tsv -x x.psr --against theirs.psr
cp sets.psr in
refused 1 "hits of items for plain queries" pseval -g g.psg -t -p pairs.tsv
cp x.psr in
refused 1 "holds vectors, but hits" pseval -g g.psg -t -p pairs.tsv
cp far-hits.psr in
printf 'a\tb\nb\ta\n' >both.tsv
refused 1 "record 1: item 9 is out of range" pseval -g g.psg -t -p both.tsv
cp far-query.psr in
refused 1 "record 0: item 9 is out of range" pseval -g g.psg -t -p pairs.tsv

python3 - h.psr in <<'EOF'
import struct, sys, zlib
data = bytearray(open(sys.argv[1], "rb").read())
start, size, width = struct.unpack_from("<I", data, 44)[0], struct.unpack_from("<I", data, 16)[0], data[12]
for at in range(start, len(data) - 32, size):
    struct.pack_into("<f", data, at + 2 * width, float("nan"))
struct.pack_into("<I", data, len(data) - 8, zlib.crc32(bytes(data[start:-32])))
struct.pack_into("<I", data, len(data) - 4, zlib.crc32(bytes(data[-32:-4])))
open(sys.argv[2], "wb").write(data)
EOF
refused 1 "a score that is not finite" pseval -g g.psg -t -p pairs.tsv

# An item twice, a query twice; sets.
python3 - "$PS_ROOT/tests" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from knn_check import write
write("item-twice.psr", "hits", 2, "IIfIf", [(0, 1, 2, 1, 1)])
write("query-twice.psr", "hits", 1, "IIf", [(2, 1, 1), (0, 1, 1), (2, 1, 1)])
END
cp item-twice.psr in
refused 1 "record 0: item 1 twice" pseval -g g.psg -t -p pairs.tsv
cp query-twice.psr in
refused 1 "record 2: query 2 again" pseval -g g.psg -t -p pairs.tsv
printf 'a\nb\n' | psknn -g g.psg -x x.psr -t --sets -k 2 >in
refused 1 "set 1, but the held-out items are of 1 sets" pseval -g g.psg -t --sets -p pairs.tsv
refused 2 "it needs -t" pseval -g g.psg --sets -p pairs.tsv
cp h.psr in
refused 1 "items for sets are needed" pseval -g g.psg -t --sets -p pairs.tsv

# A stream that breaks off; a full disk.
head -c 100 h.psr >in
refused 1 "truncated" pseval -g g.psg -t -p pairs.tsv
head -c 100 x.psr >cut.psr
refused 1 "truncated" psknn -g g.psg -x cut.psr -a
if [ -w /dev/full ]; then
    for command in "psknn -g g.psg -x x.psr -a" "pseval -g g.psg -t -p pairs.tsv -x x.psr" "pseval -J -x x.psr --distribution 5"; do
        if $command >/dev/full 2>err; then
            echo "$command: a full disk is taken for success"
            failed=1
        fi
    done
fi
exit $failed
