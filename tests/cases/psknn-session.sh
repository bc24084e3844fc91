# psknn -l: a session of 100 thousand sets of items (PS_SESSION: how many) holds no more memory at its end than at a tenth of
# it, exactly and by either index, with hits merged and groups.
set -eu
. "$PS_ROOT/tests/need-python"
PATH=$PS_BIN:$PATH
[ -r /proc/self/statm ] || { echo "skipped: no /proc"; exit 0; }
awk 'BEGIN { for (i = 0; i < 200; i++) { print "n" i > "items"; print "n" i "\tb" i % 7 } }' >edges.tsv
psgraph-build -t -I items <edges.tsv >g.psg
python3 "$PS_ROOT/tests/knn_check.py" vectors x.psr 200 12 4 free
awk 'BEGIN { for (i = 0; i < 190; i++) print "n" i "\tg" i % 11 }' >groups
psknn -B ivf -x x.psr -o ivf.psi
psknn -B lsh -x x.psr -o lsh.psi
cat >session.py <<'END'
import os, subprocess, sys, threading

total, options = int(sys.argv[1]), sys.argv[2:]
p = subprocess.Popen(["psknn", "-g", "g.psg", "-x", "x.psr", "-t", "--sets", "-l", "-q", "-j", "1", "-k", "3"] + options,
                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
held = threading.Event()


def ask():
    for i in range(total):
        p.stdin.write(b"n%d\tn%d\n" % (i % 200, i * 7 % 200))
        if i == total - 1:
            p.stdin.flush()
            held.wait(60)  # until its memory has been looked at
    p.stdin.close()


def pages():
    with open("/proc/%d/statm" % p.pid) as f:
        return int(f.read().split()[1])


threading.Thread(target=ask, daemon=True).start()
size, got, early = 4 + 3 * 8, 0, 0
while got < total * size:
    got += len(os.read(p.stdout.fileno(), 1 << 16))
    if not early and got > total * size / 10:
        early = pages()
late = pages()
held.set()
p.stdout.read()
if p.wait() != 0 or late > early + 32:
    sys.exit("%s: %d pages after a tenth of the session, %d at its end" % (options, early, late))
END
# ASan would hold what was freed; what it has of its own settles later.
export ASAN_OPTIONS="${ASAN_OPTIONS-}:quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
n=${PS_SESSION:-100000}
sets=$((n / 10))
[ "$PS_FLAVOUR" != asan ] || sets=$((4 * sets))
python3 session.py "$n"
for type in ivf lsh; do
    python3 session.py $sets --index $type.psi --merge --groups groups --per-group 1
done
