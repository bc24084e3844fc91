# scripts/new-items on a part of the embedded data: items that come after training are found nearly as well as if they
# had been there.  Some hundred test pairs only: the README has the figure for all of the data.
set -eu
. "$PS_ROOT/tests/fixture.sh"
case ${PS_FLAVOUR-release} in
release | plain) ;;
*) echo "a sanitizer build would train for too long"; exit 77 ;;
esac
small_debian '^(python3|lib[a-g]|golang)'
mkdir data
mv items.tsv edges.tsv data
mv pairs.tsv data/pairs-train.tsv
mv valid.tsv data/pairs-valid.tsv
mv test.tsv data/pairs-test.tsv
"$PS_ROOT/scripts/new-items" data made --hidden 64 -d 64 --batch 256 >out 2>err || { cat out err >&2; exit 1; }
cat out
awk '/in the graph/ { ratio = $NF } END { exit !(ratio > .9 && ratio < 1.1) }' out || { echo "new items are found much worse"; exit 1; }
# The last table parts the same pairs.
awk 'NR == 1 { all = $1 } table && NF { sum += $(NF - 4) } /^hit-rate@100 of pairs/ { table = 1 } END { exit !(all > 0 && sum == all) }' out ||
    { echo "the pairs of the last table are not those of the test"; exit 1; }
"$PS_ROOT/scripts/new-items" --help | grep -q 'new-items DATA FOLDER' || { echo "--help says no usage"; exit 1; }
