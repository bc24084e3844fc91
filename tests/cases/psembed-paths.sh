#!/bin/sh
# psembed: every way to an embedding gives the same bytes: all items, some, new ones, after a change; -j, -M, element types.
set -eu
. "$PS_ROOT/tests/fixture.sh"
small_inputs '^libjs-'
psfeat -g g.psg -t --sparse <items.tsv >y.psr
n=$(psview -C x.psr)
last=$((n - 5))

# psneigh gives new items the number of their line; here they have been items all along.
psview --raw --take $last x.psr >old-x.psr
renumbered() { # of the new ones: line numbers, neighbours among the old
    awk -F '\t' -v last=$last '$1 >= last && NF > 1 && $2 < last {print $1 - last "\t" $2 "\t" $3}' "$1"
}
normalized() { # so that weights sum to 1 again
    awk -F '\t' '{sum[$1] += $3; line[NR] = $0} END {for (i = 1; i <= NR; i++) {split(line[i], f, "\t"); printf "%s\t%s\t%.9g\n", f[1], f[2], f[3] / sum[f[1]]}}'
}
psview n.psr >n.txt
awk -F '\t' -v last=$last 'NF > 1 && $2 < last' n.txt | normalized >n2.txt
psview -t -K neighbours -d 8 <n2.txt >n2.psr
awk -F '\t' -v last=$last '$1 < last' n2.txt | psview -t -K neighbours -d 8 >old-n.psr
renumbered n2.txt >new.txt
psview x.psr | awk -F '\t' -v OFS='\t' -v last=$last '$1 >= last {$1 -= last; print}' | psview -t -K vectors --first plain >new-x.psr
# The new ones with no neighbour among the old have a record of padding.
awk -F '\t' '{seen[$1]; print} END {for (i = 0; i < 5; i++) if (!(i in seen)) print i}' new.txt | sort -s -n -k 1,1 |
    psview -t -K neighbours -d 8 --first plain >new-n.psr

# The boards of the new ones, by name and as edges.
awk -F '\t' -v last=$last 'NR > last {print $1}' items.tsv >new.names
awk -F '\t' 'NR == FNR {b[$1] = b[$1] (b[$1] == "" ? "" : "\t") $2; next} {print b[$1] == "" ? "(no board)" : b[$1]}' edges.tsv new.names >boards.tsv
grep -q '^(no board)' boards.tsv && fail "a new item is on no board"
awk -F '\t' -v OFS='\t' 'NR == FNR {n[$1]; next} $1 in n {print $1, $2, 1 + NR % 3}' new.names edges.tsv | psview -t -K edges -g g.psg | psview |
    awk -F '\t' -v OFS='\t' -v last=$last '{$1 -= last; print}' | sort -s -n -k 1,1 | psview -t -K edges --first plain >boards.psr

for shape in "1 importance" "2 max" "3 mean" "2 importance -y y.psr"; do
    set -- $shape
    layers=$1 pooling=$2
    shift 2
    pstrain -g g.psg -x x.psr -n n.psr -t --layers "$layers" --pooling "$pooling" --hidden 128 -d 16 --epochs 1 "$@" <pairs.tsv >m.psm
    psembed -m m.psm -n n2.psr -j 1 "$@" <x.psr >z.psr
    psview -c z.psr

    psembed -m m.psm -n n2.psr -j 3 -M 1M "$@" <x.psr | cmp - z.psr || fail "$shape: -M 1M gives other bytes"
    psembed -m m.psm -n n2.psr -x x.psr -a "$@" | cmp - z.psr || fail "$shape: -x -a gives other bytes"
    # what is no file that can be mapped, in memory and beyond
    for memory in 1M 1G; do
        gzip -c n2.psr | psembed -m m.psm -n - -M $memory -x x.psr -a "$@" | cmp - z.psr || fail "$shape: -n from a pipe, -M $memory gives other bytes"
        cat x.psr | psembed -m m.psm -n n2.psr -M $memory "$@" | cmp - z.psr || fail "$shape: vectors from a pipe, -M $memory give other bytes"
    done

    # some: by number in no order, one of them twice; by name; line by line
    printf '7\n3\n%s\n0\n3\n' $((n - 1)) >ids
    psview -t -K ids --first items <ids >ids.psr
    psembed -m m.psm -n n2.psr -x x.psr "$@" <ids.psr >some.psr 2>err
    grep -q '1 ids left out' err || fail "$shape: an id twice: $(cat err)"
    psview some.psr >some.txt
    for i in 7 3 $((n - 1)) 0; do psview --skip $i --take 1 z.psr; done | cmp - some.txt || fail "$shape: some items differ"
    for i in 7 3 $((n - 1)) 0 3; do psview --skip $i --take 1 z.psr; done >want.txt
    psembed -m m.psm -n n2.psr -x x.psr -l "$@" <ids.psr | psview >line.txt
    cmp line.txt want.txt || fail "$shape: -l differs"
    for i in 8 4; do sed -n ${i}p items.tsv; done | cut -f 1 >names
    psembed -m m.psm -n n2.psr -x x.psr -g g.psg -t "$@" <names | psview >named.txt
    head -n 2 want.txt | cmp - named.txt || fail "$shape: by name differs"

    # new: as if they had been there
    if [ $# -gt 0 ]; then
        psview y.psr | awk -F '\t' -v OFS='\t' -v last=$last '$1 >= last {$1 -= last; print}' |
            psview -t -K sparse -d "$(psview -J -H y.psr | sed 's/.*"dimension":\([0-9]*\).*/\1/')" --first plain >new-y.psr
        set -- "$@" --new-texts new-y.psr
    fi
    psembed -m m.psm -n old-n.psr -x old-x.psr --new new-n.psr "$@" <new-x.psr >new-z.psr
    psview new-z.psr | cut -f 2- >new.got
    psview --skip $last z.psr | cut -f 2- | cmp - new.got || fail "$shape: new items differ"
    psembed -m m.psm -n old-n.psr -x old-x.psr --new new-n.psr -l "$@" <new-x.psr | psview | cut -f 2- | cmp - new.got || fail "$shape: new items, -l"

    # favoured: so much more item bias, and nothing else
    if psview -H new-z.psr | grep -q '^bias.*yes'; then
        psembed -m m.psm -n old-n.psr -x old-x.psr --new new-n.psr --favour .25 "$@" <new-x.psr | psview | cut -f 2- >favoured.got
        paste favoured.got new.got | awk -F '\t' '{ d = NF / 2; for (i = 1; i < d; i++) if ($i != $(i + d)) exit 1
            more = $d - $NF - .25; if (more > 1e-6 || more < -1e-6) exit 1; n++ } END { exit !n }' || fail "$shape: --favour"
        biased=yes
    fi

    # from boards what psneigh makes of the same boards, whatever says how they are walked
    psneigh -q -g g.psg -t -u --boards -T 8 <boards.tsv >boards-n.psr
    psembed -m m.psm -n old-n.psr -u -x old-x.psr --new boards-n.psr "$@" <new-x.psr >boards-z.psr
    cmp -s boards-z.psr new-z.psr && fail "$shape: boards make no difference"
    psembed -q -m m.psm -n old-n.psr -x old-x.psr -g g.psg -t -u --boards boards.tsv "$@" <new-x.psr | cmp - boards-z.psr ||
        fail "$shape: new items on boards differ from those with their neighbourhoods"
    psembed -q -m m.psm -n old-n.psr -x old-x.psr -g g.psg -t -u --boards boards.tsv -l "$@" <new-x.psr | cmp - boards-z.psr ||
        fail "$shape: new items on boards, -l"
    psneigh -q -g g.psg --boards -T 5 -w 300 -r .3 -s 7 <boards.psr >boards-n.psr
    psembed -m m.psm -n old-n.psr -u -x old-x.psr --new boards-n.psr "$@" <new-x.psr >boards-z.psr
    psembed -q -m m.psm -n old-n.psr -x old-x.psr -g g.psg --boards boards.psr -u -T 5 -w 300 -r .3 -s 7 "$@" <new-x.psr |
        cmp - boards-z.psr || fail "$shape: boards as weighted edges, -T -w -r -s"
    [ $# -eq 0 ] || set -- -y y.psr

    # a change: features of two, neighbours of two, one that is gone, one that is new
    psview x.psr | awk -F '\t' -v OFS='\t' 'NR == 5 || NR == 40 {$3 += .25} NR == 9 {next} {print}' | psview -t -K vectors --first items >x3.psr
    awk -F '\t' '$1 != 8 && $2 != 8 && !($1 == 20 && $2 != "") {print} $1 == 20 && !done++ {print "20\t21\t1"}' n2.txt | normalized | psview -t -K neighbours -d 8 >n3.psr
    psview --raw --skip 1 x.psr >x4.psr
    psembed -m m.psm -n n2.psr -u "$@" <x4.psr >z4.psr
    psembed -m m.psm -n n3.psr -u "$@" <x3.psr >z3.psr
    old_y=
    [ $# -eq 0 ] || old_y="--old-y y.psr"
    psembed -m m.psm -n n3.psr -u "$@" --update z4.psr --old-x x4.psr --old-n n2.psr $old_y -v <x3.psr >z3u.psr 2>err
    cmp z3.psr z3u.psr || fail "$shape: --update gives other bytes"
    computed=$(sed -n 's/.* \([0-9]*\) of [0-9]* items computed.*/\1/p' err)
    [ "$computed" -ge 4 ] && [ "$computed" -lt "$n" ] || fail "$shape: --update computed $computed of $n"
    psembed -m m.psm -n n3.psr -u "$@" --update z3.psr --old-x x3.psr --old-n n3.psr $old_y -v <x3.psr 2>err | cmp - z3.psr
    grep -q ' 0 of ' err || fail "$shape: --update without a change computed something: $(cat err)"
done
cp z.psr zy.psr

# what does not belong together
pstrain -g g.psg -x x.psr -n n.psr -t --layers 1 --hidden 128 -d 16 --no-bias --epochs 1 <pairs.tsv >m.psm
psembed -m m.psm -n n2.psr <x.psr >z.psr
expect 1 'of another shape' psembed -m m.psm -n n2.psr --update zy.psr --old-x x.psr --old-n n2.psr -x x.psr -a
psembed -m m.psm -n n2.psr -u <x.psr >zu.psr
expect 1 'other options' psembed -m m.psm -n n2.psr --update zu.psr --old-x x.psr --old-n n2.psr -x x.psr -a
echo $((n + 3)) | psview -t -K ids --first items >far.psr
expect 1 "no vector for item $((n + 3))" sh -c 'psembed -m m.psm -n n2.psr -x x.psr <far.psr'
expect 1 'holds vectors; queries are ids' sh -c 'psembed -m m.psm -n n2.psr -x x.psr <x.psr'
[ "${biased-}" ] || fail "no shape has an item bias to favour by"
expect 1 'the model has none' sh -c 'psembed -m m.psm -n old-n.psr -x old-x.psr --new new-n.psr --favour .1 <new-x.psr'
expect 2 'favour is for new items' psembed -m m.psm -n n2.psr -x x.psr -a --favour .1
psview --raw --take 2 new-n.psr >short.psr
expect 1 'record 2 is missing' sh -c 'psembed -m m.psm -n old-n.psr -x old-x.psr --new short.psr <new-x.psr'
psview --raw --skip 1 new-n.psr >late.psr
expect 1 'is another item' sh -c 'psembed -m m.psm -n old-n.psr -x old-x.psr --new late.psr <new-x.psr'
psview --raw --take 2 new-x.psr >two.psr
expect 1 'more records than' sh -c 'psembed -m m.psm -n old-n.psr -x old-x.psr --new new-n.psr <two.psr'
expect 2 'go with -x' psembed -m m.psm -a
expect 2 '--update needs --old-x' psembed -m m.psm --update z.psr
expect 1 'cannot make a temporary file' psembed -m m.psm -n n2.psr -M 1M --tmp /nowhere -x x.psr -a

# vectors from a pipe or of another type, much more than -M
case ${PS_FLAVOUR-release} in
release | plain)
    d=$(psview -J -H x.psr | sed 's/.*"dimension":\([0-9]*\).*/\1/')
    python3 -c '
import array, sys
n, d = 400000, int(sys.argv[1])
head = ("{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (%d, %d), }" % (n, d)).ljust(117) + "\n"
sys.stdout.buffer.write(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode())
row = array.array("f", [(i * 37 % 101) / 101 for i in range(1000 * d)]).tobytes()
for i in range(n // 1000):
    sys.stdout.buffer.write(row)' "$d" >f.npy
    psfeat --npy f.npy >many.psr
    psfeat --npy f.npy -E f16 >half.psr
    for input in many half; do
        psembed -q -m m.psm <$input.psr >many-z.psr
        cat $input.psr | psembed -m m.psm -q -v -M 64M 2>err | cmp - many-z.psr || fail "-M 64M, $input: other bytes"
        mib=$(sed -n 's/.* at most \([0-9]*\) MiB/\1/p' err)
        [ "$mib" -lt 100 ] || fail "-M 64M, $input: $mib MiB"
    done
    ;;
*) ;;
esac

# neighbourhoods of the first few items only, beyond whose end nothing rests
psview --raw --take 40 n2.psr >short-n.psr
psembed -m m.psm -n short-n.psr -M 1G <x.psr >short-z.psr
psembed -m m.psm -n short-n.psr -M 1M <x.psr | cmp - short-z.psr || fail "neighbourhoods of few: -M 1M gives other bytes"

# scratch that fills (EFBIG, as a full disk would ENOSPC); killed in the middle: no file, and none left behind
(
    trap '' XFSZ
    export LLVM_PROFILE_FILE=/dev/null # clang's counts would not fit
    ulimit -f 16
    expect 1 'cannot write a temporary file' psembed -m m.psm -n n2.psr -M 1M -x x.psr -a -o /dev/null
    expect 1 'cannot write a temporary file' sh -c 'cat n2.psr | psembed -m m.psm -n - -M 1M --tmp . -x x.psr -a -o /dev/null'
)
for delay in .002 .005 .01 .02 .04; do
    psembed -m m.psm -n n2.psr -M 1M -o killed.psr <x.psr &
    sleep $delay
    kill -9 $! 2>/dev/null || :
    wait $! || :
    [ ! -e killed.psr ] || cmp killed.psr z.psr || fail "kill -9 left part of a file"
    rm -f killed.psr .killed.psr.*
    [ -z "$(ls "$TMPDIR")" ] || fail "kill -9 left scratch: $(ls "$TMPDIR")"
done 2>/dev/null

# element types: within what the page says
for type in f16 bf16 i8; do
    psembed -m m.psm -n n2.psr -E $type <x.psr >ze.psr
    psview -c ze.psr
    psview z.psr >z.txt
    psview ze.psr | paste z.txt - | awk -F '\t' -v type=$type '{
        half = NF / 2
        for (i = 2; i <= half; i++) {
            size = $i < 0 ? -$i : $i
            d = $i - $(half + i); d = d < 0 ? -d : d
            most = type == "f16" ? size / 2048 + 1e-7 : type == "bf16" ? size / 256 : 1 / 254 + 1e-7
            if (d > most) { print type ": " $i " became " $(half + i); exit 1 }
            if (d > 0) changed = 1
        }
    } END { if (!changed) { print type ": nothing was rounded"; exit 1 } }' || fail "elements of $type"
    psembed -m m.psm -n n2.psr -E $type --update ze.psr --old-x x.psr --old-n n2.psr <x.psr | cmp - ze.psr || fail "--update of $type"
done
pstrain -g g.psg -x x.psr -n n.psr -t --layers 1 --hidden 24 -d 16 --no-normalize --epochs 1 <pairs.tsv >m.psm
psembed -m m.psm -n n2.psr <x.psr >z.psr
psembed -m m.psm -n n2.psr -E i8 <x.psr >ze.psr
psview --raw -E i8 z.psr | psview >want.txt
psview ze.psr | cmp - want.txt || fail "i8 of unknown range is not what psview -E i8 makes"

# bf16 products, where the processor has them: near, and the same whatever else is embedded
if psembed -m m.psm -n n2.psr --bf16 <x.psr >zb.psr 2>err; then
    psembed -m m.psm -n n2.psr --bf16 -j 3 -M 1M <x.psr | cmp - zb.psr || fail "--bf16: -M 1M gives other bytes"
    psembed -m m.psm -n n2.psr --bf16 -x x.psr <ids.psr 2>err | psview >some.txt
        for i in 7 3 $((n - 1)) 0; do psview --skip $i --take 1 zb.psr; done | cmp - some.txt || fail "--bf16: some items differ"
else
    grep -q -e '--bf16: ' err || fail "--bf16: $(cat err)"
fi
