# bits.sh - the demo's integers are the same everywhere: checksums of graph, neighbourhoods, pairs and the random walk's hits, with
# every set of instructions and number of threads.  Who changes what the walks are must change them here.
set -eu
PATH=$PS_BIN:$PATH
data=$PS_ROOT/tests/data/debian
same() { # WHAT CHECKSUM: of standard input
    sum=$(cksum | cut -d ' ' -f 1)
    [ "$sum" = "$2" ] || echo "$1: checksum $sum, not $2" >>wrong
}
: >wrong
for name in items edges pairs-test; do
    gzip -dc "$data/$name.tsv.gz" >$name.tsv
done
cut -f 1 pairs-test.tsv | uniq | head -n 300 >queries.txt
for isa in plain avx2 avx512; do
    threads=$([ $isa = plain ] && echo 1 || echo 3)
    export PSGRAPH_ISA=$isa
    psgraph-build -t -j $threads -I items.tsv <edges.tsv >$isa.psg
    psview --edges $isa.psg | same "$isa: graph" 1531827143
    psneigh -g $isa.psg -a -w 200 -T 20 -j $threads | psview -g $isa.psg | same "$isa: neighbourhoods" 3199535623
    psview -t -K pairs -g $isa.psg <pairs-test.tsv | psview -g $isa.psg | same "$isa: pairs" 474133421
    pswalk -g $isa.psg -t -k 100 -r .5 -w 2000 -j $threads <queries.txt | psview -g $isa.psg | same "$isa: hits" 2589103541
    cmp plain.psg $isa.psg
done
[ ! -s wrong ] || { cat wrong && exit 1; }
