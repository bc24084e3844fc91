# psgraph-build: numbers, graphs that grow, edges taken out, duplicates, ancestors, pruning, order; what is refused.
set -eu
. "$PS_ROOT/tests/fixture.sh"
build() { "$PS_BIN/psgraph-build" "$@"; }
view() { "$PS_BIN/psview" "$@"; }
edges() { view --edges "$1"; }
refused() { # message, arguments; the input is the file input
    message=$1 status=0
    shift
    build "$@" -o out.psg <input >stdout 2>err || status=$?
    [ $status -ne 0 ] || fail "not refused: $message"
    case $(cat err) in
    "psgraph-build: "*"$message"*) ;;
    *) fail "expected: $message
got: $(cat err)" ;;
    esac
    [ ! -e out.psg ] || fail "$message: a file is left"
}

# ---- -i ----
printf '3\t1\n0\t2\n3\t1\t2.5\n' >input
build -t -i <input >numbers.psg
view -c numbers.psg
[ "$(edges numbers.psg)" = "$(printf '0\t2\t1\n3\t1\t1\n3\t1\t2.5')" ] || fail "-i: $(edges numbers.psg)"
printf '3\t1\n0\tx\n' >input
refused "<stdin>: line 2: 'x' is no number from 0 to 4294967293" -t -i
for big in 4294967294 18446744073709551615 18446744073709551616; do
    printf '1\t1\n1\t1\n%s\t1\n' $big >input
    refused "<stdin>: line 3: '$big' is no number" -t -i
done
printf '4294967296\t7\n18446744073709551616\t8\n' | build -t >names64.psg # as names they are fine
[ "$(edges names64.psg)" = "$(printf '4294967296\t7\n18446744073709551616\t8')" ] || fail "64-bit ids as names"

# ---- any byte but tab, newline and NUL in names ----
i=1
: >bytes.tsv
while [ $i -le 255 ]; do
    [ $i -eq 9 ] || [ $i -eq 10 ] || [ $i -eq 13 ] || printf "a\\$(printf %03o $i)z\\tb\\$(printf %03o $i)\\n" >>bytes.tsv
    i=$((i + 1))
done
build -t <bytes.tsv >bytes.psg
edges bytes.psg | cmp - bytes.tsv
view -c bytes.psg

# ---- growing: the old numbers stay, the old file too ----
printf 'b\tX\na\tY\nb\tW\na\tX\nb\tX\n' >old.tsv
printf 'c\tX\na\tV\nb\tX\n' >new.tsv
build -t <old.tsv >old.psg
cp old.psg before
build -t -g old.psg <new.tsv >new.psg
cmp old.psg before
cat old.tsv new.tsv | build -t >all.psg
view -c new.psg
[ "$(edges new.psg)" = "$(edges all.psg)" ] || fail "grown: $(edges new.psg)"
view -H new.psg | grep -q "^ancestor 1	$(view old.psg | sed -n 's/^fingerprint	//p')\$" || fail "no ancestor"
[ "$(view -H new.psg | grep -c '^history')" = 2 ] || fail "history"
build -t -g new.psg </dev/null >newer.psg
view -H newer.psg | grep -q '^ancestor 2' || fail "ancestors are not kept"

# ---- taking out: all parallel edges; what comes later is there again ----
printf 'b\tX\t-\na\tY\t-\nb\tX\nz\tX\t-\n' >changes.tsv
build -t -g old.psg <changes.tsv >taken.psg 2>err
view -c taken.psg
[ "$(edges taken.psg)" = "$(printf 'b\tX\nb\tW\na\tX')" ] || fail "taken out: $(edges taken.psg)"
grep -q '1 edges to take out were not there' err || fail "nothing said: $(cat err)"
printf 'a\tb\t-\n' >input
refused "<stdin>: line 1: an edge to take out, but no graph to take it from (-g)" -t

# ---- duplicates ----
[ "$(build -t --unique <old.tsv | edges -)" = "$(printf 'b\tX\nb\tW\na\tX\na\tY')" ] || fail "--unique"
[ "$(build -t --sum <old.tsv | edges -)" = "$(printf 'b\tX\t2\nb\tW\t1\na\tX\t1\na\tY\t1')" ] || fail "--sum"
printf 'a\tX\t2e38\na\tX\t2e38\n' >input
refused "the sum of an edge's weights is too large" -t --sum

# ---- an ancestor's streams are taken, the other way round and after a new order they are not ----
"$PS_BIN/pswalk" -g old.psg -a -w 50 >old-v.psr
"$PS_BIN/psneigh" -T 3 <old-v.psr >old-n.psr
view -g new.psg old-n.psr >shown
[ -s shown ] || fail "an ancestor's neighbourhoods are not shown"
"$PS_BIN/pswalk" -g new.psg -a -w 50 >new-v.psr
if view -g old.psg new-v.psr >shown 2>err; then fail "a descendant's visits are taken"; fi
printf 'q\tX\na\tY\na\tX\n' | build -t >old.psg
"$PS_BIN/psneigh" -g old.psg -a -T 3 >old-n.psr
build -t --order degree -g old.psg </dev/null >ordered.psg
if view -g ordered.psg old-n.psr >shown 2>err; then fail "another order's neighbourhoods are taken"; fi

# ---- order: the same graph under other numbers; numbers become names ----
for order in degree community; do
    build -t --order $order -g old.psg </dev/null >ordered.psg
    view -c ordered.psg
    [ "$(edges ordered.psg | sort)" = "$(edges old.psg | sort)" ] || fail "--order $order changes the graph"
    build -t -i --order $order -g numbers.psg </dev/null >ordered.psg
    [ "$(edges ordered.psg | sort)" = "$(edges numbers.psg | sort)" ] || fail "--order $order of numbers"
done

# ---- pruning ----
awk 'BEGIN { for (i = 0; i < 40; i++) { print "i" i "\tbig"; print "i" i "\tc" i % 2; if (i < 5) print "i" i "\tsmall" } }' >p.tsv
build -t <p.tsv >p.psg
[ "$(build -t --drop-large 30 <p.tsv | edges - | grep -c big)" = 0 ] || fail "--drop-large"
[ "$(build -t --max-board 10 <p.tsv | edges - | grep -c big)" = 10 ] || fail "--max-board"
[ "$(build -t --max-board 10 <p.tsv | edges - | wc -l)" = 35 ] || fail "--max-board touches others"
build -t --max-board 10 -s 1 <p.tsv >s1.psg
build -t --max-board 10 -s 2 <p.tsv >s2.psg
build -t --max-board 10 -s 1 -j 1 -M 16M <p.tsv | cmp - s1.psg
if [ "$(edges s1.psg)" = "$(edges s2.psg)" ]; then fail "--max-board does not draw"; fi
# vectors: even items point one way, odd items the other; board "big" holds both.
awk 'BEGIN { for (i = 0; i < 40; i++) print "i" i "\t" (i % 2 ? "1\t0.1" : "-1\t0.2") }' | view -t -K vectors -d 2 -g p.psg >x.psr
[ "$(build -t --drop-diverse 0.34 -x x.psr <p.tsv | edges - | cut -f 2 | sort -u | xargs)" = "c0 c1 small" ] ||
    fail "--drop-diverse"
[ "$(build -t --keep-power 0 -x x.psr <p.tsv | edges - | cut -f 2 | sort -u | xargs)" = "c0 c1" ] ||
    fail "--keep-power 0 does not keep what fits best"
[ "$(build -t --keep-power 0.5 -x x.psr <p.tsv | edges - | wc -l)" = 80 ] || fail "--keep-power 0.5 rounds up"
if view -g old.psg x.psr >shown 2>err; then fail "vectors of another graph are taken"; fi
view -g s1.psg x.psr >shown || fail "vectors of the graph before pruning are not taken"
build -t -g p.psg --drop-large 30 </dev/null >pruned.psg
view -g pruned.psg x.psr >/dev/null || fail "vectors of the graph before pruning are not taken"

# ---- what does not go together ----

printf 'a\tX\n' >input
refused "its nodes have numbers only: give -i" -t -g numbers.psg
refused "its nodes have names: leave out -i" -t -i -g old.psg
refused "--unique and --sum do not go together" -t --unique --sum
refused "need the items' vectors (-x)" -t --keep-power 0.5
refused "'12X' is no size" -t -M 12X
refused "out of range (16M" -t -M 1M
printf '0\t0\t1\n' | view -t -K edges >one.psr
cp one.psr input
build -g numbers.psg <input >more.psg
view -c more.psg
printf '9\t0\t1\n' | view -t -K edges >input
refused "has no name" -g old.psg
