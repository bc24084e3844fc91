# pswalk and psneigh: answers as queries come, hard negatives, new items by their boards, factors, exact first steps and
# push; the same bytes for any -j and any split; what they refuse.
set -eu
. "$PS_ROOT/tests/fixture.sh"
walk() { "$PS_BIN/pswalk" "$@"; }
neigh() { "$PS_BIN/psneigh" "$@"; }
view() { "$PS_BIN/psview" "$@"; }

awk 'BEGIN { srand(5); for (i = 0; i < 500; i++) print "n" i > "items";
             for (i = 0; i < 3000; i++) print "n" int(rand() * rand() * 490) "\tb" int(rand() * 200) "\t" rand() + .01 }' >edges.tsv
"$PS_BIN/psgraph-build" -t -I items <edges.tsv >weighted.psg
cut -f 1,2 edges.tsv | "$PS_BIN/psgraph-build" -t -I items >g.psg
awk '{ print $1 "\t" $2 }' edges.tsv | sort -u | awk '{ a[$1] = a[$1] "\t" $2 } END { for (i in a) print substr(a[i], 2) }' | sort >boards
awk 'NR % 3 { print "b" NR "\t" NR % 5 }' boards | head -n 120 | awk '!seen[$1]++' | grep -v 'b2[0-9][0-9]' >prefer
awk 'NR % 4 == 0 { print $1 "\t" NR % 3 }' items >prefer-items

# ---- any -j, any split, the same records ----
for g in g weighted; do
    for what in "--negatives 4 --low 3 --high 30" "--bias-boards prefer -k 9" "--bias-items prefer-items --bias-rest .1 -r .2"; do
        walk -g $g.psg -a -w 300 $what -j 1 >j1.psr
        view -c j1.psr || fail "$what: not a well-formed stream"
        for j in 2 5; do
            walk -g $g.psg -a -w 300 $what -j $j | cmp - j1.psr || fail "$g '$what': -j $j is not -j 1"
        done
        (head -n 77 items | walk -g $g.psg -t -w 300 $what; tail -n +78 items | walk -g $g.psg -t -w 300 $what) | view >split
        view j1.psr | cmp - split || fail "$g '$what': splitting the queries changed the records"
    done
    for what in "--exact 500" "--exact 100000 -r 1" "--push .001" "--bias-boards prefer"; do
        neigh -g $g.psg -a -T 30 -w 300 $what -j 1 >j1.psr
        view -c j1.psr || fail "$what: not a well-formed stream"
        for j in 2 5; do
            neigh -g $g.psg -a -T 30 -w 300 $what -j $j | cmp - j1.psr || fail "$g '$what': -j $j is not -j 1"
        done
        [ "$(view -g $g.psg j1.psr | cut -f 1 | uniq | wc -l)" -gt 400 ] || fail "$g '$what': hardly any neighbours"
    done
    neigh -g $g.psg -t --boards -j 1 <boards >j1.psr
    for j in 2 5; do
        neigh -g $g.psg -t --boards -j $j <boards | cmp - j1.psr || fail "$g --boards: -j $j is not -j 1"
    done
done
neigh -g g.psg -a -T 500 >n500.psr
view -c n500.psr || fail "T = 500"

# Two spellings, also with factors.
walk -g g.psg -a --bias-boards prefer | neigh -T 7 >a.psr
neigh -g g.psg -a -T 7 --bias-boards prefer | view >b.txt
view a.psr | cmp - b.txt || fail "pswalk and psneigh differ with factors"

# Exact: with -r 1 the seed does not matter any more; without --exact it does.
neigh -g g.psg -a -r 1 --exact 1000000 -s 1 | view >a.txt
neigh -g g.psg -a -r 1 --exact 1000000 -s 2 | view | cmp - a.txt || fail "--exact -r 1 depends on the seed"
neigh -g g.psg -a -r 1 -s 1 | view >b.txt
! cmp -s a.txt b.txt || fail "--exact changes nothing"
# Rounding may turn near-equal neighbours round: the weights of all of them are compared.
neigh -g g.psg -a -r 1 -T 500 --push .000001 | view | awk "NF == 3" | sort -k 1,1n -k 2,2n >c.txt
neigh -g g.psg -a -r 1 -T 500 --exact 1000000 | view | awk "NF == 3" | sort -k 1,1n -k 2,2n | paste - c.txt |
    awk '$1 != $4 || $2 != $5 || $3 - $6 > 1e-4 || $6 - $3 > 1e-4 { print; exit 1 }' || fail "--exact -r 1 and --push do not agree"

# ---- hard negatives: ranks 3 to 30 of the hits, no positives ----
walk -g g.psg -a -w 300 -k 30 | view -g g.psg | awk '{ if (++n[$1] >= 3) print $1 "\t" $2 }' | sort >band
walk -g g.psg -a -w 300 --negatives 4 --low 3 --high 30 | view -g g.psg | cut -f 1,2 >drawn
[ "$(sort drawn | comm -13 band - | wc -l)" -eq 0 ] || fail "a negative out of its band"
[ "$(sort drawn | uniq -d | wc -l)" -eq 0 ] || fail "a negative twice"
awk '{ n[$1]++ } END { for (q in n) if (n[q] > 4) exit 1 }' drawn || fail "more negatives than asked for"
[ "$(wc -l <drawn)" -gt 1500 ] || fail "hardly any negatives"
walk -g g.psg -a -w 300 --negatives 1000 --low 3 --high 30 | view -g g.psg | cut -f 1,2 | sort | cmp - band || fail "not the whole band"
awk 'NR % 2' band >known
walk -g g.psg -t -w 300 --negatives 1000 --low 3 --high 30 -p known <items | view -g g.psg | cut -f 1,2 | sort >rest
comm -23 band known | cmp - rest || fail "-p: positives among the negatives"

# ---- new items: a graph's own item again, from text and from records ----
awk '$1 == "n3" { print $2 }' edges.tsv | paste -s - >three
(sed 's/.*/b0/;q' three; sed 's/.*/b1/;q' three; sed 's/.*/b2/;q' three; cat three) >four # line 3 is item n3: number 3
walk -g g.psg -t --boards <four | view | awk '$1 == 3 { print $2, $3 }' >got
echo n3 | walk -g g.psg -t | view | cut -f 2,3 | tr '\t' ' ' | cmp - got || fail "an item's own boards do not give its visits"
awk -F '\t' '{ for (i = 1; i <= NF; i++) print "n" NR - 1 "\t" $i "\t1" }' four | view -g g.psg -t -K edges >edges.psr
neigh -g g.psg --boards -T 5 <edges.psr | view >b.txt
neigh -g g.psg -t --boards -T 5 <four | view | cmp - b.txt || fail "new items as edges and as text differ"
neigh -g g.psg -t --boards -T 5 <four >n.psr
view -c n.psr || fail "--boards: not a well-formed stream"
[ "$(view n.psr | cut -f 1 | uniq | tr '\n' ' ')" = "0 1 2 3 " ] || fail "not a record for each new item"

# ---- a server: each answer before the next question ----
if command -v python3 >/dev/null; then
    cat >client.py <<'END'
import os, signal, struct, subprocess, sys
signal.alarm(20)
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
def read(n):
    data = b""
    while len(data) < n:
        part = os.read(p.stdout.fileno(), n - len(data))
        assert part, "the server closed"
        data += part
    return data
size = None
for i in range(50):
    os.write(p.stdin.fileno(), b"n%d\tn%d\n" % (i, i + 1))
    if size is None: # the header comes before the first answer
        head = read(64)
        size, = struct.unpack_from("<I", head, 16)
        length, = struct.unpack_from("<I", head, 44)
        read(length - 64)
    record = read(size)
    assert struct.unpack_from("<I", record)[0] == i, "an answer to another question"
p.stdin.close()
assert len(p.stdout.read()) == 32 and p.wait() == 0, "the end"
END
    python3 client.py "$PS_BIN/pswalk" -g g.psg -t --sets -l -k 3 || fail "-l: an answer did not come before the next question"
fi
walk -g g.psg -t <items >a.psr
walk -g g.psg -t -l <items | cmp - a.psr || fail "-l changes the bytes"
neigh -g g.psg -t <items >a.psr
neigh -g g.psg -t -l <items | cmp - a.psr || fail "psneigh -l changes the bytes"

# ---- what is refused ----
refused() { # STATUS WORDS TOOL ARGUMENT...
    want=$1 words=$2 tool=$3
    shift 3
    status=0
    "$PS_BIN/$tool" "$@" -o out.psr <items >stdout 2>err || status=$?
    [ $status -eq "$want" ] || fail "$tool $*: status $status, not $want: $(cat err)"
    [ "$(wc -l <err)" -eq 1 ] && grep -q -e "^$tool: .*$words" err || fail "$tool $*: no '$words' in: $(cat err)"
    [ ! -e out.psr ] || fail "$tool $*: left an output"
}
refused 2 'choose one' pswalk -g g.psg -t -k 3 --negatives 3
refused 2 'no rank' pswalk -g g.psg -t --negatives 3 --low 5 --high 4
refused 2 '--negatives' pswalk -g g.psg -t --sets --negatives 3
refused 2 '--negatives' pswalk -g g.psg -t -p known
refused 2 '--boards' pswalk -g g.psg -a --boards
refused 2 '--boards' pswalk -g g.psg -t --boards --sets
refused 2 '-l' pswalk -g g.psg -a -l
refused 2 '--bias-rest' pswalk -g g.psg -t --bias-rest 2
refused 2 '--exact' psneigh -g g.psg -t --exact 5 --bias-items prefer-items
refused 2 '--push' psneigh -g g.psg -t --exact 5 --push .1
refused 2 'restart' psneigh -g g.psg -t -r 0 --push .1
refused 2 'GRAPH' psneigh --boards
refused 2 'GRAPH' psneigh --push .1
refused 1 "no board 'n0'" pswalk -g g.psg -t --boards
printf 'b1\t1\nnobody\t2\n' >bad
refused 1 "bad: line 2: .*'nobody'" pswalk -g g.psg -t --bias-boards bad
"$PS_BIN/pswalk" -g g.psg -t -u --bias-boards bad <items -o out.psr 2>err || fail "-u: a factor's name: $(cat err)"
rm out.psr
grep -q '1 factors skipped' err || fail "-u: no word of the factors skipped"
printf 'b1\t1\nb1\t2\n' >bad
refused 1 "bad: line 2: a second factor" pswalk -g g.psg -t --bias-boards bad
printf 'b1\t-1\n' >bad
refused 1 "bad: line 1: the factor" pswalk -g g.psg -t --bias-boards bad
printf 'b1\n' >bad
refused 1 "bad: line 1: not a name" pswalk -g g.psg -t --bias-boards bad
printf 'b1\t0\n' >bad
refused 1 "every factor is 0" pswalk -g g.psg -t --bias-boards bad --bias-rest 0
