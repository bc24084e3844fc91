# sandbox.sh - every tool gives with --sandbox what it gives without it, and cannot write elsewhere.
set -eu
. "$PS_ROOT/tests/fixture.sh"
case ${PS_FLAVOUR-} in
asan)
    echo "the sanitizer starts a process at the end, which the sandbox refuses"
    exit 77
    ;;
esac
awk 'BEGIN {for (i = 0; i < 600; i++) printf "i%d\tb%d\n", i % 60, (i * 7) % 23}' >edges.tsv
psgraph-build --sandbox -t <edges.tsv >g.psg 2>err || {
    grep -q 'does not have it\|not known' err || fail "$(cat err)"
    echo "this system has no seccomp filters"
    exit 77
}
awk 'BEGIN {for (i = 0; i < 60; i++) printf "i%d\ti%d\n", i, (i + 5) % 60}' >pairs.tsv
same() { # FILE STDIN COMMAND...
    to=$1 from=$2
    shift 2
    "$@" <"$from" >"$to"
    "$@" --sandbox <"$from" | cmp - "$to" || fail "$*: other bytes in the sandbox"
}
same g.psg edges.tsv psgraph-build -t -j 2
same x.psr /dev/null psfeat -g g.psg -d 0 --sketch 8
same v.psr /dev/null pswalk -g g.psg -a -j 3
same n.psr v.psr psneigh -T 4
same m.psm pairs.tsv pstrain -q -g g.psg -x x.psr -n n.psr -t --epochs 1 --hidden 8 -d 8 -j 2
same z.psr x.psr psembed -m m.psm -n n.psr -j 2
same h.psr /dev/null psknn -g g.psg -x z.psr -a -k 5 -j 2
same report h.psr pseval -g g.psg -t -p pairs.tsv
same text h.psr psview -g g.psg
cat m.psm | psview --sandbox -H | cmp - /dev/null >/dev/null 2>&1 && fail "psview says nothing of a model"

status=0
pswalk -g g.psg -a --sandbox -o out 2>err || status=$?
[ $status = 2 ] && [ ! -e out ] && grep -q 'no -o' err || fail "-o: status $status: $(cat err)"
status=0
psfeat -g g.psg -d 0 --sketch 8 --sandbox --save state >out 2>err || status=$?
[ $status = 1 ] && [ ! -e state ] && grep -q 'state: cannot create: Operation not permitted' err || fail "--save: status $status: $(cat err)"
