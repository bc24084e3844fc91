# Other people's tables: CSV, separators, header lines and columns in each tool that reads text; Matrix Market.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"

# Names with all that CSV has to quote; Python's csv module writes them, in several dialects.
python3 - <<'EOF'
import csv, random
r = random.Random(3)
parts = ["a", "b,", '"', "x y", ";", "ä", "'", "|", "c"]
name = lambda kind, i: kind + "".join(r.choice(parts) for _ in range(r.randrange(1, 6))) + str(i)
items, boards = [name("i", i) for i in range(150)], [name("b", i) for i in range(30)]
edges = [(r.choice(items), r.choice(boards), r.randrange(1, 9) / 2) for _ in range(900)]
pairs = [p for p in ((r.choice(items), r.choice(items)) for _ in range(200)) if p[0] != p[1]]
texts = [(i, "some words, of " + r.choice(["cats\nand dogs", 'a "bird"', "fish\tsoup", ""]), "more %d" % r.randrange(9)) for i in items]
blank = lambda s: s.replace("\n", " ").replace("\t", " ")
tsv = lambda path, rows: open(path, "w").write("".join("\t".join(map(str, row)) + "\n" for row in rows))
tsv("items.tsv", [(i, blank(a), b) for i, a, b in texts])
tsv("edges.tsv", edges)
tsv("pairs.tsv", pairs)

def put(path, header, rows, **how):
    with open(path, "w", newline="", encoding="utf-8") as f:
        w = csv.writer(f, **how)
        if header:
            w.writerow(header)
        w.writerows(rows)

def table(name, end, **how):
    put("items" + end, ["title", "the item", "more, of it"], [(t, i, m) for i, t, m in texts], **how)
    put("edges" + end, ["n", "user", "the item", "extra"], [(w, b, i, 'x\ny "z"') for i, b, w in edges], **how)
    put("pairs" + end, ["right", "the item"], [(p, q) for q, p in pairs], **how)

table("", ".csv")
table("", ".all", quoting=csv.QUOTE_ALL, lineterminator="\n")
table("", ".semi", delimiter=";")
table("", ".pipe", delimiter="|", quoting=csv.QUOTE_ALL)
put("bare.csv", None, [(b, i) for i, b, _ in edges])
raw = open("edges.csv", encoding="utf-8").read()
open("bom.csv", "w", newline="", encoding="utf-8").write("\ufeff\r\n" + raw + "\r\n\r\n")
EOF
psgraph-build -t -I items.tsv <edges.tsv >want.psg
psfeat -t -g want.psg -d 8 <items.tsv >want.x
psneigh -g want.psg -a -T 5 -w 100 >n.psr
train() { pstrain -g want.psg -x want.x -n n.psr -t --epochs 1 --hidden 8 -d 8 --batch 32 "$@"; }
train -p pairs.tsv <pairs.tsv >want.psm
pseval -J -g want.psg -t -p pairs.tsv -x want.x >want.json
for how in ".csv ," ".all comma" ".semi ;" ".pipe pipe"; do
    end=${how% *} sep=${how#* }
    psgraph-build -t -F "$sep" -H --columns 'the item,user,n' -I items$end <edges$end >g.psg
    cmp g.psg want.psg || fail "$end: another graph"
    psfeat -t -g g.psg -d 8 -F "$sep" -H --columns 'the item,title,3' <items$end >x.psr
    cmp x.psr want.x || fail "$end: other features"
    train -F "$sep" -H --columns 'the item,right' -p pairs$end <pairs$end >m.psm
    cmp m.psm want.psm || fail "$end: another model"
    pseval -J -g want.psg -t -F "$sep" -H --columns 2,1 -p pairs$end -x want.x | cmp - want.json || fail "$end: other figures"
done
psgraph-build -t -F , -H --columns 'the item,user,n' -I items.csv <bom.csv | cmp - want.psg || fail "a byte order mark, empty lines"
cut -f 1,2 edges.tsv | psgraph-build -t >want.psg
psgraph-build -t -F , --columns 2,1 <bare.csv | cmp - want.psg || fail "columns by number"
# A tab, quotes taken as they are; a header line to skip.
{ echo 'item	board'; cut -f 1,2 edges.tsv; } | psgraph-build -t -H | cmp - want.psg || fail "TSV with a header line"
awk -F '\t' '{ print $2 "\t" NR "\t" $1 }' edges.tsv | psgraph-build -t --columns 3,1 | cmp - want.psg || fail "TSV by columns"
printf 'a x\nb x\n' | psgraph-build -t -F space | psview --edges >got
printf 'a\tx\nb\tx\n' | cmp - got || fail "blanks between"

refused() { # status, text, input, command
    want=$1 text=$2 input=$3 status=0
    shift 3
    printf "$input" | "$@" >out 2>err || status=$?
    [ $status = "$want" ] || fail "$*: status $status: $(cat err)"
    [ "$(wc -l <err)" = 1 ] && grep -q -e "$text" err || fail "$*: expected '$text': $(cat err)"
}
build="psgraph-build -t -F , -H"
refused 1 "line 1: no column 'x'; there are: a, b c" 'a,b c\n1,2\n' $build --columns x,a
refused 1 'line 3: 1 columns, but column 2 is needed' 'a,b\n1,2\n3\n' $build --columns b,a
refused 1 'line 5: the end, within quotes that are opened on line 2' 'a,b\n1,"2\n3\n\n4,5\n' $build
refused 1 'line 2: column 1: something follows its closing quote' 'a,b\n"1"2,3\n' $build
refused 1 'line 3: column 2: a tab or an end of line' 'a,b\n1,"2\n3"\n' psgraph-build -t -F , -H --columns b,a
refused 1 'line 2: more than three columns' 'a,b,c,d\n1,2,3,4\n' $build
refused 1 'empty, expected a line with the columns' '' $build
refused 1 'line 1: expected item TAB board .* -F ,' '1,2\n' psgraph-build -t
refused 1 "line 1: expected query TAB positive .* -F ';'" '1;2\n' pseval -g want.psg -t -p - -x want.x
refused 2 "-F .*'ab' is not one character" '' psgraph-build -t -F ab
refused 2 "'b': columns are numbered from 1, and have names only with -H" '' psgraph-build -t --columns 1,b
refused 2 "'0': columns are numbered" '' psgraph-build -t -H --columns 0
refused 2 "expected up to" '' psgraph-build -t -H --columns a,,b
for tool in "psgraph-build" "psfeat --npy x" "pseval -x want.x -p x" "pstrain -g want.psg -x want.x"; do
    refused 2 'about text: they need -t' '' $tool -H
done

# Line numbers are those of the file, whatever its records are.
printf 'n,item\n1,a\n\n"2\n2",b\n3,a\n' >twice.csv
refused 1 "twice.csv: line 6: item 'a' again (first on line 2)" 'item,board\na,x\n' $build --columns item,board -I twice.csv

# Without a graph, a row is a record: an empty line is none, and is told of where it makes rows move.
printf 'item,text\na,one\n\n\nb,two\n\n' | psfeat -t -F , -H -d 4 --text-only -o x.psr 2>err
[ "$(psview -H x.psr | grep '^records')" = 'records	2' ] || fail "rows of a table with empty lines"
grep -qx 'psfeat: 2 empty lines skipped: they are no items, and have no rows' err || fail "empty lines: $(cat err)"
printf 'item,text\na,one\nb,two\n\n' | psfeat -t -F , -H -d 4 --text-only 2>err | cmp - x.psr && [ ! -s err ] || fail "an empty line at the end: $(cat err)"

# Matrix Market, as SciPy writes it.
mtx='%%%%MatrixMarket matrix coordinate'
printf "$mtx real general\n%% a comment\n\n3 4 4\n1 1 2.5\n2 4 1\n3 2 0\n1 3 1e0\n" | psgraph-build --mtx >g.psg
psview --edges g.psg >got
printf '0\t0\t2.5\n0\t2\t1\n1\t3\t1\n' | cmp - got || fail "from a matrix: $(cat got)"
psview -H g.psg | grep -q '^items	3$' && psview -H g.psg | grep -q '^boards	4$' || fail "size: $(psview -H g.psg)"
printf "$mtx pattern general\n2 2 2\n1 1\n2 2\n" | psgraph-build --mtx | psview --edges >got
printf '0\t0\n1\t1\n' | cmp - got || fail "from a pattern: $(cat got)"
refused 1 'line 1: not a Matrix Market file' '1 2\n' psgraph-build --mtx
refused 1 "format 'array'" '%%%%MatrixMarket matrix array real general\n' psgraph-build --mtx
refused 1 "field 'complex'" "$mtx complex general\n" psgraph-build --mtx
refused 1 "symmetry 'symmetric'" "$mtx real symmetric\n" psgraph-build --mtx
refused 1 "line 3: 'x': expected a whole number of at most 2" "$mtx real general\n2 2 1\n1 x 1\n" psgraph-build --mtx
refused 1 "line 3: '3': expected" "$mtx real general\n2 2 1\n1 3 1\n" psgraph-build --mtx
refused 1 'line 3: rows and columns are numbered from 1' "$mtx real general\n2 2 1\n0 1 1\n" psgraph-build --mtx
refused 1 'line 3: a value that is no number of at least 0' "$mtx real general\n2 2 1\n1 1 -1\n" psgraph-build --mtx
refused 1 'line 4: more than the 1 entries' "$mtx real general\n2 2 1\n1 1 1\n2 2 1\n" psgraph-build --mtx
refused 1 'truncated: 1 of 2 entries' "$mtx real general\n2 2 2\n1 1 1\n" psgraph-build --mtx
refused 2 'neither -t nor -g' '' psgraph-build --mtx -t

# As SciPy itself writes it; PS_PYTHON names another interpreter that has it.
if "${PS_PYTHON:-python3}" -c 'import scipy.io' 2>/dev/null; then
    "${PS_PYTHON:-python3}" - <<'EOF'
import numpy as np, scipy.io, scipy.sparse as sp
m = sp.coo_matrix(([2.5, 1, 7], ([0, 2, 2], [3, 0, 1])), shape=(4, 5))
scipy.io.mmwrite("m.mtx", m, comment="a comment")
EOF
    psgraph-build --mtx <m.mtx | psview --edges >got
    printf '0\t3\t2.5\n2\t0\t1\n2\t1\t7\n' | cmp - got || fail "from SciPy: $(cat got)"
fi

# A table without a record is no reason to replace a graph, whatever lines it has
printf 'a\tx\n' | psgraph-build -t >kept.psg
cp kept.psg before.psg
for table in 'item,board\n' 'item,board\n\n\n'; do
    if printf "$table" | psgraph-build -t -F , -H --columns item,board -o kept.psg 2>err; then fail "a table without a record: accepted"; fi
    grep -q 'empty, expected edges' err && cmp kept.psg before.psg || fail "a table without a record: $(cat err)"
done
status=0
printf 'a\n' | pseval -g kept.psg -t -p /dev/null --sets -F , 2>err || status=$?
[ $status = 2 ] && grep -q 'a line is a set' err || fail "--sets with -F: status $status: $(cat err)"
