# pswalk and psneigh: what they refuse, with what message, and that nothing half-written is left.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
check() { python3 "$PS_ROOT/tests/walk_check.py" "$@"; }

printf 'a\t0\nb\t0\nb\t1\nc\t1\n' >edges
printf 'a\nb\nc\nd\n' >items
"$PS_BIN/psgraph-build" -t -I items <edges >g.psg
printf 'a\t0\n' | "$PS_BIN/psgraph-build" -t >other.psg
"$PS_BIN/pswalk" -g g.psg -a >v.psr
"$PS_BIN/pswalk" -g other.psg -a >other-v.psr
"$PS_BIN/psneigh" -g g.psg -a >n.psr
printf 'a\tb\n' | "$PS_BIN/pswalk" -g g.psg -t --sets >sets-v.psr

# refused STATUS INPUT WORDS TOOL ARGUMENT...: that status, one line "tool: ...WORDS...", no output file.
refused() {
    want=$1 input=$2 words=$3 tool=$4
    shift 4
    status=0
    "$PS_BIN/$tool" "$@" -o out.psr <"$input" >stdout 2>err || status=$?
    [ $status -eq "$want" ] || fail "$tool $* <$input: status $status, not $want: $(cat err)"
    [ "$(wc -l <err)" -eq 1 ] || fail "$tool $* <$input: not one line: $(cat err)"
    grep -q "^$tool: .*$words" err || fail "$tool $* <$input: no '$words' in: $(cat err)"
    [ ! -s stdout ] || fail "$tool $* <$input: wrote to standard output"
    [ -z "$(ls -A | grep '^\.\{0,1\}out.psr')" ] || fail "$tool $* <$input: left something under the output's name"
}
: >empty
check ids ids.psr 0 1 3
check ids far.psr 0 4
check pairs pairs.psr 0:1 0:2
check pairs nan.psr 0:1:nan 0:2
check pairs minus.psr 0:1:-1 0:2
check pairs far-pairs.psr 0:1 0:7

# Wrong use.
refused 2 items 'GRAPH' pswalk -a
refused 2 items '-k .*--paths' pswalk -g g.psg -t -k 3 --paths 3
refused 2 items 'sets' pswalk -g g.psg -a --sets
refused 2 items '-t' pswalk -g g.psg -a -t
refused 2 items '-t' pswalk -g g.psg -a -u
refused 2 items '--paths' pswalk -g g.psg -t --sets --paths 3
refused 2 items '--early-visits' pswalk -g g.psg -t --early-items 3
refused 2 items '--early-visits' pswalk -g g.psg -t --early-visits 3
refused 2 items 'range' pswalk -g g.psg -t -w 0
refused 2 items 'range' pswalk -g g.psg -t -w 4294967296
refused 2 items 'range' pswalk -g g.psg -t -r 1.01
refused 2 items 'range' pswalk -g g.psg -t -r -0.1
refused 2 items 'range' psneigh -g g.psg -a -T 0
for option in -a -t -u '-w 5' '-r .1'; do
    refused 2 v.psr 'GRAPH' psneigh $option
done

# Names and lines.
printf 'a\nb\nnobody\n' >stranger
refused 1 stranger "line 3: .*'nobody'" pswalk -g g.psg -t
refused 1 stranger "line 3: .*'nobody'" psneigh -g g.psg -t
"$PS_BIN/pswalk" -g g.psg -t -u <stranger >u.psr 2>err
grep -q '^pswalk: 1 names skipped' err || fail "-u: no warning: $(cat err)"
head -n 2 stranger | "$PS_BIN/pswalk" -g g.psg -t | cmp - u.psr || fail "-u: not the other names' visits"
printf 'a\tb\n' >two
refused 1 two 'line 1: .*--sets' pswalk -g g.psg -t
printf 'a\n\nb\n' >hole
refused 1 hole 'line 2: .*empty' pswalk -g g.psg -t
printf 'a\nb\0c\n' >nul
refused 1 nul 'line 2: .*NUL' pswalk -g g.psg -t
awk 'BEGIN { for (i = 0; i < 1100000; i++) printf "x"; print "" }' >long
refused 1 long 'line 1: longer' pswalk -g g.psg -t

# Streams.
refused 1 empty 'empty' pswalk -g g.psg
refused 1 items 'not a psrec' pswalk -g g.psg
refused 1 g.psg 'graph' pswalk -g g.psg
refused 1 v.psr 'visits' pswalk -g g.psg
refused 1 far.psr 'item number 4' pswalk -g g.psg
refused 1 far.psr 'item number 4' psneigh -g g.psg
refused 1 pairs.psr '--sets' pswalk -g g.psg
refused 1 pairs.psr 'sets' psneigh -g g.psg
refused 1 ids.psr 'ids' pswalk -g g.psg --sets
refused 1 nan.psr 'weight' pswalk -g g.psg --sets
refused 1 minus.psr 'weight' pswalk -g g.psg --sets
refused 1 far-pairs.psr 'item number 7' pswalk -g g.psg --sets
refused 1 empty 'empty' psneigh
refused 1 items 'not a psrec' psneigh
refused 1 ids.psr 'ids' psneigh
refused 1 n.psr 'neighbours' psneigh
refused 1 sets-v.psr 'sets' psneigh
cat v.psr other-v.psr >mixed
refused 1 mixed 'graph' psneigh

# Graphs.
refused 1 items 'no-such-file' pswalk -g no-such-file -t
refused 1 items 'not a graph' pswalk -g edges -t
refused 1 items 'record stream' pswalk -g v.psr -t
head -c 3000 g.psg >short.psg
refused 1 items 'short.psg' pswalk -g short.psg -t

# Cut short at every byte of the header and at others, and every 7th bit turned over.
size=$(wc -c <v.psr)
for n in $(awk -v size="$size" 'BEGIN { for (i = 1; i < size; i += i < 64 ? 5 : 9) print i }') $((size - 1)); do
    head -c "$n" v.psr >cut
    refused 1 cut '<stdin>: ' psneigh
done
size=$(wc -c <ids.psr)
for n in $(awk -v size="$size" 'BEGIN { for (i = 1; i < size; i += 5) print i }'); do
    head -c "$n" ids.psr >cut
    refused 1 cut '<stdin>: ' pswalk -g g.psg
done
python3 - <<'END'
data = open("v.psr", "rb").read()
for bit in range(0, 8 * len(data), 37):
    turned = bytearray(data)
    turned[bit // 8] ^= 1 << bit % 8
    open("turned%d" % bit, "wb").write(turned)
END
for f in turned*; do
    refused 1 "$f" '<stdin>: ' psneigh
done

# A full disk, a closed pipe, no permission.
if [ -w /dev/full ]; then
    for command in "pswalk -g g.psg -a" "psneigh -g g.psg -a"; do
        status=0
        "$PS_BIN"/$command >/dev/full 2>err || status=$?
        [ $status -eq 1 ] && grep -q '<stdout>: cannot write' err || fail "$command >/dev/full: status $status: $(cat err)"
    done
fi
{ "$PS_BIN/pswalk" -g g.psg -a -w 200000 --paths 2 2>err || :; } | head -c 100 >/dev/null
[ ! -s err ] || fail "a closed pipe: $(cat err)"
refused_folder=$PWD/none/out.psr
status=0
"$PS_BIN/pswalk" -g g.psg -a -o "$refused_folder" 2>err || status=$?
[ $status -eq 1 ] && grep -q "^pswalk: $refused_folder: " err || fail "no folder: status $status: $(cat err)"
