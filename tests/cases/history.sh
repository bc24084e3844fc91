# Where files came from: what psview tells of a state of psfeat, an index, a model and a checkpoint is what a reader of the
# manual pages finds; their older formats are read, newer ones refused by their number.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
export PYTHONDONTWRITEBYTECODE=1
reader="python3 $PS_ROOT/tests/reader/psfiles.py"
lines() { psview -H "$1" | sed -n 's/^history	//p'; }
has() { # FILE LINE...: its history, by psview and by the reader, is of these lines
    file=$1
    shift
    printf '%s\n' "$@" >wanted
    lines "$file" | diff wanted - || fail "the history of $file"
    $reader history "$file" | diff wanted - || fail "the history of $file by the reader"
    psview -c "$file" || fail "-c refuses $file"
}

printf 'a\tx\nb\tx\nb\ty\nc\ty\nd\ty\n' | psgraph-build -t >g.psg
printf 'a\tone two\nb\ttwo three\nc\tthree\nd\tfour one\n' >items.tsv
psfeat -g g.psg -t -d 3 --sketch 2 --save s.psf <items.tsv >x.psr
psfeat -g g.psg -t --load s.psf --save again.psf <items.tsv >loaded.psr
psfeat -g g.psg -t -d 3 --sketch 2 -s 2 <items.tsv >other.psr
printf 'a\tb\nb\tc\n' | pstrain -q -t -g g.psg -x x.psr --layers 0 --epochs 3 --hidden 2 -d 2 --batch 1 --negatives 2 -c c.psc --every 0 -o m.psm
v=$(psview -V | sed -n '1s/.* //p')
features="psfeat $v text=3 sketch=2 by=names degree=1 seed=1"
trained="pstrain $v seed=1 graph=$(psview -H g.psg | sed -n 's/^fingerprint	//p') pairs=2"
has s.psf "$(lines g.psg)" "$features"
has again.psf "$(lines g.psg)" "$features" "$features loaded"
lines loaded.psr | diff wanted - || fail "vectors do not tell of the state they were made by"
has m.psm "$features" "$trained"
has c.psc "$features" "$trained"
for type in ivf lsh; do
    psknn -x x.psr -B $type -s 5 -o $type.psi
    was="trained=$(psview -H $type.psi | sed -n 's/^vectors	//p')"
    has $type.psi "$features" "psknn $v index=$type seed=5 $was"
    psknn -x x.psr -B $type --cosine -o cosine.psi
    lines cosine.psi | grep -qx "psknn $v index=$type cosine seed=1 trained=.*" || fail "$type: $(lines cosine.psi)"
    psknn -x other.psr -B $type --update $type.psi -o new.psi
    has new.psi "$(printf %s "$features" | sed 's/seed=1/seed=2/')" "psknn $v index=$type seed=5 $was"
done

# Tokens have come from somewhere, too: the model and the checkpoint tell.
psfeat -g g.psg -t --sparse --board-terms --save y.psf <items.tsv >y.psr
printf 'a\tb\nb\tc\n' | pstrain -q -t -g g.psg -x x.psr -y y.psr --layers 0 --epochs 1 --hidden 2 -d 2 --batch 1 --negatives 2 -c yc.psc --every 0 -o ym.psm
sparse="psfeat $v tf-idf boards"
has ym.psm "$features" "$sparse" "$trained"
has yc.psc "$features" "$sparse" "$trained"
# Features and texts of another kind, with as many dimensions, do not go unseen.
psfeat -g g.psg -t --sparse <items.tsv >words.psr
psembed -m ym.psm -y y.psr <x.psr 2>err >/dev/null && [ ! -s err ] || fail "the same inputs: $(cat err)"
psembed -m ym.psm -y y.psr <loaded.psr 2>err >/dev/null && [ ! -s err ] || fail "features by a state: $(cat err)"
psembed -m ym.psm -y words.psr <x.psr 2>err >/dev/null
grep -qx "psembed: words.psr was made by 'psfeat $v tf-idf', and nothing .*" err || fail "words without boards: $(cat err)"
psembed -m ym.psm -y y.psr <other.psr 2>err >/dev/null
grep -q "<stdin> was made by 'psfeat $v text=3 .* seed=2'" err || fail "features of another seed: $(cat err)"
# Whether boards are terms, of a state; the sketch of boards without names follows from numbers.
for of in s.psf:no y.psf:yes; do
    file=${of%:*} is=${of#*:}
    psview -H $file | grep -qx "board terms	$is" || fail "board terms of $file: $(psview -H $file)"
    psview -H --json $file | grep -q "\"board.terms\": *\"$is\"" || fail "board terms of $file as JSON: $(psview -H --json $file)"
    [ "$($reader boards $file)" = $is ] || fail "board terms of $file by the reader"
done
printf '0\t0\n1\t0\n1\t1\n' | psview -t -K edges | psgraph-build >numbers.psg
psfeat -g numbers.psg -d 0 --sketch 2 >numbers.psr
lines numbers.psr | grep -q ' sketch=2 degree=1 ' || fail "no names, and yet: $(lines numbers.psr)"

# A byte of the history changed is damage.
for file in s.psf c.psc ivf.psi; do
    at=$(grep -a -b -o 'text=3' $file | head -n 1 | cut -d : -f 1)
    cp $file bad
    printf X | dd of=bad bs=1 seek="$at" conv=notrunc status=none
    psview -c bad 2>err && fail "a changed history of $file passes"
    grep -q '^psview: bad: .*CRC' err || fail "a changed history of $file: $(cat err)"
done

# Older formats: the same but for the history; newer ones are refused.
older() { # FILE VERSION
    $reader version "$2" "$1" old
    psview -c old || fail "$1 as version $2 is refused"
    psview -H old | grep -v '^bytes' >shown
    psview -H "$1" | grep -v -e '^history' -e '^bytes' | sed "s/^version	.*/version	$2/" | diff - shown || fail "$1 as version $2"
}
older s.psf 2
psfeat -g g.psg -t --load old <items.tsv | psview - >shown
psview loaded.psr | diff - shown || fail "an older state gives other features"
older c.psc 1
for file in s.psf:1 s.psf:9 c.psc:9 m.psm:9 ivf.psi:9 ivf.psi:4 lsh.psi:1 lsh.psi:5; do
    $reader version "${file#*:}" "${file%:*}" other
    psview -c other 2>err && fail "version ${file#*:} of ${file%:*} is read"
    case $file in
    m.psm:*) grep -q 'version 9, this program reads 1$' err || fail "$file: $(cat err)" ;;
    esac
    [ "$(wc -l <err)" = 1 ] && grep -q -e "version ${file#*:}" -e 'older form' err || fail "$file: $(cat err)"
done

# A history longer than any is refused.
for file in s.psf c.psc m.psm; do
    $reader lines $((1 << 24)) $file long
    psview -c long || fail "16 MiB of history of $file are refused"
    $reader lines $(((1 << 24) + 1)) $file long
    psview -c long 2>err && fail "a history of more than 16 MiB of $file is read"
    [ "$(cat err)" = 'psview: long: its texts are longer than the file' ] || fail "$file: $(cat err)"
done
