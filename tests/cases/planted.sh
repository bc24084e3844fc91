# A planted catalogue: an item's positives are the items of its own community (boards) that are of the class its own class
# goes with (texts).  Words alone point to its own class everywhere, walks alone to all of its community; only both together, and
# a map between classes that has to be learned, lead to the positives.
set -eu
. "$PS_ROOT/tests/fixture.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
awk 'BEGIN {
    communities = 24; classes = 24; cell = 3
    random = 12345
    for (s = 0; s < communities; s++) for (c = 0; c < classes; c++) for (k = 0; k < cell; k++) {
        name = "i" s "_" c "_" k
        text = ""
        for (w = 0; w < 4; w++) text = text " class" c "word" draw(6)
        print name "\t" text " noise" draw(300) " noise" draw(300) >"items.tsv"
        for (b = 0; b < 6; b++) print name "\tcommunity" s "board" draw(12) >"edges.tsv"
        file = draw(10) < 2 ? "test.tsv" : "pairs.tsv"      # a query is in one of them only
        for (p = 0; p < cell; p++) print name "\ti" s "_" (c % 2 ? c - 1 : c + 1) "_" p >file
    }
}
function draw(n) { random = (random * 1103515245 + 12345) % 2147483648; return int(random / 65536) % n }'
cut -f 1 test.tsv | uniq >queries.txt
psgraph-build -t -I items.tsv <edges.tsv >g.psg
psfeat -g g.psg -t -d 64 --lsa --sketch 128 <items.tsv >x.psr
psfeat -g g.psg -t --sparse <items.tsv >y.psr
psneigh -g g.psg -a >n.psr
pstrain -g g.psg -x x.psr -y y.psr -n n.psr -t --hidden 64 -d 64 --batch 128 --epochs 12 <pairs.tsv >m.psm
psembed -m m.psm -y y.psr -n n.psr <x.psr >z.psr
rate() { grep -o '"10": [0-9.]*' | sed -n '1s/.* //p'; }
recipe=$(pseval -g g.psg -t -J -p test.tsv -x z.psr | rate)
content=$(pseval -g g.psg -t -J -p test.tsv -x y.psr | rate)
boards=$(pseval -g g.psg -t -J -p test.tsv --boards | rate)
walks=$(pswalk -g g.psg -t -k 500 -w 20000 <queries.txt | pseval -g g.psg -t -J -p test.tsv | rate)
echo "hit-rate@10: recipe $recipe, content $content, walks $walks, item-kNN $boards"
awk "BEGIN {exit !($recipe > .7 && $recipe > 3 * $content && $recipe > 3 * $walks && $recipe > 3 * $boards)}" ||
    fail "the recipe is not well above both"
