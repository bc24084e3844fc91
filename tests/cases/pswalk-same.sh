# pswalk: the same bytes for any -j, any split of the queries, and from file, pipe and gzip.
set -eu
. "$PS_ROOT/tests/fixture.sh"

awk 'BEGIN { srand(3); for (i = 0; i < 400; i++) print "n" i > "items";
             for (i = 0; i < 2500; i++) print "n" int(rand() * rand() * 400) "\tb" int(rand() * 150) "\t" rand() + .01 }' >edges.tsv
"$PS_BIN/psgraph-build" -t -I items <edges.tsv >weighted.psg
cut -f 1,2 edges.tsv | "$PS_BIN/psgraph-build" -t -I items >plain.psg
awk '{ a[NR] = $1 } END { for (i = 1; i <= NR; i++) printf "%s\t%s\t%s\n", a[i], a[i * 7 % NR + 1], a[i * 13 % NR + 1] }' items >sets

for g in plain weighted; do
    for what in "" "-k 9" "--paths 6" "-r .15 -s 5" "--early-items 3 --early-visits 9"; do
        "$PS_BIN/pswalk" -g $g.psg -a -w 200 $what -j 1 >j1.psr
        for j in 2 5; do
            "$PS_BIN/pswalk" -g $g.psg -a -w 200 $what -j $j | cmp - j1.psr || fail "$g '$what': -j $j is not -j 1"
        done
        "$PS_BIN/pswalk" -g $g.psg -t -w 200 $what -j 2 <items | cmp - j1.psr || fail "$g '$what': -t is not -a"
    done
    "$PS_BIN/pswalk" -g $g.psg -t --sets -k 9 -j 1 <sets >j1.psr
    for j in 2 5; do
        "$PS_BIN/pswalk" -g $g.psg -t --sets -k 9 -j $j <sets | cmp - j1.psr || fail "$g sets: -j $j is not -j 1"
    done
done
for isa in plain avx2; do
    PSGRAPH_ISA=$isa "$PS_BIN/pswalk" -g weighted.psg -t --sets -k 9 <sets | cmp - j1.psr || fail "sets: $isa differs"
    for what in "" "-r 0" "-r 1" "--paths 6"; do
        "$PS_BIN/pswalk" -g plain.psg -a -w 200 $what >best.psr
        PSGRAPH_ISA=$isa "$PS_BIN/pswalk" -g plain.psg -a -w 200 $what | cmp - best.psr || fail "'$what': $isa differs"
    done
done
cmp -s j1.psr "$PS_ROOT/LICENSE" && fail "cmp finds no differences at all"
"$PS_BIN/pswalk" -g plain.psg -a -s 2 >s2.psr
"$PS_BIN/pswalk" -g plain.psg -a -s 1 >s1.psr
! cmp -s s1.psr s2.psr || fail "another seed, the same walks"

# Split at any place, the parts walked one by one and joined: the same records; joined streams have more headers, so
# psneigh, which reads them as one stream, shows whether the records agree.
"$PS_BIN/psneigh" -T 5 <s1.psr >whole.psr
head -n 123 items | "$PS_BIN/pswalk" -t -g plain.psg >a.psr
tail -n +124 items | "$PS_BIN/pswalk" -t -g plain.psg -j 3 >b.psr
cat a.psr b.psr | "$PS_BIN/psneigh" -T 5 | cmp - whole.psr || fail "splitting the queries changed the walks"

# File, pipe, gzip; -o and -z.
"$PS_BIN/pswalk" -g plain.psg -t <items -o out.psr
cmp out.psr s1.psr || fail "-o"
gzip -c plain.psg >plain.psg.gz
gzip -c items | "$PS_BIN/pswalk" -g plain.psg.gz -t | cmp - s1.psr || fail "gzip in"
"$PS_BIN/pswalk" -g plain.psg -a -z | gzip -dc | cmp - s1.psr || fail "-z"
