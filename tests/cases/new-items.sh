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
