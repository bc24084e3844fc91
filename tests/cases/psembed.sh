#!/bin/sh
# psembed: any threads, any order of items, new items, neighbours without vectors.
set -eu
. "$PS_ROOT/tests/fixture.sh"
small_inputs
pstrain -g g.psg -x x.psr -n n.psr -t --layers 2 --hidden 24 -d 16 --epochs 1 <pairs.tsv >m.psm

psembed -m m.psm -n n.psr -j 1 <x.psr >z.psr
psview -c z.psr
# The item bias is one element more, which the head announces: without that no query would count it as 1.
psview -H z.psr | grep -qx 'bias	yes' && psview -H z.psr | grep -qx 'dimension	17' || fail "the item bias is not announced: $(psview -H z.psr)"
pstrain -g g.psg -x x.psr -n n.psr -t --no-bias --hidden 8 -d 8 --epochs 1 <pairs.tsv >plain.psm
psembed -m plain.psm -n n.psr <x.psr >plain.psr
psview -H plain.psr | grep -qx 'bias	no' && psview -H plain.psr | grep -qx 'dimension	8' || fail "a bias is announced that is not there"
for j in 2 5; do
    psembed -m m.psm -n n.psr -j $j <x.psr | cmp - z.psr || fail "-j $j gives other bytes"
done
gzip -c x.psr | psembed -m m.psm -n n.psr -z | gzip -dc | cmp - z.psr || fail "gzip in and out gives other bytes"
psembed -m m.psm -n n.psr -o o.psr <x.psr && cmp o.psr z.psr || fail "-o gives other bytes"

# The order of the items is the input's and changes nothing but the last bits.
psview --raw --skip 1000 x.psr >late.psr
psview --raw --take 1000 x.psr >early.psr
cat late.psr early.psr | psembed -m m.psm -n n.psr >turned.psr
psview -g g.psg z.psr | sort >z.txt
psview -g g.psg turned.psr | sort >turned.txt
paste z.txt turned.txt | awk -F '\t' '{
    half = NF / 2
    for (i = 2; i <= half; i++) {
        d = $i - $(half + i)
        if ($1 != $(half + 1) || d > 1e-5 || d < -1e-5) { print "differs: " $0; exit 1 }
    }
}' || fail "embeddings depend on the order of the items"

# Texts without a word, as the tour makes them for items without texts: nothing to embed, and no error.
cut -f 1 items.tsv >names.txt
psfeat -g g.psg -t --sparse <names.txt >none.psr
pstrain -g g.psg -x x.psr -y none.psr -n n.psr -t --hidden 8 -d 8 --epochs 1 <pairs.tsv >bare.psm
psembed -m bare.psm -y none.psr -n n.psr <x.psr >bare.psr
psembed -m bare.psm -n n.psr <x.psr | cmp - bare.psr || fail "texts without a word change embeddings"

# Some items alone: their neighbours lack vectors.
status=0
psembed -m m.psm -n n.psr <early.psr >out 2>err || status=$?
[ $status = 1 ] && [ ! -s out ] && grep -q 'no vector for item' err || fail "neighbours without vectors: $status $(cat err)"
psembed -m m.psm -n n.psr -u <early.psr >some.psr
[ "$(psview -C some.psr)" = 1000 ] || fail "-u: not all items embedded"

# New items, numbered by no graph: from their features alone.
psembed -m m.psm -q <x.psr >alone.psr
[ "$(psview -C alone.psr)" = "$(psview -C x.psr)" ] || fail "without -n: not all items embedded"
cmp -s alone.psr z.psr && fail "neighbourhoods make no difference"

# What does not belong together
psfeat -g g.psg -t -d 16 --sketch 16 <items.tsv >wrong.psr
status=0
psembed -m m.psm -n n.psr <wrong.psr >out 2>err || status=$?
[ $status = 1 ] && grep -q 'vectors of' err || fail "another dimension: $status $(cat err)"
