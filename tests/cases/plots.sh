# scripts/psplot: each kind of picture in each form, with what it must show; components against known ones.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
command -v gnuplot >/dev/null || { echo "gnuplot (Debian: gnuplot-nox) is not there"; exit 77; }
plot() { python3 -B "$PS_ROOT/scripts/psplot" "$@"; }

awk 'BEGIN { srand(5); for (i = 0; i < 120; i++) print "n" i > "items";
             for (i = 0; i < 400; i++) print "n" int(rand() * rand() * 120) "\tb" int(rand() * 30) }' >edges.tsv
awk 'BEGIN { srand(8); for (i = 0; i < 100; i++) print "n" int(rand() * 60) "\tn" int(rand() * 120) }' | awk '$1 != $2' >pairs.tsv
psgraph-build -t -I items <edges.tsv >g.psg
python3 -B "$PS_ROOT/tests/knn_check.py" vectors one.psr 120 6 2 free
python3 -B "$PS_ROOT/tests/knn_check.py" vectors two.psr 120 6 3 bias
judge() { pseval -q -J -g g.psg -t -p pairs.tsv "$@"; }
judge -K 1,5,20,100 --distribution 3000 one.psr two.psr >r.json
judge -K 5,20 -x one.psr >5.json
judge -K 5,20 -x two.psr >50.json

is_svg() { python3 -c 'import sys, xml.etree.ElementTree as E; assert E.parse(sys.argv[1]).getroot().tag.endswith("}svg")' "$1"; }
png() { [ "$(head -c 4 "$1" | tail -c 3)" = PNG ] && [ "$(wc -c <"$1")" -gt 3000 ]; }
plot curve recall r.json >curve.svg
is_svg curve.svg && grep -q '>recall@K<' curve.svg && grep -q '>two<' curve.svg || fail "curve"
plot -o cosine.svg cosine r.json
is_svg cosine.svg || fail "cosine"
kurtosis=$(python3 -c 'import json; print("%.2f" % json.load(open("r.json"))["files"][0]["distribution"]["kurtosis"])')
grep -q "one (mean .*, excess kurtosis $kurtosis)" cosine.svg || fail "no kurtosis"
plot -o sweep.svg sweep T 5=5.json 50=50.json
is_svg sweep.svg && grep -q '>hit-rate@20<' sweep.svg && grep -q '>scaled MRR<' sweep.svg && grep -q '>T<' sweep.svg || fail "sweep"
plot -o map.svg map two.psr g.psg
is_svg map.svg && grep -q '>n[0-9]*<' map.svg && grep -q 'of the variance' map.svg || fail "map"
plot -o curve.png curve hit-rate r.json && plot -o map.png map one.psr && png curve.png && png map.png || fail "PNG"
plot curve hit-rate 5.json >one.svg && is_svg one.svg || fail "a report of one file"

# Power iteration finds the directions that the points were made of, and their shares.
python3 -B - "$PS_ROOT/scripts/psplot" <<'EOF'
import importlib.machinery, importlib.util, math, random, sys
loader = importlib.machinery.SourceFileLoader("psplot", sys.argv[1])
psplot = importlib.util.module_from_spec(importlib.util.spec_from_loader("psplot", loader))
loader.exec_module(psplot)
r = random.Random(4)
a, b = [.6, .8, 0, 0], [-.8, .6, 0, 0]
coefficients = [(r.gauss(0, 5), r.gauss(0, 2)) for _ in range(800)]
rows = [[7 + x * p + y * q + r.gauss(0, .3) for p, q in zip(a, b)] for x, y in coefficients]
places, share = psplot.components(rows)
means = [sum(c[i] for c in coefficients) / len(coefficients) for i in (0, 1)]
for i in (0, 1):
    sign = 1 if sum(p[i] * (c[i] - means[i]) for p, c in zip(places, coefficients)) > 0 else -1
    off = math.sqrt(sum((sign * p[i] - (c[i] - means[i])) ** 2 for p, c in zip(places, coefficients)) / len(rows))
    assert off < .45, (i, off)
assert abs(share[0] - 25 / 29.36) < .02 and abs(share[1] - 4 / 29.36) < .02, share
EOF

# The neighbourhood: what psneigh says, by boards that hold the item.
plot near g.psg n3 6 >near.dot
printf 'n3\n' | psneigh -g g.psg -t -T 6 | psview -g g.psg | cut -f 2 | sort >want
sed -n 's/^  "i:n3" -- "i:\([^"]*\)".*/\1/p' near.dot | sort | cmp - want || fail "neighbours: $(cat near.dot)"
sed -n 's/^  "b:\([^"]*\)" -- "i:\([^"]*\)".*/\2	\1/p' near.dot | sort -u >got
sort -u edges.tsv | comm -23 got - | grep . && fail "boards that these items are not on"
[ -s got ] || fail "no boards"
if command -v dot >/dev/null; then
    plot -o near.svg near g.psg n3 6
    is_svg near.svg && grep -q '>n3<' near.svg || fail "near.svg"
fi

refused() { # status, text, arguments
    want=$1 text=$2 status=0
    shift 2
    plot "$@" >out 2>err </dev/null || status=$?
    [ $status = "$want" ] || fail "$*: status $status: $(cat err)"
    [ "$(wc -l <err)" = 1 ] && grep -q -e "$text" err || fail "$*: expected '$text': $(cat err)"
}
refused 2 'which picture?' pie r.json
refused 2 'another number of arguments' curve recall
refused 1 "has no 'recal' at several K" curve recal r.json
refused 1 'has no distribution' cosine 5.json
refused 1 'not a report of pseval -J' cosine items
refused 1 "'x=5.json' is not X=REPORT.json" sweep T x=5.json 5=5.json
refused 1 'ends with .svg, .png or .pdf' -o x.gif cosine r.json
refused 1 "psneigh: .*'nobody'" near g.psg nobody
refused 1 'psview: nothing.psr' map nothing.psr
python=${PS_PYTHON:-python3}
if "$python" -c 'import sklearn.manifold' 2>/dev/null; then
    "$python" "$PS_ROOT/scripts/psplot" -o tsne.svg tsne two.psr g.psg
    is_svg tsne.svg && grep -q '>n[0-9]*<' tsne.svg || fail "tsne"
else
    refused 1 'needs scikit-learn' tsne two.psr g.psg
fi

# A picture comes complete or not at all, also through a name that somebody else has taken.
echo old >victim
ln -s victim curve.svg.part
ln -s victim taken.svg
plot -o curve.svg curve recall r.json && plot -o taken.svg curve recall r.json && plot -o near.dot near g.psg n3 6
[ "$(cat victim)" = old ] && is_svg taken.svg && [ ! -L taken.svg ] || fail "a link was followed"
ln -s /proc/self/fd/1 stdout.dot # as /dev/stdout
(echo before && plot -o stdout.dot near g.psg n3 6 && echo after) >both
[ -L stdout.dot ] && (echo before && cat near.dot && echo after) | cmp - both || fail "standard output by its name"
# Ended as the last bytes go to the disk
status=0
python3 -B -c 'import os, signal, sys
sys.path.insert(0, sys.argv[1])
import psout
os.fsync = lambda fd: os.kill(os.getpid(), signal.SIGTERM)
psout.write("near.dot", b"new")' "$PS_ROOT/scripts" || status=$?
[ $status = 143 ] && [ -z "$(ls -d .near.dot.* 2>/dev/null)" ] && grep -q graph near.dot || fail "ended: status $status: $(ls -A)"
for kind in "curve recall r.json" "near g.psg n3 6"; do
    status=0
    # shellcheck disable=SC2086
    plot $kind >/dev/full 2>err || status=$?
    [ $status = 1 ] && [ "$(cat err)" = 'psplot: <stdout>: No space left on device' ] || fail "a full disk: status $status: $(cat err)"
done
if mount -t tmpfs -o size=4k none "$(mkdir -p small && echo small)" 2>/dev/null; then
    echo old >small/a.svg
    refused 1 'psplot: small/a.svg: No space left' -o small/a.svg curve recall r.json
    [ "$(cat small/a.svg)" = old ] && [ "$(ls -A small)" = a.svg ] || fail "a small disk: $(ls -A small)"
    umount small
fi
