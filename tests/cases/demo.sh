#!/bin/sh
# The demo on the embedded data, and the quality that the README promises: floors, and better than every
# baseline.  Takes about a minute on two cores.
set -eu
case ${PS_FLAVOUR-release} in
release) ;;
*) echo "a sanitizer build would train for too long"; exit 77 ;;
esac
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
PS_BIN=$PS_BIN "$PS_ROOT/scripts/demo" --no-setup "$PWD/demo" >out 2>err || { cat out err >&2; exit 1; }
for name in nginx gimp postgresql python3-numpy; do
    grep -q "^$name:" out || { echo "no recommendations for $name" >&2; cat out >&2; exit 1; }
done
[ "$(awk -F, '/^    / {n += NF - ($NF == "")} END {print n}' demo/recommendations.txt)" = 40 ] ||
    { echo "not ten recommendations for each of four packages" >&2; cat out >&2; exit 1; }
exec python3 - <<'E2'
import json, sys

def figures(name):
    f = json.load(open("demo/debian/runs/%s.1.json" % name))
    pick = lambda f: {"HR@10": f["hit-rate"]["10"], "HR@100": f["hit-rate"]["100"], "HR@500": f["hit-rate"]["500"],
                      "scaled MRR": f["scaled-mrr"]}
    return {"all": pick(f), "cold": pick(f["cold"])}

ours, bad = figures("recipe"), []
for part, figure, floor in [("all", "scaled MRR", .75), ("all", "HR@10", .45), ("all", "HR@100", .68), ("cold", "scaled MRR", .76)]:
    if not ours[part][figure] >= floor:
        bad.append("%s, %s: %.3f, promised %.2f" % (part, figure, ours[part][figure], floor))
for name in "walk", "content", "knn":
    other = figures(name)
    for part in "all", "cold":
        for figure in "HR@100", "HR@500", "scaled MRR":
            if not ours[part][figure] > other[part][figure]:
                bad.append("%s, %s: %.3f does not beat %s's %.3f" % (part, figure, ours[part][figure], name, other[part][figure]))
print("\n".join(bad))
sys.exit(bool(bad))
E2
