# psfeat --save and --load: the same features again, those of new items, and what is refused.
set -eu
. "$PS_ROOT/tests/fixture.sh"
small_debian
psgraph-build -t -I items.tsv <edges.tsv >g.psg

# What was saved makes the same features of the same items, in every form.
for options in '-d 64 --lsa --sketch 40' '-d 20 --lsa --board-terms --sketch 0' '-d 30 --ngrams 3-4 --no-degree -s 7' '-d 0 --sketch 20' '-d 20 --text-only --lsa'; do
    psfeat -g g.psg -t $options --save f.psf <items.tsv >x.psr
    case $options in
    *'-d 0'*) psfeat -g g.psg --load f.psf >again.psr ;;
    *) psfeat -g g.psg -t --load f.psf <items.tsv >again.psr ;;
    esac
    psview x.psr >x.txt
    psview again.psr | cmp - x.txt || fail "$options: other features after --load"
done
psfeat -g g.psg -t --lsa -j 1 --save f1.psf <items.tsv >x.psr
psfeat -g g.psg -t --lsa -j 4 --save f4.psf <items.tsv >x4.psr
cmp f1.psf f4.psf && cmp x.psr x4.psr || fail "-j 4 gives other bytes"
psfeat -t --sparse -g g.psg <items.tsv | psview - >y.txt
psfeat -t --sparse -g g.psg --load f1.psf <items.tsv | psview - | cmp - y.txt || fail "--sparse --load gives other weights"

psfeat -t --sparse --board-terms -g g.psg --save f1.psf <items.tsv | psview - >y.txt
psfeat -t --sparse -g g.psg --load f1.psf <items.tsv | psview - | cmp - y.txt || fail "--board-terms: other weights after --load"

# Every twentieth item withheld: its boards and text give nearly what it has in the whole graph.
awk 'NR % 20 == 0' items.tsv >new.tsv
awk 'NR % 20 != 0' items.tsv >old.tsv
awk -F '\t' 'NR == FNR {n[$1]; next} !($1 in n)' new.tsv edges.tsv >old-edges.tsv
psgraph-build -t -I old.tsv <old-edges.tsv >old.psg
awk -F '\t' 'NR == FNR {known[$2]; next} FILENAME == ARGV[2] {if ($2 in known) b[$1] = b[$1] (b[$1] == "" ? "" : "\t") $2; next} {print b[$1]}' \
    old-edges.tsv edges.tsv new.tsv >new-boards.tsv
psfeat -g old.psg -t -d 64 --lsa --sketch 128 --save f.psf <old.tsv >old.psr
psfeat -g old.psg -t --load f.psf --boards new-boards.tsv <new.tsv >new.psr
psview -c new.psr || fail "the vectors of new items are no stream"
# In the graph of all, but for boards that only new items are on, and built from last to first: boards go by their names.
(cat old-edges.tsv && awk -F '\t' '
    FILENAME == ARGV[1] {known[$2]; next} FILENAME == ARGV[2] {n[$1]; next} ($1 in n) && ($2 in known)' \
    old-edges.tsv new.tsv edges.tsv) | tac >all-edges.tsv
cat old.tsv new.tsv >all.tsv
psgraph-build -t -I all.tsv <all-edges.tsv >all.psg
psfeat -g all.psg -t --load f.psf <all.tsv | psview --skip "$(wc -l <old.tsv)" - >whole.txt
psview new.psr >new.txt
[ "$(wc -l <new.txt)" = "$(wc -l <new.tsv)" ] || fail "not a vector for each new item"
[ "$(cut -f 1 new.txt | tail -n 1)" = $(($(wc -l <new.tsv) - 1)) ] || fail "new items are not numbered from 0"
paste new.txt whole.txt | awk -v d=193 -F '\t' '
    function cosine(from, to,   i, xy, xx, yy) {
        for (i = from; i <= to; i++) { xy += $i * $(i + d + 1); xx += $i * $i; yy += $(i + d + 1) * $(i + d + 1) }
        return xx == 0 || yy == 0 ? xx == yy : xy / sqrt(xx * yy)
    }
    { t = cosine(2, 65); if (t < .9999) bad = bad " text of " $1 ": " t
      s = cosine(66, 193); sum += s; if (s < .6) bad = bad " sketch of " $1 ": " s }
    END { if (sum / NR < .97) bad = bad " sketches on average: " sum / NR; print bad; exit bad != "" }' >bad ||
    fail "new items differ from those in the whole graph:$(cat bad)"

# Words and boards of new items weigh what they would there, by what the old ones' file says.
psfeat -g old.psg -t --sparse --board-terms --save y.psf <old.tsv >y.psr
psfeat -g old.psg -t --sparse --load y.psf --boards new-boards.tsv <new.tsv | psview - >new-y.txt
psfeat -g all.psg -t --sparse --load y.psf <all.tsv | psview -g all.psg - |
    awk -F '\t' -v OFS='\t' 'FILENAME == ARGV[1] {number[$1] = n++; next} $1 in number {$1 = number[$1]; print}' new.tsv - |
    sort -n -k 1,1 -s >whole-y.txt
sort -n -k 1,1 -s new-y.txt | cmp - whole-y.txt || fail "terms of new items weigh otherwise in the whole graph"
expect 2 'with --board-terms: it needs -g' psfeat -t --sparse --load y.psf -o out <new.tsv

# The same edges in another order: old and new items have the same features, which a model can read.
tac old-edges.tsv | psgraph-build -t -I old.tsv >turned.psg
psview --edges old.psg | cut -f 2 | uniq | head -n 50 >order.1
psview --edges turned.psg | cut -f 2 | uniq | head -n 50 | cmp -s - order.1 && fail "the boards have the same numbers"
psfeat -g turned.psg -t --load f.psf --boards new-boards.tsv <new.tsv | psview - >turned.txt
psview old.psr >straight.txt
psfeat -g turned.psg -t -d 64 --lsa --sketch 128 <old.tsv | psview - | paste straight.txt - >both.txt
paste new.txt turned.txt | cat both.txt - | awk -F '\t' '
    { for (i = 66; i <= 193; i++) { d = $i - $(i + 194); if (d > worst || -d > worst) worst = d < 0 ? -d : d } }
    END { exit !(NR > 0 && worst < 1e-5) }' || fail "boards that are numbered otherwise give other sketches"

# Unknown boards, lines that do not match, files that are damaged, options that contradict
(sed 1d new-boards.tsv && echo 'no such board') >odd.tsv
expect 1 'no board' psfeat -g old.psg -t --load f.psf --boards odd.tsv -o out <new.tsv
psfeat -g old.psg -t -u --load f.psf --boards odd.tsv <new.tsv 2>err | psview -c - || fail "-u does not skip a board"
grep -q '1 boards skipped' err || fail "skipped boards are not counted: $(cat err)"
sed 1d new-boards.tsv >odd.tsv
expect 1 'texts of' psfeat -g old.psg -t --load f.psf --boards odd.tsv -o out <new.tsv
expect 1 'y.psf: saved with --sparse' psfeat -g old.psg -t --load y.psf -o out <old.tsv
expect 1 'y.psf: saved with --sparse' psfeat -g old.psg --load y.psf -o out
expect 2 beside psfeat -g old.psg -t -d 64 --load f.psf -o out <new.tsv
expect 2 boards psfeat -g old.psg -t --boards odd.tsv -o out <new.tsv
expect 2 'needs -g' psfeat -t --load f.psf -o out <new.tsv
size=$(wc -c <f.psf)
for cut in 3 40 70 $((size / 2)) $((size - 1)); do
    head -c "$cut" f.psf >cut.psf
    expect 1 truncated psfeat -g old.psg -t --load cut.psf -o out <old.tsv
done
cp f.psf bad.psf
printf '\377' | dd of=bad.psf bs=1 seek=$((size / 3)) conv=notrunc 2>/dev/null
expect 1 'CRC' psfeat -g old.psg -t --load bad.psf -o out <old.tsv
expect 1 'not what' psfeat -g old.psg -t --load x.psr -o out <old.tsv
[ ! -w /dev/full ] || expect 1 full psfeat -g old.psg -t -d 8 --save /dev/full -o kept.psr <old.tsv || true
