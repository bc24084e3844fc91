# fixture - to be sourced by cases: what they share.  The tools are on the PATH.
#
#   fail WORDS...              says so and ends the case
#   expect STATUS TEXT COMMAND...
#                              the command's status, one line on standard error with TEXT (a pattern of grep) in it,
#                              nothing on standard output; what it wrote stays in the files out and err
#   small_debian [REGEX]       a small dataset cut out of the embedded one: items whose names match (default: Python and
#                              JavaScript modules), and what is between them: items.tsv edges.tsv pairs.tsv valid.tsv
#                              test.tsv queries.txt
#   small_inputs [REGEX]       that, and what training reads: g.psg, x.psr (32 elements of text, 16 of sketch), n.psr (T = 8)
PATH=$PS_BIN:$PATH
fail() {
    echo "$*"
    exit 1
}
expect() {
    want=$1 text=$2 status=0
    shift 2
    "$@" >out 2>err || status=$?
    [ $status = "$want" ] && [ ! -s out ] && [ "$(wc -l <err)" = 1 ] && grep -q -e "$text" err ||
        fail "$*: status $status, not $want with '$text', $(wc -c <out) bytes out: $(cat err)"
}
small_debian() {
    data=$PS_ROOT/tests/data/debian
    gzip -dc "$data/items.tsv.gz" | awk -F '\t' -v re="${1-^(python3|libjs)-}" '$1 ~ re' >items.tsv
    between='NR == FNR {item[$1]; next} ($1 in item) && (pairs != 1 || $2 in item)'
    gzip -dc "$data/edges.tsv.gz" | awk -F '\t' "$between" items.tsv - >edges.tsv
    gzip -dc "$data/pairs-train.tsv.gz" | awk -F '\t' -v pairs=1 "$between" items.tsv - >pairs.tsv
    gzip -dc "$data/pairs-valid.tsv.gz" | awk -F '\t' -v pairs=1 "$between" items.tsv - >valid.tsv
    gzip -dc "$data/pairs-test.tsv.gz" | awk -F '\t' -v pairs=1 "$between" items.tsv - >test.tsv
    cut -f 1 test.tsv | uniq >queries.txt
}
small_inputs() {
    small_debian "$@"
    psgraph-build -t -I items.tsv <edges.tsv >g.psg
    psfeat -g g.psg -t -d 32 --sketch 16 <items.tsv >x.psr
    psneigh -g g.psg -a -T 8 >n.psr
}
