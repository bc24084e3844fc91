# make experiment and make table1 on a handful of packages: the tables hold what the tools say, an interrupted one goes
# on where it stopped, a row is made again when and only when something that it depends on has changed, and means are
# over the seeds that were run.
set -eu
. "$PS_ROOT/tests/fixture.sh"
cp -r "$PS_ROOT/tests/data/packages" data
unset MAKEFLAGS MFLAGS
# What make says is in out, what the steps say in err.  No Python: the row of iALS is another matter (below).
make_it() {
    make -s -j 2 -f "$PS_ROOT/scripts/experiment.mk" BIN="$PS_BIN" DATA=data RESULTS=results THREADS=1 PS_PYTHON="${python-/nowhere/python3}" \
        PAPER="--paper $small" RECIPE="$small ${more-}" RECIPE_FEATURES='-d 16 --sketch 16' SWEEP_TOP='20 3' SWEEP_BATCH='1024 2' "$@" >out 2>err
}
small='--hidden 8 -d 8 --epochs 2 --negatives 4 --batch 2'
run=results/data/runs
made() { # how many runs were made by the last make_it
    sed -n 's/, seed [0-9]*: .*//p' err | sort -u | wc -l
}

# ---- one seed, then the whole ----
make_it OUTPUT=table1 SEEDS=1 tables || { cat out err; exit 1; }
grep -q 'iALS is left out' out || fail "nothing is said about iALS, which cannot be: $(cat out)"
tsv=results/data/table1.tsv md=results/data/table1.md
column() { # NAME: of the column
    head -n 1 $tsv | tr '\t' '\n' | grep -nx -- "$1" | cut -d : -f 1
}
cell() { # ROW NAME: from the first table that has it
    awk -F '\t' -v row="$1" -v i="$(column "$2")" '$2 == row { print $i; exit }' $tsv
}
for row in popularity content content-256 walk knn mlp max-pool mean-pool mean-pool-xent mean-pool-hard pinsage recipe no-sketch no-bypass \
    no-bias no-tokens no-convolution fresh-walks random-only no-logq tau-.05 patience pinsage-T3 pinsage-B2 recipe-T3 recipe-B2; do
    [ "$(cell $row seeds)" = 1 ] || fail "$row: not in $tsv, or not of seed 1: $(cell $row seeds)"
    [ -n "$(cell $row MRR)" ] || fail "$row: no MRR"
    [ -z "$(awk -F '\t' -v row=$row -v i="$(column MRR)" '$2 == row { print $(i + 1); exit }' $tsv)" ] || fail "$row: a spread of one seed"
done
[ "$(cell ials seeds)" = '' ] || fail "a row of iALS"
! grep -q '±.*| *1 |' $md || fail "a spread of one seed: $(grep '±.*| *1 |' $md)"

# The figures are the tools', by the commands of the manual pages.
psgraph-build -t -I data/items.tsv -o g.psg <data/edges.tsv
judge="pseval -g g.psg -t -J -p data/pairs-test.tsv"
expect() { # ROW, the report in report: MRR and the cold scaled MRR
    for name in MRR 'cold sMRR'; do
        key=mrr from='{"pairs"'
        [ "$name" = MRR ] || key=scaled-mrr from='"cold"'
        want=$(sed "s/.*$from//; s/.*[^-]\"$key\": \([0-9.e-]*\).*/\1/; q" report)
        [ "$name" != MRR ] || want=$(sed 's/"cold".*//; s/.*[^-]"mrr": \([0-9.e-]*\).*/\1/' report)
        awk -v a="$(cell "$1" "$name")" -v b="$want" 'BEGIN { exit !(a != "" && a - b < 1e-5 && b - a < 1e-5) }' ||
            fail "$1: $name is $(cell "$1" "$name") in the table, $want by the tools"
    done
}
psfeat -g g.psg -t --sparse -o y.psr <data/items.tsv
$judge -x y.psr >report && expect content
$judge --boards >report && expect knn
cut -f 1 data/pairs-test.tsv | sort -u | pswalk -g g.psg -t -w 20000 -k 5000 -o h.psr
$judge <h.psr >report && expect walk
psfeat -g g.psg -t -d 256 --sketch 0 -o x.psr <data/items.tsv
psneigh -g g.psg -a -T 20 -o n.psr
train() { # what the row trains with beside the small shape
    pstrain --paper $small "$@" -g g.psg -x x.psr -n n.psr -t -p data/pairs-valid.tsv -o m.psm <data/pairs-train.tsv
    psembed -m m.psm -n n.psr -o z.psr <x.psr
    $judge -x z.psr >report
}
train && expect pinsage
train --pooling max --hard 0 && expect max-pool
train --pooling mean --hard 0 --loss xent && expect mean-pool-xent
# Two pairs: the positives are bee and ant.
awk -F '\t' '{ print $1 "\t0\t" ($1 == "ant" || $1 == "bee") }' data/items.tsv | psview -g g.psg -t -K vectors --bias -o p.psr
$judge -x p.psr >report && expect popularity

# ---- nothing has changed: nothing is made ----
make_it OUTPUT=table1 SEEDS=1 tables
[ "$(made)" = 0 ] || fail "made again, with nothing changed: $(cat err)"
rm -r results/data/work
make_it OUTPUT=table1 SEEDS=1 tables
[ ! -s err ] || fail "made again, with only what runs read gone: $(cat err)"

# ---- a lost run and a second seed: these are made, and the mean is of both ----
rm $run/pinsage.1.tsv
make_it OUTPUT=table1 SEEDS=1 tables
[ "$(made)" = 1 ] && grep -q '^pinsage, seed 1: pstrain' err || fail "not only the lost run was made: $(cat err)"
first=$(cell pinsage MRR)
make_it OUTPUT=table1 SEEDS='1 2' "$run/pinsage.2.tsv"
make_it OUTPUT=table1 SEEDS='1 2' so-far || { cat out err; exit 1; }
[ "$(cell pinsage seeds)" = 1,2 ] && [ "$(cell mean-pool seeds)" = 1 ] ||
    fail "seeds, so far: $(cell pinsage seeds) of pinsage, $(cell mean-pool seeds) of mean-pool, not 1,2 and 1"
second=$(awk -F '\t' 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "MRR") at = i } NR == 2 { print $at }' $run/pinsage.2.tsv)
awk -v a="$first" -v b="$second" -v mean="$(cell pinsage MRR)" 'BEGIN { d = mean - (a + b) / 2; exit !(d < 1e-5 && d > -1e-5) }' ||
    fail "the mean of $first and $second is not $(cell pinsage MRR)"
sd=$(awk -F '\t' -v i="$(column MRR)" '$2 == "pinsage" { print $(i + 1); exit }' $tsv)
awk -v a="$first" -v b="$second" -v sd="$sd" 'BEGIN { d = sd * sd - (a - b) ^ 2 / 2; exit !(d < 1e-5 && d > -1e-5) }' ||
    fail "the standard deviation of $first and $second is not $sd"

# ---- other options: only rows that use them, and those that are out of date are in no table ----
more=--no-bias
make_it OUTPUT=table1 SEEDS=1 so-far
[ "$(cell recipe seeds)" = '' ] || fail "a row of options that are no longer asked for is in the table"
[ "$(cell pinsage seeds)" = 1 ] || fail "a row that the options do not concern is gone"
make_it SEEDS=1 tables
[ "$(made)" = 1 ] && grep -q '^recipe, seed 1: pstrain' err || fail "other options of the recipe: $(cat err)"
make_it SEEDS=1 TOP=4 tables
[ "$(sed -n 's/, seed .*: pstrain.*//p' err | sort | xargs)" = 'pinsage recipe' ] || fail "other neighbourhoods: $(cat err)"

# ---- other data: all rows ----
sleep 1
echo 'gnu	tag:horned' >>data/edges.tsv
make_it SEEDS=1 TOP=4 tables
[ "$(made)" = 8 ] || fail "other data: $(cat err)"

# ---- a row that fails leaves none, and says why; bad folders ----
rm $run/recipe.1.tsv
more='--no-bias --epochs none'
! make_it SEEDS=1 TOP=4 tables || fail "an option that pstrain refuses is no failure"
grep -q '^pstrain: .*--epochs' err || fail "the reason is not shown: $(cat err)"
[ ! -e $run/recipe.1.tsv ] || fail "a row of a training that failed"
[ -z "$(find results -name '*.??????' -type d)" ] || fail "left behind: $(find results -name '*.??????' -type d)"
more=
! make_it DATA=none tables && grep -q 'none/edges.tsv: is not there' err || fail "a folder that is not there: $(cat err)"

# ---- items without texts ----
cp -r data mute
cut -f 1 data/items.tsv | sed 's/$/	/' >mute/items.tsv
make_it DATA=mute SEEDS=1 tables || { cat out err; exit 1; }
[ "$(wc -l <results/mute/experiment.tsv)" = 9 ] || fail "items without texts: not all rows: $(cat err)"

# ---- plots, where there is gnuplot; else a word and success ----
make_it SEEDS=1 all || { cat out err; exit 1; }
if command -v gnuplot >/dev/null; then
    for name in hit-rate cosine training; do
        grep -q '</svg>' results/data/experiment-$name.svg || fail "no picture experiment-$name.svg"
    done
    grep -q 'recipe' results/data/experiment-hit-rate.svg || fail "the picture of hit-rates does not name the recipe"
else
    grep -q 'gnuplot is missing' err || fail "not a word about gnuplot: $(cat err)"
fi

# ---- iALS, where the library is installed ----
python=${PS_PYTHON:-python3}
"$python" -c 'import implicit' 2>/dev/null || exit 0
make_it SEEDS=1 tables
tsv=results/data/experiment.tsv
awk -v v="$(cell ials sMRR)" 'BEGIN { exit !(v > 0) }' || fail "no figure of iALS: $(cat out err)"
