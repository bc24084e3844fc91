# pswalk and psneigh on the embedded data: as good as a reference's random walk, the same bytes in two spellings.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
data=$PS_ROOT/tests/data/debian

for part in items pairs-test; do
    gzip -dc "$data/$part.tsv.gz" >$part.tsv
done
"$PS_BIN/psgraph-build" -t -I items.tsv <"$data/edges.tsv.gz" >g.psg
cut -f 1 pairs-test.tsv | uniq >queries

# A reference with 20 thousand steps has .229, .421 and .569; the sampling error at 10 thousand is below .01.
"$PS_BIN/pswalk" -g g.psg -t -k 500 -w 10000 <queries >h.psr
while read -r k least most; do
    rate=$(python3 "$PS_ROOT/tests/walk_check.py" hit-rate h.psr items.tsv pairs-test.tsv "$k")
    awk -v rate="$rate" -v least="$least" -v most="$most" 'BEGIN { exit !(rate >= least && rate <= most) }' ||
        fail "hit-rate@$k is $rate, not between $least and $most"
done <<END
10 .215 .243
100 .405 .435
500 .550 .585
END

"$PS_BIN/psneigh" -g g.psg -a -w 200 >n.psr
"$PS_BIN/pswalk" -g g.psg -a -w 200 -j 2 | "$PS_BIN/psneigh" | cmp - n.psr || fail "two spellings, different bytes"
