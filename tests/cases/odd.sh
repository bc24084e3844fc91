# odd.sh - little address space, no folder for temporary files, read-only ones, names of files and nodes that are long or no text,
# symbolic links in the way of outputs.
set -eu
. "$PS_ROOT/tests/fixture.sh"
one_line() { # TOOL STATUS: of the last run, whose standard error is in err
    [ "$2" = 1 ] || fail "$1: status $2: $(cat err)"
    [ "$(wc -l <err)" = 1 ] && grep -q "^$1: " err || fail "$1: $(cat err)"
}
refused() { # TOOL ARGUMENTS...
    status=0
    "$@" >out 2>err </dev/null || status=$?
    one_line "$1" $status
}
awk 'BEGIN {for (i = 0; i < 3000; i++) printf "i%d\tb%d\n", i % 400, (i * 7) % 90}' >edges.tsv
psgraph-build -t <edges.tsv >g.psg
psfeat -g g.psg -d 0 --sketch 16 >x.psr

# ---- little address space: right, or one line ----
awk 'BEGIN {for (i = 0; i < 400; i++) print "i" i "\tword" i % 17 " word" i % 23}' >items.tsv
awk 'BEGIN {for (i = 0; i < 300; i++) print "i" i "\ti" (i * 31 + 7) % 400}' >pairs.tsv
psneigh -g g.psg -a -T 5 -j 2 >psneigh.good
cp psneigh.good n.psr
train="-q -g g.psg -x x.psr -n n.psr -t --epochs 1 --hidden 16 -d 16 --batch 64 --negatives 20 -j 2"
tour() { # COMMAND [ARGUMENT]: before each tool
    "$@" psgraph-build -t -j 2 <edges.tsv
    "$@" psfeat -g g.psg -t -d 16 --lsa -j 2 <items.tsv
    "$@" pswalk -g g.psg -a -w 200 -j 2 </dev/null
    "$@" psneigh -g g.psg -a -T 5 -j 2 </dev/null
    # shellcheck disable=SC2086
    "$@" pstrain $train <pairs.tsv
    "$@" psembed -m m.psm -n n.psr -j 2 <x.psr
    "$@" psknn -g g.psg -x x.psr -a -k 5 -j 2 </dev/null
    "$@" pseval -g g.psg -t -p pairs.tsv -x x.psr -j 2 </dev/null
    "$@" psview --npy x.psr </dev/null
}
# OpenBLAS is left out of a limited address space: the bytes are those of the own products.
good() {
    (ulimit -v 1000000 && exec "$@") >"$1.good"
}
# shellcheck disable=SC2086
(ulimit -v 1000000 && exec pstrain $train) <pairs.tsv >m.psm
tour good
within() { # KIB TOOL ARGUMENTS...
    limit=$1
    shift
    status=0
    (ulimit -v "$limit" && exec timeout 20 "$@") >out 2>err || status=$?
    case $status in
    0) cmp out "$1.good" || fail "$1 in $limit KiB: other bytes" ;;
    126 | 127) fail "$1 in $limit KiB does not start: $(cat err)" ;;
    *) one_line "$1" $status && echo "$1" >>tight ;;
    esac
}
case ${PS_FLAVOUR-release} in
release | plain)
    for limit in 8000 10000 12000 14000 17000 20000 24000 30000 50000 100000 200000 400000; do
        tour within $limit
    done
    [ "$(sort -u tight | wc -l)" -ge 8 ] || fail "only of these a limit was tight: $(sort -u tight)"
    ;;
esac

# ---- no folder for temporary files; needed or not ----
TMPDIR=/nowhere psgraph-build -t <edges.tsv | cmp - g.psg
awk '{for (i = 0; i < 1000; i++) print $0 "\t" i + 1}' edges.tsv >many.tsv
status=0
TMPDIR=/nowhere psgraph-build -t -M 16M <many.tsv >out 2>err || status=$?
one_line psgraph-build $status
grep -q '/nowhere: cannot make a temporary file' err || fail "$(cat err)"
rm many.tsv

# ---- a file system that is read-only ----
mkdir sealed
if mount -t tmpfs -o ro none sealed 2>/dev/null; then
    refused pswalk -g g.psg -a -o sealed/out
    umount sealed
    grep -q 'sealed/out: cannot create: Read-only file system' err || fail "$(cat err)"
fi

# ---- a link to standard output, as /dev/stdout, stays one ----
ln -s /proc/self/fd/1 stdout
(echo before && psgraph-build -t -o stdout <edges.tsv && echo after) >both
[ -L stdout ] && (echo before && cat g.psg && echo after) | cmp - both || fail "standard output by its name"

# ---- names of files: long, no text, a terminal's commands, a line's end ----
long=$(awk 'BEGIN {for (i = 0; i < 10000; i++) printf "x"}')
refused pswalk -g "$long" -a
grep -q 'File name too long' err || fail "$(cut -c 1-200 err)"
refused pswalk -g g.psg -a -o "$long"
for name in "$(printf 'a\377\376b')" "$(printf 'a\033[2Jb')" "$(printf 'a\nb')" " " "-o" "a b;c"; do
    psgraph-build -t -o "./$name" <edges.tsv
    cmp g.psg "./$name" || fail "another file under an odd name"
    pswalk -g "./$name" -a -w 10 -o out
    echo damaged >"./$name"
    refused pswalk -g "./$name" -a
    ! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" err || fail "a name reaches the terminal as it is"
    rm "./$name"
done

# ---- names of nodes: 10 thousand characters, no text; there and back ----
{ printf '%s\tb\n' "$long" && printf 'a\377\376\tb\n' && printf '\033[2J\tb\n'; } >odd.tsv
psgraph-build -t <odd.tsv >odd.psg
psview --edges odd.psg | LC_ALL=C sort >back.tsv
LC_ALL=C sort odd.tsv | cmp - back.tsv || fail "odd names of nodes do not come back"
status=0
printf '%s%s\n' "$long" "$long" | pswalk -g odd.psg -t >out2 2>err || status=$?
one_line pswalk $status
grep -q 'line 1: .*has no item' err || fail "$(cut -c 1-200 err)"

# ---- links ----
mkdir links
echo victim >victim
pswalk -g g.psg -a -w 10 -o right
ln -s ../victim links/out
ln -s nowhere links/dangling
for name in out dangling; do
    pswalk -g g.psg -a -w 10 -o links/$name
    cmp right links/$name || fail "not written through $name's name"
    [ ! -L links/$name ] || fail "the link is still there"
done
[ "$(cat victim)" = victim ] || fail "what a link pointed to was overwritten"
[ ! -e links/nowhere ] || fail "a dangling link was followed"
[ "$(ls -A links | wc -l)" = 2 ] || fail "left beside links: $(ls -A links)"
# Temporary names cannot be foreseen, and one that is taken is not opened: many of them change nothing.
i=0
while [ $i -lt 200 ]; do
    ln -s ../victim "links/.out.$(printf '%06d' $i)"
    i=$((i + 1))
done
pswalk -g g.psg -a -w 10 -o links/out
[ "$(cat victim)" = victim ] && cmp right links/out
umask 077
pswalk -g g.psg -a -w 10 -o links/mine
[ "$(stat -c %a links/mine)" = 600 ] || fail "the mask of permissions is not kept"
