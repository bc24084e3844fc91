# A file of one kind where another is needed: every tool says what it was given and what it needs, in one line.
set -eu
. "$PS_ROOT/tests/fixture.sh"
printf 'a\tX\nb\tX\nb\tY\nc\tY\n' | psgraph-build -t >g.psg
printf 'z\tX\n' | psgraph-build -t >other.psg
printf 'a\tone two\nb\ttwo three\nc\tthree\n' >items.tsv
printf 'a\tb\nb\tc\n' >p.tsv
psfeat -g g.psg -t -d 3 --sketch 2 --save s.psf <items.tsv >x.psr
psfeat -g g.psg -t --sparse <items.tsv >y.psr
pswalk -g g.psg -a -w 20 >v.psr
psneigh -T 2 <v.psr >n.psr
pstrain -q -t -g g.psg -x x.psr -n n.psr --epochs 3 --hidden 2 -d 2 --batch 1 --negatives 2 -c c.psc --every 0 <p.tsv >m.psm
psknn -x x.psr -B ivf >i.psi

says() { # MESSAGE COMMAND < in
    status=0
    sh -c "$2" <in >out 2>err || status=$?
    [ $status = 1 ] && [ "$(cat err)" = "${2%% *}: $1" ] || fail "$2: status $status: $(cat err)"
}
for file in 'x.psr a record stream' 'g.psg a graph' 'm.psm a model' 'i.psi an index' 's.psf a state of psfeat' 'c.psc a checkpoint'; do
    name=${file%% *} this="this is ${file#* }"
    cp "$name" in
    for text in "psgraph-build -t" "psfeat -g g.psg -t" "pswalk -g g.psg -t" "psneigh -g g.psg -t" "pstrain -g g.psg -x x.psr -t" \
        "psembed -m m.psm -n n.psr -x x.psr -g g.psg -t" "psknn -x x.psr -g g.psg -t" "psview -t -K ids -g g.psg"; do
        says "<stdin>: line 1: $this, not text" "$text"
    done
    [ "$name" = g.psg ] || says "$name: byte 0: $this, not a graph" "pswalk -a -g $name"
    [ "$name" = m.psm ] || says "$name: $this, not a model file" "psembed -n n.psr -x x.psr -a -g g.psg -m $name"
    [ "$name" = s.psf ] || says "$name: $this, not what psfeat --save wrote" "psfeat -g g.psg --load $name"
    [ "$name" = c.psc ] || says "$name: $this, not a psgraph checkpoint" "pstrain -g g.psg -x x.psr -n n.psr -t --resume $name <p.tsv"
    [ "$name" = i.psi ] || says "$name: byte 0: $this, not a psgraph index (psknn -B makes one)" "psknn -g g.psg -x x.psr -a --index $name"
    says "$name: byte 0: $this, neither a .npy nor a .npz file" "psfeat -g g.psg --npy $name"
    [ "$name" = x.psr ] && continue
    for records in psgraph-build "psfeat -x -" "pswalk -g g.psg" psneigh "pstrain -g g.psg -x x.psr" "psembed -m m.psm -n n.psr" \
        "psknn -x x.psr" "pseval -g g.psg -t -p p.tsv"; do
        says "<stdin>: byte 0: $this, not a record stream" "$records"
    done
done
cp p.tsv in
says '<stdin>: byte 0: not a psrec stream (text goes with -t, or through psview -t)' "psneigh"
says 'items.tsv: byte 0: not a graph (psgraph-build makes one)' "pswalk -a -g items.tsv"
says 'items.tsv: not a model file' "psembed -n n.psr -x x.psr -a -g g.psg -m items.tsv"
says 'y.psr: holds sparse vectors, but vectors are needed here' "pstrain -t -g g.psg -x y.psr"
says 'x.psr: holds vectors, but sparse vectors are needed here' "pstrain -t -g g.psg -x x.psr -y x.psr"
cp v.psr in
says '<stdin>: holds visits; queries are ids or pairs (sets): psneigh reads visits and walks without -g' "psneigh -g g.psg"
print() { psview -H "$1" | sed -n 's/^fingerprint	//p'; }
says "x.psr: its node numbers are those of graph $(print g.psg), the other inputs' those of graph $(print other.psg); make it anew with that graph" \
    "psknn -x x.psr -g other.psg -a"

# A checkpoint that cannot be is known before the training, and one that is there stays what it is.
mkdir folder
cp p.tsv in
says 'folder: not a regular file: no checkpoint can take its place' "pstrain -t -g g.psg -x x.psr -n n.psr -c folder -o none.psm"
[ ! -e none.psm ] || fail "a model, though its checkpoint could not be"
cp c.psc was.psc
cp g.psg in
says '<stdin>: line 1: this is a graph, not text' "pstrain -t -g g.psg -x x.psr -n n.psr -c c.psc"
cmp c.psc was.psc || fail "a training that did not begin changed the checkpoint"

# Scripts: help that was asked for is no mistake, and no option is taken for a folder.
for script in demo setup-spark; do
    "$PS_ROOT/scripts/$script" --help >out 2>err && grep -q "scripts/$script .*FOLDER" out && [ ! -s err ] || fail "$script --help: $(cat err)"
    expect 2 "usage: scripts/$script" "$PS_ROOT/scripts/$script" --nonsense
done
