#!/bin/sh
# psembed as filters: the result of one machine to 1e-6, the same bytes however the work is split and in any memory.
set -eu
. "$PS_ROOT/tests/fixture.sh"
near() { # $1 $2: the same vectors, to 1e-6
    psview "$1" >one.txt
    psview "$2" >two.txt
    paste one.txt two.txt | awk -F '\t' '{
        half = NF / 2
        for (i = 1; i <= half; i++) { d = $i - $(half + i); if (d > 1e-6 || d < -1e-6 || half < 3) { print "differs: " $0; exit 1 } }
    } END { if (NR == 0) { print "nothing to compare"; exit 1 } }' || fail "$3"
}
small_inputs '^libjs-'
psfeat -g g.psg -t --sparse <items.tsv >y.psr
n=$(psview -C x.psr) half=$(($(psview -C x.psr) / 3))
psembed --invert <n.psr | psview --raw -S >needs.psr
psview -c needs.psr
# The same work in two pieces, split by the neighbour, as two machines would have it.
psview needs.psr | awk -F '\t' -v half=$half '$1 < half' | psview -t -K pairs --first items >needs-a.psr
psview needs.psr | awk -F '\t' -v half=$half '$1 >= half' | psview -t -K pairs --first items >needs-b.psr

# layer K: h$K.psr from the layer below, $1
layer() {
    k=$1 below=$2
    shift 2
    psembed -m m.psm --project "$k" <"$below" >p.psr
    psembed -m m.psm --scatter needs.psr <p.psr >s.psr
    psview -c s.psr
    psembed -m m.psm --scatter needs.psr -M 1M <p.psr | cmp - s.psr || fail "$shape: --scatter -M 1M gives other bytes"
    psembed -m m.psm --gather "$k" -x "$below" "$@" <s.psr >"h$k.psr"
    psview --raw --take $half p.psr | psembed -m m.psm --scatter needs-a.psr >sa.psr
    psview --raw --skip $half p.psr | psembed -m m.psm --scatter needs-b.psr >sb.psr
    [ "$(($(psview -C sa.psr) + $(psview -C sb.psr)))" -gt "$(psview -C s.psr)" ] || fail "$shape: the pieces share no item"
    cat sb.psr sa.psr | psview --raw -S -M 4M | psembed -m m.psm --gather "$k" -x "$below" "$@" | cmp - "h$k.psr" ||
        fail "$shape: in two pieces other bytes"
}

for shape in "1 importance" "2 max" "3 mean" "2 importance -y y.psr"; do
    set -- $shape
    layers=$1 pooling=$2
    shift 2
    pstrain -g g.psg -x x.psr -n n.psr -t --layers "$layers" --pooling "$pooling" --hidden 24 -d 16 --epochs 1 "$@" <pairs.tsv >m.psm
    psembed -m m.psm -n n.psr "$@" <x.psr >z.psr
    below=x.psr
    for k in $(seq "$layers"); do
        if [ "$k" = "$layers" ]; then
            [ "$k" = 1 ] || set -- --features x.psr "$@"
            layer "$k" "$below" "$@"
        else
            layer "$k" "$below"
        fi
        below=h$k.psr
    done
    near z.psr "h$layers.psr" "$shape: the filters' result differs"
done

# More sums than memory holds: wide ones, of which 1 MiB has room for some hundred.
pstrain -g g.psg -x x.psr -n n.psr -t --layers 1 --hidden 512 -d 16 --epochs 1 <pairs.tsv >wide.psm
psembed -m wide.psm --project 1 <x.psr >p.psr
psembed -m wide.psm --scatter needs.psr -M 1G <p.psr >s.psr
[ "$(psview -C s.psr)" -gt 300 ] || fail "too few sums to fill memory"
psembed -m wide.psm --scatter needs.psr -M 1M <p.psr | cmp - s.psr || fail "sums that do not fit in memory: other bytes"

# neighbours without vectors
pstrain -g g.psg -x x.psr -n n.psr -t --layers 1 --hidden 24 -d 16 --epochs 1 <pairs.tsv >m.psm
psview --raw --take $half x.psr >some.psr
psembed -m m.psm --project 1 <some.psr >p.psr
expect 1 'no vector for item' sh -c 'psembed -m m.psm --scatter needs.psr <p.psr'
psview needs.psr | awk -F '\t' -v half=$half '$2 < half' | psview -t -K pairs --first items >needs-some.psr
psembed -m m.psm -n n.psr -u <some.psr >z.psr
psembed -m m.psm --scatter needs-some.psr -u <p.psr | psembed -m m.psm --gather 1 -x some.psr -u >zf.psr
near z.psr zf.psr "-u: the filters' result differs"

# what is not in order, or does not belong together
psembed -m m.psm --project 1 <x.psr >p.psr
(psview --raw --skip 5 p.psr && psview --raw --take 5 p.psr) >turned.psr
expect 1 'not in order' sh -c 'psembed -m m.psm --scatter needs.psr -u <turned.psr'
psembed --invert <n.psr >unsorted.psr
expect 1 'not in order' sh -c 'psembed -m m.psm --scatter unsorted.psr <p.psr'
psembed -m m.psm --scatter needs.psr <p.psr >s.psr
expect 1 'which has no vector' sh -c 'psembed -m m.psm --gather 1 -x some.psr <s.psr'
expect 1 'sums (of --scatter) are needed' sh -c 'psembed -m m.psm --gather 1 -x x.psr <p.psr'
expect 1 'holds sums' sh -c 'psembed -m m.psm --scatter needs.psr <s.psr'
expect 1 'holds partial sums' sh -c 'psembed -m m.psm <s.psr'
expect 1 'vectors of 24 elements, but' sh -c 'psembed -m m.psm --project 1 <p.psr'
expect 1 'truncated' sh -c 'head -c 2000 s.psr | psembed -m m.psm --gather 1 -x x.psr'
expect 2 'convolutions' sh -c 'psembed -m m.psm --project 2 <x.psr'
expect 2 'by themselves' psembed -m m.psm --project 1 --gather 1
expect 2 'needs -x' sh -c 'psembed -m m.psm --gather 1 <s.psr'

# psview -S in little memory is psview -S
psembed --invert <n.psr | psview --raw -S -M 1M | cmp - needs.psr
