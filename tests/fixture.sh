# fixture - to be sourced by cases: a small dataset cut out of the embedded one, in the current directory.
#
#   small_debian [REGEX]   items whose names match (default: Python and JavaScript modules), and what is between
#                          them: items.tsv edges.tsv pairs.tsv valid.tsv test.tsv queries.txt
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
