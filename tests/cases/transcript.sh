# tests/transcripts/citeulike.txt: from the TSV files of a citeulike-a to a page that compares models, in ten commands at most.
# On a small set of the same shape what they print is compared; on a part of the real one, where it is, they must do.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
command -v gnuplot >/dev/null || { echo "gnuplot (Debian: gnuplot-nox) is not there"; exit 77; }
PATH=$PS_BIN:$PS_ROOT/scripts:$PATH
transcript=$PS_ROOT/tests/transcripts/citeulike.txt
[ "$(grep -c '^\$ ' "$transcript")" -le 10 ] || fail "more than ten commands"
replay() { python3 -B "$PS_ROOT/tests/transcripts/replay.py" "$transcript" "$@"; }

# Papers of twelve subjects in people's libraries; titles have words of the subject, pairs are of papers of one subject.
mkdir small && cd small
python3 - <<'EOF'
import gzip, random
r = random.Random(7)
words = [["s%dw%d" % (s, w) for w in range(12)] for s in range(12)]
subject = [r.randrange(12) for _ in range(900)]
of = [[i for i in range(900) if subject[i] == s] for s in range(12)]
put = lambda name, rows: gzip.open(name + ".tsv.gz", "wt").write("".join("\t".join(map(str, row)) + "\n" for row in rows))
put("items", [("p%d" % i, " ".join(r.choice(words[s]) if r.random() < .5 else "w%d" % r.randrange(300) for _ in range(7)))
              for i, s in enumerate(subject)])
edges = []
for u in range(250):
    likes = r.sample(range(12), 2)
    edges += [("p%d" % i, "u%d" % u) for i in sorted({r.choice(of[r.choice(likes)]) for _ in range(12)})]
put("edges", edges)
pairs = [("p%d" % q, "p%d" % p) for q, p in ((i, r.choice(of[subject[i]])) for _ in range(3) for i in range(900)) if q != p]
put("pairs-train", [p for p in pairs if int(p[0][1:]) % 10 > 1])
put("pairs-valid", [p for p in pairs if int(p[0][1:]) % 10 == 0])
put("pairs-test", [p for p in pairs if int(p[0][1:]) % 10 == 1])
EOF
replay >log || fail "$(cat log)"
python3 - <<'EOF'
import re, xml.etree.ElementTree as E
text = open("report.html", encoding="utf-8").read()
E.fromstring(text)
assert ">psgraph</th>" in text and text.count("<details>") == 30 and "s1w" in text
EOF
cd ..

real=$PS_ROOT/../shared/data/citeulike-a
[ -d "$real" ] || { echo "on the small set only: ../shared/data/citeulike-a is not there"; exit 0; }
mkdir real && cd real
gzip -dc "$real/items.tsv.gz" | head -n 1500 >some
between='NR == FNR { item[$1]; next } ($1 in item) && (pairs != 1 || $2 in item)'
gzip -c some >items.tsv.gz
gzip -dc "$real/edges.tsv.gz" | awk -F '\t' "$between" some - | gzip -c >edges.tsv.gz
for part in train valid test; do
    gzip -dc "$real/pairs-$part.tsv.gz" | awk -F '\t' -v pairs=1 "$between" some - | gzip -c >pairs-$part.tsv.gz
done
replay free >log || fail "$(cat log)"
grep -q '</html>' report.html || fail "no page"
