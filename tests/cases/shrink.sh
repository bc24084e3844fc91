# shrink.sh - files that become shorter while they are mapped: an error that names the file, nothing left behind.
set -eu
. "$PS_ROOT/tests/fixture.sh"
awk 'BEGIN {srand(1); for (i = 0; i < 200000; i++) printf "%d\t%d\n", rand() * 30000, rand() * 9000}' |
    psgraph-build -t -i -o g.psg
awk 'BEGIN {srand(1); for (i = 0; i < 30000; i++) {printf "%d", i; for (j = 0; j < 16; j++) printf "\t%.3f", rand() - .5; print ""}}' |
    psview -t -K vectors -o x.psr

# What the tool says, once the file is cut off as soon as its output is begun (its input is open by then).
cut_off() { # FILE COMMAND...
    file=$1
    shift
    cp "$file" short
    rm -f out
    "$@" -o out 2>err &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ "$(echo .out.*)" = '.out.*' ]; do :; done
    truncate -s 5000 short
    status=0
    wait $pid || status=$?
    [ $status = 1 ] || fail "$*: status $status: $(cat err)"
    [ "$(cat err)" = "$1: short: cannot be read: it became shorter while it was in use, or its disk failed" ] ||
        fail "$*: $(cat err)"
    [ ! -e out ] && [ "$(echo .out.*)" = '.out.*' ] || fail "$*: it left $(ls -a)"
}
cut_off g.psg pswalk -g short -a -w 100000 -j 1
cut_off g.psg pswalk -g short -a -w 100000 -j 3
cut_off g.psg psneigh -g short -a -w 100000 -T 5 -j 2
cut_off x.psr psknn -x short -k 100 -j 2 -Q x.psr
psneigh -g g.psg -a -w 100 -T 10 -o n.psr
awk 'BEGIN {for (i = 0; i < 300; i++) printf "%d\t%d\n", i, (i * 7 + 1) % 300}' >pairs.tsv
psview -t -K pairs -g g.psg -o pairs.psr <pairs.tsv
pstrain -q -g g.psg -x x.psr -n n.psr --epochs 1 --hidden 256 -d 64 --batch 100 --negatives 10 -o m.psm pairs.psr
psknn -x x.psr -B lsh -o x.psi
cut_off n.psr psembed -m m.psm -n short -x x.psr -a -j 1
cut_off x.psr psembed -m m.psm -n n.psr -x short -a -j 2
cut_off x.psi psknn -x x.psr --index short -Q x.psr -k 100 -j 2
