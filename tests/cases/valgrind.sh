# valgrind.sh - a small tour of every tool under memcheck: no byte is read before it was written, none out of place, none lost.
# It has no AVX-512, and tells programs so: the kernels are those for AVX2.  What it cannot see is what the sanitizers are for.
set -eu
command -v valgrind >/dev/null || {
    echo "valgrind is not there"
    exit 77
}
case ${PS_FLAVOUR-release} in
release | plain) ;;
*)
    echo "valgrind does not run what a sanitizer runs"
    exit 77
    ;;
esac
awk 'BEGIN {for (i = 0; i < 400; i++) print "i" (i * 79) % 60 "\tb" (i * i) % 23 "\t" 1 + i % 5}' >edges.tsv
awk 'BEGIN {for (i = 0; i < 60; i++) print "i" i "\tword" i % 7 " word" i % 5}' >items.tsv
awk 'BEGIN {for (i = 0; i < 60; i++) print "i" i "\ti" (i * 31 + 7) % 60}' >pairs.tsv
head -c 300 /bin/sh >wrong
status=0
checked() { # STATUS TOOL ARGUMENTS...
    wanted=$1 tool=$2
    shift 2
    status=0
    valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --log-file=said "$PS_BIN/$tool" "$@" 2>err || status=$?
    [ $status = "$wanted" ] && [ ! -s said ] || {
        echo "$tool $*: status $status, not $wanted"
        cat err said
        exit 1
    }
}
checked 0 psgraph-build -t -j 2 -M 16M -I items.tsv -o g.psg <edges.tsv
checked 0 psfeat -g g.psg -t -d 8 --sketch 4 --save state -j 2 -o x.psr <items.tsv
checked 0 pswalk -g g.psg -a -w 20 -k 5 -j 2 -o w.psr
checked 0 psneigh -g g.psg -a -w 20 -T 4 -j 2 -o n.psr
checked 0 pstrain -q -g g.psg -x x.psr -n n.psr -t -c check --epochs 1 --hidden 8 -d 8 --batch 16 --negatives 5 -j 2 -o m.psm <pairs.tsv
checked 0 psembed -m m.psm -n n.psr -j 2 -o z.psr <x.psr
checked 0 psknn -x z.psr -B ivf -j 2 -o z.psi
checked 0 psknn -g g.psg -x z.psr --index z.psi -a -k 5 -j 2 -o h.psr
checked 0 pseval -g g.psg -t -p pairs.tsv -j 2 -o report <h.psr
checked 0 psview -g g.psg -o text h.psr
# Refusals give back what they took.
checked 1 psview -c wrong
checked 1 psembed -m wrong -n n.psr <x.psr
checked 1 psgraph-build -t -o g2.psg <wrong
checked 1 psknn -g g.psg -x z.psr --index check -a
checked 2 pswalk --nonsense
