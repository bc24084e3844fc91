#!/bin/sh
# psembed -D cuda, with CUDA on the CPU (tests/cuda): every way to an embedding gives that of the CPU but for rounding,
# and the same bytes each time.
set -eu
. "$PS_ROOT/tests/fixture.sh"
. "$PS_ROOT/tests/need-emulated"
cuda() {
    "$PS_TEST/emulated/psembed" -D cuda "$@"
}
small_debian '^libjs-[a-k]'
psgraph-build -t -I items.tsv <edges.tsv >g.psg
psfeat -g g.psg -t -d 12 --sketch 4 <items.tsv >x.psr
psfeat -g g.psg -t --sparse <items.tsv >y.psr
psneigh -g g.psg -a -T 5 >n.psr
n=$(psview -C x.psr)

# near WHAT WANT GOT [BOUND]: the same items, every element as good as the same, and not a NaN among them.
near() {
    awk -v bound="${4-1e-4}" 'NR == FNR { want[FNR] = $0; rows = FNR; next }
        { fields = split(want[FNR], w); if (NF != fields || $1 != w[1]) exit 1 }
        { for (i = 2; i <= NF; i++) if (!(($i - w[i]) ^ 2 <= bound ^ 2)) exit 1; got = FNR }
        END { if (got != rows || rows == 0) exit 1 }' "$2" "$3" || fail "$1: not the embeddings of the CPU"
}
# same WHAT INPUT ARGUMENT...: by both
same() {
    what=$1 input=$2
    shift 2
    psembed -m m.psm "$@" <"$input" 2>cpu.err | psview >cpu.txt
    cuda -m m.psm "$@" <"$input" 2>cuda.err | psview >cuda.txt
    cmp cpu.err cuda.err || fail "$what: other warnings"
    near "$what" cpu.txt cuda.txt
}

# Some that are asked for, one of them twice; new ones; a change: features, a neighbourhood, an item that is gone.
printf '7\n3\n%s\n0\n3\n' $((n - 1)) >ids
psview -t -K ids --first items <ids >ids.psr
sed -n '8p;4p' items.tsv | cut -f 1 >names
psview x.psr | sed -n '1,3p' | awk -F '\t' -v OFS='\t' '{$1 = NR - 1; $3 += .5; print}' | psview -t -K vectors --first plain >new-x.psr
printf '0\t5\t.75\n0\t2\t.25\n1\n2\t9\t1\n' | psview -t -K neighbours -d 5 --first plain >new-n.psr
psview y.psr | awk -F '\t' -v OFS='\t' '$1 >= 3 && $1 < 6 {$1 -= 3; print}' |
    psview -t -K sparse -d "$(psview -J -H y.psr | sed 's/.*"dimension":\([0-9]*\).*/\1/')" --first plain >new-y.psr
cut -f 2 edges.tsv | sed -n '1p;5p;9p' >boards.tsv
psview x.psr | awk -F '\t' -v OFS='\t' 'NR == 5 {$3 += .25} NR == 9 {next} {print}' | psview -t -K vectors --first items >x3.psr
psview n.psr | awk -F '\t' '!($1 == 20 && $2 != "") {print} $1 == 20 && !done++ {print "20\t21\t1"}' | psview -t -K neighbours -d 5 >n3.psr

# Features so wide that -M, or the memory of the device, makes several blocks of the items
psfeat -g g.psg -t -d 12000 --sketch 4 <items.tsv >wide.psr
pstrain -g g.psg -x wide.psr -n n.psr -t --layers 2 --hidden 9 -d 6 --batch 64 --negatives 20 --epochs 1 <pairs.tsv >m.psm
same "blocks by -M" wide.psr -n n.psr -M 4M
EMULATOR_MEMORY=55000000 same "blocks by the device's memory" wide.psr -n n.psr

while read -r shape; do
    pstrain -g g.psg -x x.psr -n n.psr -t $shape --hidden 9 -d 6 --batch 64 --negatives 20 --epochs 1 <pairs.tsv >m.psm
    y='' new_y='' old_y=''
    case $shape in
    *y.psr*) y='-y y.psr' new_y='--new-texts new-y.psr' old_y='--old-y y.psr' ;;
    esac
    same "$shape: all" x.psr -n n.psr $y
    same "$shape: blocks of few" x.psr -n n.psr $y -M 1M
    same "$shape: no neighbourhoods" x.psr $y
    same "$shape: neighbours left out" x3.psr -n n.psr $y -u
    same "$shape: ids" ids.psr -n n.psr $y -x x.psr
    same "$shape: names, one by one" names -n n.psr $y -x x.psr -g g.psg -t -l
    same "$shape: new items" new-x.psr -n n.psr $y -x x.psr --new new-n.psr
    same "$shape: new items with texts, one by one" new-x.psr -n n.psr $y -x x.psr --new new-n.psr $new_y -l
    same "$shape: new items on boards" new-x.psr -n n.psr $y -x x.psr -g g.psg -t --boards boards.tsv
    psembed -m m.psm -n n.psr -u $y <x.psr >old.psr
    same "$shape: a change" x3.psr -n n3.psr $y -u --update old.psr --old-x x.psr --old-n n.psr $old_y

    # what has not changed is copied, on any device
    cuda -m m.psm -n n.psr $y <x.psr >one.psr
    cuda -m m.psm -n n.psr $y -v --update one.psr --old-x x.psr --old-n n.psr $old_y <x.psr 2>err | cmp - one.psr || fail "$shape: --update"
    grep -q ' 0 of ' err || fail "$shape: --update without a change: $(cat err)"
    for seed in 2 3; do
        EMULATOR_SEED=$seed cuda -m m.psm -n n.psr $y <x.psr | cmp - one.psr || fail "$shape: another order gives other bytes"
    done
    cuda -m m.psm -n n.psr $y --bf16 <x.psr | psview >bf16.txt
    psview one.psr >one.txt
    near "$shape: bf16" one.txt bf16.txt .05
    cmp -s one.txt bf16.txt && fail "$shape: --bf16 changes nothing"
done <<END
-y y.psr
--layers 2 --pooling max --no-bias
--layers 0 --pooling mean
--layers 2 --pooling mean --no-normalize -y y.psr
END

# refused TEXT STATUS INPUT ARGUMENT...: with one line
refused() {
    text=$1 want=$2 input=$3
    shift 3
    status=0
    cuda "$@" <"$input" >out 2>err || status=$?
    [ $status = "$want" ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -q -e "$text" err || fail "$*: $status: $(cat err)"
}
refused 'no vector for item 8, a neighbour of item' 1 x3.psr -m m.psm -n n.psr -y y.psr
# (what ASan and the counts of coverage write would need the rights, too)
case $PS_FLAVOUR in asan | coverage) ;; *) refused 'rights that --sandbox gives up' 2 x.psr -m m.psm -n n.psr -y y.psr --sandbox ;; esac
refused 'not on a GPU' 2 x.psr -m m.psm --project 1
export EMULATOR_MEMORY=33600000
refused 'too little memory: .* MiB are needed beside' 1 x.psr -m m.psm -n n.psr -y y.psr
export EMULATOR_FAULT=no-device
refused 'no GPU' 1 x.psr -m m.psm -n n.psr -y y.psr
