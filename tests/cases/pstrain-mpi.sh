#!/bin/sh
# pstrain by 1, 2 and 3 ranks of MPI: the same bytes for the same shares, the same losses for any; a rank killed; told to stop;
# going on with another number of ranks.
set -eu
. "$PS_ROOT/tests/fixture.sh"
case $PS_FLAVOUR in
tsan | plain) echo "built without MPI, or not to be run under mpirun: flavour $PS_FLAVOUR" && exit 77 ;;
esac
. "$PS_ROOT/tests/need-mpi"
ranks() {
    n=$1
    shift
    timeout 600 mpirun --oversubscribe --bind-to none -n "$n" "$@"
}
small_debian '^libjs-'
psgraph-build -t -I items.tsv <edges.tsv >g.psg
psfeat -g g.psg -t -d 32 --sketch 16 <items.tsv >x.psr
psfeat -g g.psg -t --sparse <items.tsv >y.psr
psneigh -g g.psg -a -T 8 >n.psr
for i in 1 2 3 4; do cat pairs.tsv; done >p.tsv
if ! ranks 1 pstrain -g g.psg -x x.psr -n n.psr -t --epochs 1 -o one.psm <p.tsv 2>err; then
    grep -q 'built without MPI' err && echo "built without MPI" && exit 77
    fail "one rank: $(cat err)"
fi

# The sums are in the order of the shares: ranks change no byte.  Against one share, the losses agree to rounding.
# The recipe with its tokens; the paper's with walks on the fly and hard negatives; shares without a pair; no convolution.
given= # by rank 0, or a file that every rank opens
compare() {
    set -- pstrain -g g.psg -x x.psr -t --hidden 64 -d 32 -j 1 "$@"
    "$@" --log whole.log <p.tsv >whole.psm
    "$@" --shares 4 -j 2 --log cut.log <p.tsv >cut.psm
    paste whole.log cut.log | awk -F '\t' 'NR > 1 { d = ($3 - $10) / $3; worst = d * d > worst ? d * d : worst; n++ }
        END { exit !(n && worst < 1e-10) }' || fail "the losses of four shares: $*"
    for n in 1 2 3; do
        rm -f out.psm
        ranks $n "$@" --shares 4 --log ranks.log -o out.psm $given <p.tsv || fail "$n ranks: $*"
        cmp out.psm cut.psm || fail "$n ranks give other bytes: $*"
        cut -f 1-4,6- ranks.log >a
        cut -f 1-4,6- cut.log | cmp - a || fail "$n ranks write another log: $*"
    done
}
compare -y y.psr -n n.psr -p valid.tsv --batch 48 --negatives 50 --epochs 2
given=p.tsv
compare -w 100 -T 8 --paper --batch 32 --negatives 50 --epochs 3
given=
compare -n n.psr --batch 3 --negatives 1 --epochs 1
# Gradients of several buckets
compare --layers 2 --hidden 600 -d 600 -n n.psr --batch 98 --negatives 50 --epochs 1
compare --layers 0 --batch 48 --epochs 1 --optimizer sgd --rate .01
# By default a rank has one share
ranks 3 pstrain -g g.psg -x x.psr -n n.psr -t --hidden 64 -d 32 --batch 48 -j 2 -o out.psm <p.tsv
pstrain -g g.psg -x x.psr -n n.psr -t --hidden 64 -d 32 --batch 48 --shares 3 <p.tsv | cmp - out.psm || fail "not a share a rank"

# The losses of 1, 2 and 4 ranks at the same batch; its rates: scaled by the batch (the square root of it; with sgd, all of it), and
# warmed up over the batches of an epoch
for optimizer in adam sgd; do
    for n in 1 2 4; do
        ranks $n pstrain -g g.psg -x x.psr -n n.psr -t --hidden 64 -d 32 --batch 48 -j 1 --epochs 2 --optimizer $optimizer --rate .002 \
            --rate-batch 12 --warmup 1 --schedule constant --log "log.$n" -o out.psm <p.tsv
        paste log.1 "log.$n" | awk -F '\t' -v steps=$((($(awk -F '\t' '$1 != $2' p.tsv | wc -l) + 47) / 48)) -v times=$([ $optimizer = sgd ] && echo 4 || echo 2) '
            function far(a, b) { return (a - b) ^ 2 > 1e-10 * b * b }
            NR > 1 { peak = times * .002; n++; if (far($10, $3) || far($4, n < steps ? peak * n / steps : peak) || $11 != $4) wrong = wrong " " NR }
            END { if (wrong || n != 2 * steps) { print "lines" wrong " of " n; exit 1 } }' || fail "$n ranks, $optimizer: losses or rates"
    done
done

# Records, mapped by every rank: in their order; sorted, when they need no list of known positives; with pairs that are left out
psview -t -g g.psg -K pairs <p.tsv >p.psr
psview -S --raw p.psr >sorted.psr
{ head -n 50 p.tsv && awk -F '\t' '{print $1 "\t" $1}' p.tsv && tail -n +51 p.tsv; } | psview -t -g g.psg -K pairs >selves.psr
records() {
    pstrain -g g.psg -x x.psr -n n.psr --hidden 64 -d 32 --shares 4 --epochs 2 "$@" 2>warned
}
psview -g g.psg sorted.psr | records -t >sorted.psm
records -t <p.tsv >plain.psm
for n in 1 2 3; do
    for file in p:plain sorted:sorted selves:plain; do
        rm -f out.psm
        ranks $n pstrain -g g.psg -x x.psr -n n.psr --hidden 64 -d 32 --shares 4 --epochs 2 -o out.psm "${file%:*}.psr" 2>err ||
            fail "$n ranks: $file: $(cat err)"
        cmp out.psm "${file#*:}.psm" || fail "$n ranks, $file: other bytes than from text"
    done
    [ "$(cat err)" = "pstrain: selves.psr: $(wc -l <p.tsv) pairs of an item with itself: left out" ] || fail "$(cat err)"
done
records <selves.psr | cmp - plain.psm || fail "mapped as standard input"
records selves.psr | cmp - plain.psm || fail "mapped by its name"
records - <selves.psr | cmp - plain.psm || fail "'-' is not standard input"
rm -f out.psm
ranks 2 pstrain -g g.psg -x x.psr -n n.psr --hidden 64 -d 32 --shares 4 --epochs 2 -o out.psm - <selves.psr 2>err || fail "2 ranks, '-': $(cat err)"
cmp out.psm plain.psm || fail "2 ranks: '-' is not standard input"
gzip -k selves.psr
records selves.psr.gz | cmp - plain.psm || fail "compressed"

# Shares so large that they are cut into parts themselves
awk 'BEGIN { srand(1); for (i = 0; i < 300000; i++) printf "n%d\tb%d\n", i % 60000, int(rand() * 9000) }' | psgraph-build -t >large.psg
awk 'BEGIN { srand(2); for (i = 0; i < 60000; i++) printf "n%d\tw%d w%d\n", i, int(rand() * 500), int(rand() * 500) }' |
    psfeat -g large.psg -t -d 16 --sketch 8 >large.x
psneigh -g large.psg -a -T 20 -w 200 >large.n
awk 'BEGIN { srand(3); for (i = 0; i < 60000; i++) printf "n%d\tn%d\n", int(rand() * 60000), int(rand() * 60000) }' >large.tsv
large() {
    "$@" -g large.psg -x large.x -n large.n -t --layers 1 --hidden 128 -d 8 --batch 60000 --in-batch no --negatives 50 --shares 64 \
        --epochs 1 -j 1 <large.tsv
}
large pstrain >large.psm
large ranks 2 pstrain -o out.psm && cmp out.psm large.psm || fail "2 ranks give other bytes of large shares"
rm large.*

# Failures: one message, status 1, no output
refuse() {
    status=0
    rm -f out.psm
    "$@" 2>err || status=$?
    [ $status -ne 0 ] && [ ! -e out.psm ] && [ "$(grep -c '^pstrain:' err)" = 1 ] || fail "status $status: $*: $(cat err)"
}
echo "nothing	nowhere" >bad.tsv
refuse ranks 2 pstrain -g g.psg -x x.psr -n n.psr -t -o out.psm <bad.tsv
grep -q '^pstrain: rank 0: <stdin>: line 1:' err || fail "bad pairs: $(cat err)"
refuse ranks 2 pstrain -g g.psg -x nowhere.psr -n n.psr -t -o out.psm <p.tsv
refuse ranks 2 pstrain -g g.psg -x x.psr -n n.psr -t --shares 1 -o out.psm <p.tsv
refuse ranks 2 pstrain -g g.psg -x x.psr -n n.psr -t --paper --rate 1000 --optimizer sgd --epochs 50 -o out.psm <p.tsv
grep -q 'diverged' err || fail "divergence: $(cat err)"
# Wrong usage has status 2, whichever rank is first
for i in 1 2 3; do
    refuse ranks 2 pstrain -g g.psg -x x.psr -n n.psr -t --shares 1 -o out.psm <p.tsv
    [ $status = 2 ] || fail "wrong usage: status $status"
done
# Other pairs than rank 0's, as many
cat >swapped <<'END'
#!/bin/sh
[ "$OMPI_COMM_WORLD_RANK" = 1 ] && exec pstrain "$@" sorted.psr
exec pstrain "$@" p.psr
END
chmod +x swapped
refuse ranks 2 ./swapped -g g.psg -x x.psr -n n.psr -o out.psm
grep -q '^pstrain: rank 1: sorted.psr: not the pairs of rank 0' err || fail "other pairs: $(cat err)"
awk '{ print $0 "\t" (NR == 5 ? 2 : 1) }' p.tsv | psview -t -g g.psg -K pairs >weighted.psr
sed -i 's/sorted.psr/weighted.psr/' swapped
refuse ranks 2 ./swapped -g g.psg -x x.psr -n n.psr -o out.psm
grep -q '^pstrain: rank 1: weighted.psr: not the pairs of rank 0' err || fail "other weights: $(cat err)"
head -c 1000 p.psr >short.psr
refuse ranks 2 pstrain -g g.psg -x x.psr -n n.psr -o out.psm short.psr
# Rank 1 alone cannot go on: it has few vectors
cat >swapped <<'END'
#!/bin/sh
[ "$OMPI_COMM_WORLD_RANK" = 1 ] && exec pstrain -x short.psr "$@"
exec pstrain -x x.psr "$@"
END
chmod +x swapped
psview --raw --take 20 x.psr >short.psr
refuse ranks 2 ./swapped -g g.psg -n n.psr -t -o out.psm <p.tsv
grep -q '^pstrain: rank 1: ' err || fail "a rank that fails: $(cat err)"

# A rank killed: the others end within seconds; the last checkpoint goes on with any number of ranks, to the same bytes
train() {
    set -- pstrain -g g.psg -x x.psr -n n.psr -t -p valid.tsv --hidden 64 -d 32 --batch 48 --shares 4 --epochs 200 -j 1 "$@"
    echo "$@" >command
    "$@" <p.tsv
}
train >whole.psm
begin() {
    rm -f c
    timeout 120 mpirun --oversubscribe --bind-to none -n 2 $(cat command) -c c --every 0 -o out.psm <p.tsv 2>err &
    job=$!
    tries=0
    until [ -e c ] || [ $tries = 100 ]; do
        sleep .1
        tries=$((tries + 1))
    done
    mpirun=$(pgrep -P $job)
}
begin
kill -9 "$(pgrep -P "$mpirun" | tail -n 1)"
start=$(date +%s)
status=0
wait $job || status=$?
[ $status -ne 0 ] && [ ! -e out.psm ] && [ $(($(date +%s) - start)) -le 20 ] && grep -q 'signal 9' err ||
    fail "a rank killed: status $status after $(($(date +%s) - start)) s: $(cat err)"
for n in 1 3; do
    ranks $n $(cat command) --resume c -o out.psm <p.tsv || fail "$n ranks do not go on"
    cmp out.psm whole.psm || fail "$n ranks went on to other bytes"
done
$(cat command) --resume c <p.tsv | cmp - whole.psm || fail "without MPI it went on to other bytes"
# With other shares it goes on too, differing by rounding
ranks 2 $(cat command) --shares 2 --resume c -o out.psm <p.tsv || fail "other shares do not go on"

# Told to stop
rm -f out.psm
begin
kill -TERM "$mpirun"
status=0
wait $job || status=$?
[ $status -ne 0 ] && [ ! -e out.psm ] && grep -q '^pstrain: rank 0: stopped after batch' err || fail "SIGTERM: $status: $(cat err)"
ranks 2 $(cat command) --resume c -o out.psm <p.tsv && cmp out.psm whole.psm || fail "stopped, it went on to other bytes"
