#!/bin/sh
# psview.sh - text of every kind and back, graphs, slices, order, element types, what -c refuses.
set -eu
. "$PS_ROOT/tests/fixture.sh"


same() { # WHAT FILE: standard input is what FILE holds
    cat >expected
    cmp expected "$2" || {
        diff expected "$2" | head -20
        fail "$1"
    }
}

refused() { # WHY COMMAND...: status 1, WHY in the one line on standard error
    why=$1
    shift
    status=0
    "$@" >shown 2>message || status=$?
    [ $status -eq 1 ] || fail "status $status, not 1: $*"
    grep -q -- "$why" message || fail "no '$why' in: $(cat message)"
    [ "$(wc -l <message)" -eq 1 ] || fail "more than one line: $(cat message)"
}

cat >edges.tsv <<END
a	x	2
b	x	1
b	y	0.5
c	x	1
c	y	1
d	z	1
END
psgraph-build -t <edges.tsv >g.psg

# ---- text and back ----

round() { # KIND OPTIONS...: the text on standard input, as records, as text again, in every way
    cat >text
    psview -t -K "$@" -g g.psg <text >s.psr
    psview -g g.psg s.psr | same "$*: text came back changed" text
    psview -c -g g.psg s.psr || fail "$*: -c refuses what -t made"
    psview s.psr | psview -t -K "$@" >numbers.psr
    psview numbers.psr >numbers
    psview s.psr | same "$*: numbers came back changed" numbers
    [ "$(psview -C s.psr)" -eq "$(psview -J s.psr | wc -l)" ] || fail "$*: -C and -J disagree"
    gzip -c s.psr | psview -g g.psg | same "$*: gzip" text
    psview -t -K "$@" -g g.psg --width 8 <text | psview -g g.psg | same "$*: 64-bit numbers" text
}

printf 'a\tx\t2\nb\ty\t0.5\n' | round edges
printf 'a\nc\na\n' | round ids
printf 'a\tb\tc\nb\nc\tc\ta\tb\td\n' | round walks -d 4
printf 'a\tb\t3\nb\tc\t4000000000\n' | round visits
printf 'a\tb\t0.75\na\tc\t0.25\nb\nc\ta\t1\n' | round neighbours -d 3
printf 'a\tb\t1\nc\td\t0.100000001\n' | round pairs
printf 'a\t1\t-2.5\t3.40282347e+38\nc\t-0\t1e-45\t2\n' | sed 's/1e-45/1.40129846e-45/' | round vectors
printf 'a\t1\t-2.5\nc\t-0\t0.333251953\n' | round vectors -E f16
printf 'a\t1\t-2.5\nc\t-0\t0.333984375\n' | round vectors -E bf16
printf 'a\t1\t7\na\t9\t-0.5\nb\t0\t2\n' | round sparse -d 10
printf 'a\tb\t1\na\tc\t-0.25\n\na\tb\t3\nb\nb\nb\tc\t1\n' | round hits -d 3
psview --wide -g g.psg s.psr >wide
same "--wide" wide <<END
a	b	1	c	-0.25
a	b	3
b
b
b	c	1
END
psview -t -K hits -d 3 -g g.psg --wide <wide | cmp - s.psr || fail "--wide does not come back"
psview -J -g g.psg s.psr | sed 2q >json
same "-J" json <<END
{"query":"a","hits":[["b",1],["c",-0.25]]}
{"query":"a","hits":[["b",3]]}
END
printf 'a\tb\n' | psview -t -K pairs -g g.psg | psview >shown
printf '0\t1\t1\n' | same "a weight left out is 1" shown
printf '7\tb\t1\n' | psview -t -K hits -d 1 --first plain -g g.psg | psview -g g.psg >shown
printf '7\tb\t1\n' | same "plain numbers have no names" shown
printf 'x\nz\n' | psview -t -K ids --first boards -g g.psg | psview -g g.psg >shown
printf 'x\nz\n' | same "ids of boards" shown
printf 'a\nnobody\nb\n' | psview -q -t -u -K ids -g g.psg | psview -g g.psg >shown
printf 'a\nb\n' | same "-u" shown

# The 8-bit elements that text gives back are the same.
awk 'BEGIN { for (i = 0; i < 50; i++) printf "%d\t%.9g\t%.9g\n", i, sin(i * 3.7), cos(i) / 3 }' | psview -t -K vectors >f.psr
psview --raw -E i8 f.psr >i8.psr
psview i8.psr | psview -t -K vectors -E i8 | psview >again
psview i8.psr | same "i8 elements came back changed" again
psview i8.psr | awk -F'\t' 'NR == FNR { v[$1] = $2; next } { d = v[$1] - $2; if (d * d > 1.7e-5) bad = 1 } END { exit bad }' - again || fail "i8 elements are too far off"

# ---- head, slices, order, cat ----

psview -H s.psr >head
grep -q '^kind	hits$' head && grep -q '^dimension	3$' head && grep -q '^records	5$' head && grep -q '^whole	yes$' head ||
    fail "-H: $(cat head)"
psview -H g.psg | grep -q '^edges	6$' || fail "-H of a graph"
psview -H -J s.psr g.psg >json
[ "$(wc -l <json)" -eq 2 ] || fail "-H -J: not a line a file"
seq 1 20 | psview -t -K ids >a.psr
seq 21 30 | psview -t -K ids >b.psr
psview a.psr b.psr >shown
seq 1 30 | same "two files are one stream" shown
cat a.psr b.psr | psview --skip 18 --take 5 >shown
seq 19 23 | same "--skip and --take" shown
[ "$(psview -C --skip 25 a.psr b.psr)" -eq 5 ] || fail "-C counts what is shown"
psview --raw b.psr a.psr | psview --raw -S >sorted.psr
psview -c sorted.psr
psview sorted.psr >shown
seq 1 30 | same "-S" shown
printf '2\t1\t5\n1\t9\t1\n2\t0\t3\n1\t9\t2\n' | psview -t -K pairs | psview -S >shown
printf '1\t9\t1\n1\t9\t2\n2\t0\t3\n2\t1\t5\n' | same "-S by both numbers, equal ones in their order" shown
head -c 150 a.psr >cut.psr
refused "cut.psr: byte .*truncated" psview -H cut.psr
grep -q '^whole	no$' shown || fail "-H of a truncated stream shows nothing"
refused "kind, shape or graph" psview a.psr f.psr
psview -o out.txt a.psr && seq 1 20 | same "-o" out.txt
psview -z a.psr | gzip -dc >shown && seq 1 20 | same "-z" shown

# ---- graphs ----

psview --edges g.psg | psgraph-build -t | cmp - g.psg || fail "--edges does not make the graph again"
psview --edges --skip 1 --take 2 g.psg >shown
printf 'b\tx\t1\nb\ty\t0.5\n' | same "--edges" shown
for way in "psview -c g.psg" "psview -c" "cat g.psg | psview -c" "gzip -c g.psg | psview -c"; do
    eval "$way" <g.psg || fail "$way"
done
psview g.psg >shown
# shellcheck disable=SC2002
cat g.psg | psview | same "a graph through a pipe" shown
grep -q '^most board degree	3$' shown || fail "degrees: $(cat shown)"

# ---- .npy ----

psview --npy f.psr >f.npy
if command -v python3 >/dev/null; then
    python3 - <<'END' || fail "--npy"
import ast, struct
d = open("f.npy", "rb").read()
assert d[:8] == b"\x93NUMPY\x01\x00"
n = struct.unpack("<H", d[8:10])[0]
assert (10 + n) % 64 == 0
assert ast.literal_eval(d[10:10 + n].decode()) == {"descr": "<f4", "fortran_order": False, "shape": (50, 2)}
assert len(d) == 10 + n + 400
assert abs(struct.unpack("<f", d[10 + n + 8:10 + n + 12])[0] - -0.5298361) < 1e-6
END
fi

# ---- what -c refuses ----

check() { # WHY KIND OPTIONS...: the text on standard input breaks a rule
    why=$1
    shift
    psview -t -K "$@" >bad.psr || fail "$*: -t itself refuses the text"
    refused "bad.psr: .*$why" psview -c bad.psr
}

load() { # WHY KIND OPTIONS...: -t itself refuses it
    why=$1
    shift
    cat >bad.txt
    refused "$why" psview -t -K "$@" bad.txt
}

printf '1\t5\n1\t6\n' | check "item 1 has two records" vectors
printf '1\t2\t0.5\n1\t3\t0.5\n\n1\t4\t1\n' | check "item 1 has two records" neighbours -d 3
printf '1\t2\t0.5\n' | check "sum to 0.5" neighbours -d 3
printf '1\t1\t1\n' | check "own neighbour" neighbours -d 3
printf '1\t2\t0.5\n1\t2\t0.5\n' | check "item 2 twice" neighbours -d 3
printf '1\t2\t0.5\n1\t2\t0.5\n' | check "item 2 twice" hits -d 3
printf '1\t2\t3\n1\t2\t4\n' | check "index 2 twice" sparse -d 5
printf '1\t2\t3\n2\t2\t4\n1\t3\t4\n' | check "item 1 do not stand together" sparse -d 5
printf '1\t2\t3\n2\t2\t4\n1\t3\t4\n' | check "query 1 do not stand together" visits
printf '1\t2\t0.5\n1\t3\t0.7\n' | load "best first" hits -d 3
printf '1\t2\t0.4\n1\t3\t0.6\n' | load "heaviest first" neighbours -d 3
printf '1\t2\t-1\n' | load "not positive" neighbours -d 3
printf '1\t2\t0\n' | load "not positive" edges
printf '1\t2\t0\n' | load "count of 0" visits
printf '1\t5\t1\n' | load "index 5, but there are 5" sparse -d 5
printf '1\t2\tnan\n' | load "line 1: score 'nan': not a finite" hits -d 3
printf '1\t2\n1\t1e39\n' | load "line 2: element" vectors
printf '1\t70000\n' | load "too large for f16" vectors -E f16
printf '1\t2\n1\n' | load "line 2: 0 elements, but 1" vectors
printf '1\t2\n1\t2\t3\n' | load "line 2: more than 1" vectors
printf '1\t2\t3\t4\n' | load "line 1: more than the 2 entries" walks -d 2
printf 'a\n' | load "line 1: node 'a': not a number" ids
printf 'nobody\n' | load "g.psg has no item 'nobody'" ids -g g.psg
printf '4294967295\n' | load "too large (--width 8" ids
printf '' | load "no lines" vectors
printf '4\n' | psview -t -K ids >far.psr
refused "far.psr: record 0: item number 4, but g.psg has only 4" psview -c -g g.psg far.psr
refused "are those of graph" sh -c 'printf "a\tx\n" | psgraph-build -t >h.psg; psview -c -g h.psg s.psr'
refused "only vectors can be had" psview --npy a.psr
refused "only vectors have" psview --raw -E f16 a.psr
refused "this is a graph, but records" psview -C g.psg
refused "a.psr: --edges" psview --edges a.psr

# Where there is a model to look at.
if [ -x "$PS_BIN/pstrain" ]; then
    printf 'a\t1\t0\nb\t0\t1\nc\t1\t1\nd\t0\t0.5\n' | psview -t -K vectors -g g.psg >x.psr
    printf 'a\tb\t1\nb\ta\t1\nc\tb\t1\nd\ta\t1\n' | psview -t -K neighbours -d 1 -g g.psg >n.psr
    printf 'a\tb\nb\tc\n' | pstrain -q -t -g g.psg -x x.psr -n n.psr --epochs 1 --hidden 2 -d 2 --batch 2 --negatives 2 >m.psm
    psview -c m.psm || fail "-c refuses a model"
    psview m.psm | grep -q '^kind	model$' || fail "a model's text"
    # shellcheck disable=SC2002
    cat m.psm | psview -J | grep -q '"hidden":2' || fail "a model through a pipe"
    head -c 100 m.psm >cut.psm
    refused "cut.psm: .*truncated" psview -c cut.psm
fi

# ---- an index, a state of psfeat, a checkpoint ----

printf 'a\tone two\nb\ttwo three\nc\tthree\nd\tfour one\n' | psfeat -g g.psg -t -d 3 --sketch 2 --save s.psf >x.psr
psknn -x x.psr -B ivf >i.psi
psknn -x x.psr -B lsh >l.psi
psview -H s.psf | sed -n '1,2p;$p' | tr '\t\n' ' ;' | grep -qx 'kind state of psfeat;text 3;whole yes;' || fail "-H of a state: $(psview -H s.psf)"
psview -J s.psf | grep -q '"texts":4,"terms":4,"history":[^]]*],"whole":"yes"}$' || fail "a state as JSON"
for type in i:ivf l:lsh; do
    psview -H "${type%:*}.psi" >shown
    grep -qx "type	${type#*:}" shown && grep -qx 'rows	4' shown && grep -qx 'whole	yes' shown || fail "-H of an index: $(cat shown)"
done
refused "this is an index, but records" psview -C i.psi
refused "this is a state of psfeat, but records" psview -C s.psf
files="i.psi l.psi s.psf"
if [ -x "$PS_BIN/pstrain" ]; then
    printf 'a\tb\nb\tc\n' >pairs.tsv
    pstrain -q -t -g g.psg -x x.psr --layers 0 --epochs 3 --hidden 2 -d 2 --batch 1 --negatives 2 -c c.psc --every 0 <pairs.tsv >m.psm
    psview c.psc >shown
    grep -qx 'kind	checkpoint' shown && grep -qx 'batches	5' shown && grep -q '^log	epoch=2 ' shown && grep -q '^run	.*batch=1' shown ||
        fail "a checkpoint: $(cat shown)"
    files="$files c.psc"
fi
for file in $files; do
    psview -H $file >shown
    psview -H <$file | cmp - shown || fail "$file on standard input"
    cat $file | psview -H | cmp - shown || fail "$file through a pipe"
    psview -c $file && gzip -c $file | psview -c || fail "-c refuses $file"
    head -c 70 $file >cut
    refused "cut: .*truncated" psview -c cut
    # One bit, in the last section
    at=$(($(wc -c <$file) - 30))
    { head -c $at $file && tail -c +$((at + 1)) $file | LC_ALL=C tr '\000-\377' '\001-\377\000'; } >bad
    refused "bad: .*" psview -c bad
    refused "bad: .*" psview -H bad
done
