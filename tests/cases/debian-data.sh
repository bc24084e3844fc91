# The embedded data: the script that makes it follows its rules on a small list, and what is embedded is whole.
set -eu
. "$PS_ROOT/tests/need-python"

list=$PS_ROOT/tests/data/packages
make_data=$PS_ROOT/scripts/make-debian-data
parts="edges items pairs-train pairs-valid pairs-test"

"$make_data" -o plain "$list/Packages" >said
[ "$(cat said)" = "5 items, 4 boards, 10 edges, pairs: 2 train, 1 valid, 2 test" ] || { cat said; exit 1; }
for part in $parts; do
    gzip -dc "plain/$part.tsv.gz" | diff -u "$list/$part.tsv" - || { echo "$part differs from what was worked out by hand"; exit 1; }
done

# The same bytes again, and from a packed list.
gzip -c "$list/Packages" >Packages.gz
"$make_data" -o packed Packages.gz >/dev/null
for part in $parts; do
    cmp "plain/$part.tsv.gz" "packed/$part.tsv.gz"
done

# Nonsense and a missing file are refused.
printf 'Version: 1\n\nPackage: x\n' >bad
for input in bad no-such-file; do
    ! "$make_data" -o none "$input" >/dev/null 2>err || { echo "$input was taken"; exit 1; }
    grep -q "^make-debian-data: $input: " err || { cat err; exit 1; }
done

# What is embedded: its counts, and no pair across the split.
embedded=$PS_ROOT/tests/data/debian
while read -r part lines; do
    got=$(gzip -dc "$embedded/$part.tsv.gz" | wc -l)
    [ "$got" -eq "$lines" ] || { echo "$part: $got lines, README.md and the reference say $lines"; exit 1; }
done <<END
items 63436
edges 443399
pairs-train 40317
pairs-valid 5119
pairs-test 4751
END
for part in train valid; do
    gzip -dc "$embedded/pairs-$part.tsv.gz" "$embedded/pairs-test.tsv.gz" | cut -f 1 | uniq | sort | uniq -d >twice
    [ ! -s twice ] || { echo "queries in $part and test:"; head twice; exit 1; }
done
