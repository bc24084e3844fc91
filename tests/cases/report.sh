# scripts/psreport: a page that is well-formed, needs nothing else, and says what the tools say; in Chromium where it is there.
set -eu
. "$PS_ROOT/tests/need-python"
. "$PS_ROOT/tests/fixture.sh"
command -v gnuplot >/dev/null || { echo "gnuplot (Debian: gnuplot-nox) is not there"; exit 77; }
report() { python3 -B "$PS_ROOT/scripts/psreport" "$@"; }

awk 'BEGIN { srand(5); for (i = 0; i < 150; i++) printf "n&%d\ttext <%d> of \"it\"\n", i, i > "items.tsv";
             for (i = 0; i < 500; i++) print "n&" int(rand() * rand() * 150) "\tb" int(rand() * 40) }' >edges.tsv
awk 'BEGIN { srand(8); for (i = 0; i < 160; i++) print "n&" int(rand() * 60) "\tn&" int(rand() * 150) }' | awk '$1 != $2' >pairs.tsv
echo 'unknown	n&1' >>pairs.tsv
psgraph-build -t -I items.tsv <edges.tsv >g.psg
python3 -B "$PS_ROOT/tests/knn_check.py" vectors x.psr 150 6 2 free
python3 -B "$PS_ROOT/tests/knn_check.py" vectors y.psr 150 6 3 bias
cut -f 1 pairs.tsv | sort -u | grep -v unknown | pswalk -g g.psg -t -k 50 -w 500 >h.psr
report -g g.psg -p pairs.tsv --items items.tsv -n 12 -k 10 --title 'A & B' 'one<x>=x.psr' y=y.psr walk=h.psr -o page.html
report -g g.psg -p pairs.tsv --items items.tsv -n 12 -k 10 --title 'A & B' 'one<x>=x.psr' y=y.psr walk=h.psr | cmp - page.html ||
    fail "the same command gives another page"
for f in x y; do psknn -g g.psg -x $f.psr -a -k 10 | psview -g g.psg >$f.hits; done
psview -g g.psg h.psr >walk.hits
pseval -q -u -g g.psg -t -p pairs.tsv -K 1,2,5,10,20,50,100,200,500 --breakdown --distribution 100000 -J x.psr y.psr h.psr >r.json
python3 - <<'EOF'
import json, re
import xml.etree.ElementTree as E
text = open("page.html", encoding="utf-8").read()
assert text.startswith("<!DOCTYPE html>\n<html lang=\"en\"")
root = E.fromstring(text)
X = "{http://www.w3.org/1999/xhtml}"
plain = lambda e: re.sub(r"\s+", " ", "".join(e.itertext())).strip()

# Nothing from elsewhere, no script; ids once each, and every reference has one.
assert not re.search(r"<script|<link|<img|@import|url\((?!#)", text)
assert set(re.findall(r"https?://[^\"'\s<]+", text)) <= {"http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
ids = re.findall(r"\bid=[\"']([^\"']*)", text)
assert len(ids) == len(set(ids)), [i for i in ids if ids.count(i) > 1]
for ref in re.findall(r"href=[\"']#([^\"']*)", text) + re.findall(r"aria-labelledby=\"([^\"]*)", text):
    assert ref in ids, ref
levels = [int(e.tag[-1]) for e in root.iter() if re.fullmatch(re.escape(X) + "h[1-6]", e.tag)]
assert levels[0] == 1 and levels.count(1) == 1 and plain(next(root.iter(X + "h1"))) == "A & B"
assert any(m.get("name") == "viewport" for m in root.iter(X + "meta"))

# The figures are pseval's.
r = json.load(open("r.json"))
tables = list(root.iter(X + "table"))
head = [plain(c) for c in next(tables[0].iter(X + "tr"))]
assert head == ["", "one<x>", "y", "walk"], head
def row(table, name):
    return [plain(c) for tr in table.iter(X + "tr") for c in tr if plain(tr[0]) == name][1:]
for table, part in ((tables[0], lambda f: f), (tables[1], lambda f: f["cold"])):
    for name, measure, k in (("hit-rate@10", "hit-rate", "10"), ("scaled MRR", "scaled-mrr", None), ("NDCG@100", "ndcg", "100"), ("recall@500", "recall", "500")):
        for f, cell in zip(r["files"], row(table, name)):
            f = part(f)
            v, i = f[measure], f["intervals"][measure]
            v, i = (v[k], i[k]) if k else (v, i)
            assert cell == "%.4f%.4f to %.4f" % (v, i["low"], i["high"]), (name, cell)
c = r["comparisons"][1]
cells = row(tables[2], "walk against one<x>")
assert cells[:4] == [str(c["wins"]), str(c["ties"]), str(c["losses"]), "%.4f" % c["share"]], cells
assert ("p %.4f" % c["difference"]["scaled-mrr"]["p"]) in cells[4]
kurtosis = row(tables[5], "excess kurtosis")
assert kurtosis == ["%.4f" % f["distribution"]["kurtosis"] for f in r["files"][:2]], kurtosis
assert len(list(root.iter("{http://www.w3.org/2000/svg}svg"))) == 4

# The lists are the tools', the marks are the pairs.
texts = dict(line.rstrip("\n").split("\t") for line in open("items.tsv"))
held = {}
for line in open("pairs.tsv"):
    q, p = line.rstrip("\n").split("\t")
    if p not in held.setdefault(q, []):
        held[q].append(p)
hits = {}
for name, path in (("one<x>", "x.hits"), ("y", "y.hits"), ("walk", "walk.hits")):
    for line in open(path):
        f = line.rstrip("\n").split("\t")
        if len(f) > 1 and f[0] != f[1]:
            hits.setdefault((name, f[0]), []).append(f[1])
marked = 0
details = list(root.iter(X + "details"))
assert len(details) == 12
for d in details:
    query = plain(d[0][0]).split(" ")[0]
    lists = {plain(div[0]): div[1] for div in d[1]}
    for name in head[1:]:
        want = hits.get((name, query), [])[:10]
        entries = list(lists[name]) if lists[name].tag == X + "ol" else []
        assert [plain(e).split(" ")[0] for e in entries] == want, (query, name)
        for e, item in zip(entries, want):
            assert texts[item] in plain(e)
            assert (e[0].tag == X + "mark") == (item in held[query]), (query, name, item)
            marked += item in held[query]
        assert "%s %d" % (name, sum(i in held[query] for i in want)) in plain(d[0])
    assert [plain(e).split(" ")[0] for e in lists["held out"]] == held[query]
assert marked > 3
EOF

report -g g.psg -p pairs.tsv -n 2 h.psr >one.html
grep -q 'There is one file only' one.html && grep -q '>h</th>' one.html || fail "of one file of hits"

refused() { # status, text, arguments
    want=$1 text=$2 status=0
    shift 2
    report "$@" >out 2>err </dev/null || status=$?
    [ $status = "$want" ] || fail "$*: status $status: $(cat err)"
    [ "$(wc -l <err)" = 1 ] && grep -q -e "$text" err || fail "$*: expected '$text': $(cat err)"
    [ ! -s out ] || fail "$*: wrote something"
}
refused 2 '-g GRAPH and -p PAIRS' a=x.psr
refused 2 'NAME=FILE' -g g.psg -p pairs.tsv
refused 2 'a name of its own' -g g.psg -p pairs.tsv a=x.psr a=y.psr
refused 2 "-k: '0'" -g g.psg -p pairs.tsv -k 0 a=x.psr
refused 2 'option -Y' -g g.psg -p pairs.tsv -Y
refused 1 'nothing.tsv: No such file' -g g.psg -p nothing.tsv a=x.psr
refused 1 'psview: nothing.psr: cannot open' -g g.psg -p pairs.tsv a=nothing.psr
echo one >bad.tsv
refused 1 'bad.tsv: line 1: expected query' -g g.psg -p bad.tsv a=x.psr
mkdir killed
printf '#!/bin/sh\nkill -KILL $PPID\n' >killed/gnuplot
chmod +x killed/gnuplot
(PATH=$PWD/killed:$PATH && refused 1 'psplot died of signal 9' -g g.psg -p pairs.tsv a=x.psr)

# In a browser, as narrow as it goes: nothing sticks out to the right, the first query can be opened, and there is a picture.
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || :)
[ -n "$browser" ] || exit 0
sed 's|</body>|<script>document.querySelector("details").open = true; document.title = "width " + document.documentElement.scrollWidth + " of " + innerWidth</script></body>|' page.html >probe.html
browse() {
    HOME=$PWD timeout 60 "$browser" --headless=new --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" --window-size=500,900 "$@" 2>/dev/null
}
browse --dump-dom "file://$PWD/probe.html" >dom || { echo "the browser does not run here: the page was not looked at" && exit 0; }
grep -o '<title>width [0-9]* of [0-9]*' dom | awk '{ exit !($2 <= $4 && $4 > 0) }' || fail "sticks out: $(grep -o '<title>.*</title>' dom)"
browse --screenshot="$PWD/shot.png" "file://$PWD/page.html" >/dev/null
[ "$(wc -c <shot.png)" -gt 5000 ] || fail "an empty picture"
