# psgraph-build with little memory, killed, on a full disk, without a temporary folder; large nodes.
set -eu
. "$PS_ROOT/tests/fixture.sh"
build() { "$PS_BIN/psgraph-build" "$@"; }
mkdir tmp
TMPDIR=$PWD/tmp
export TMPDIR

# 1.5 million edges, an item with half of them; numbers in no order.
awk 'BEGIN { for (i = 0; i < 1500000; i++) { x = (x * 1103515245 + 12345) % 2147483648
    print (i % 2 ? 7 : int(x / 8) % 60000) "\t" int(x / 64) % 9000 } }' >edges.tsv
build -t -i <edges.tsv >whole.psg
"$PS_BIN/psview" -c whole.psg
for j in 1 3; do
    build -t -i -j $j -M 16M <edges.tsv >small.psg
    cmp small.psg whole.psg
    build -t -i -j $j -M 16M <edges.tsv | cmp - whole.psg
done
build -t -i -v -j 1 -M 20M -o small.psg <edges.tsv 2>err # one direction in runs
grep -q '^psgraph-build: temporary files: .* runs, each edge written 1.00 times and read 1.00 times$' err ||
    fail "passes: $(cat err)"

# The same as records: in blocks that are read ahead, in runs, and through a pipe that gives little at a time.
sed 's/$/\t1/' edges.tsv | "$PS_BIN/psview" -t -K edges >edges.psr
for j in 1 3; do
    build -j $j <edges.psr | cmp - whole.psg
    build -j $j -M 16M <edges.psr | cmp - whole.psg
    dd if=edges.psr bs=5000 2>/dev/null | build -j $j | cmp - whole.psg
done
# Weights from the millionth edge on; what is cut off is noticed behind all blocks.
sed '1000000,$s/$/\t2/' edges.tsv | build -t -i >weights.psg
sed '1,999999s/$/\t1/; 1000000,$s/$/\t2/' edges.tsv | "$PS_BIN/psview" -t -K edges >weights.psr
for j in 1 3; do
    build -j $j <weights.psr | cmp - weights.psg
    dd if=weights.psr bs=5000 2>/dev/null | build -j $j | cmp - weights.psg
    status=0
    head -c 12000000 edges.psr | build -j $j -o out.psg 2>err || status=$?
    [ $status -eq 1 ] && grep -q 'truncated' err && [ ! -e out.psg ] || fail "cut off: status $status: $(cat err)"
done
rm edges.psr weights.psr weights.psg

build -t -j 1 -M 16M --sum <edges.tsv >sum16.psg
build -t -j 2 --sum <edges.tsv | cmp - sum16.psg
"$PS_BIN/psview" -c sum16.psg
# Names that do not fit either: half a million of them.
awk 'BEGIN { for (i = 0; i < 700000; i++) { x = (x * 1103515245 + 12345) % 2147483648
    print "item-" int(x / 8) % 900000 "\tb" int(x / 64) % 90000 } }' >names.tsv
build -t <names.tsv >names.psg
build -t -v -M 16M <names.tsv 2>err | cmp - names.psg
"$PS_BIN/psview" -c names.psg
build -t -M 16M -g names.psg <names.tsv >twice.psg
cat names.tsv names.tsv | build -t >both.psg
[ "$("$PS_BIN/psview" --edges twice.psg | cksum)" = "$("$PS_BIN/psview" --edges both.psg | cksum)" ] ||
    fail "grown in little memory"
[ -z "$(ls tmp)" ] || fail "left in the temporary folder: $(ls -l tmp)"

# ---- a node with 10 million edges, more than fit ----
seq 0 999999 | sed 's/^/7\t/' >million.tsv
for i in 1 2 3 4 5 6 7 8 9 10; do cat million.tsv; done | build -t -i -M 64M -o hub.psg
"$PS_BIN/psview" -c hub.psg
"$PS_BIN/psview" hub.psg | grep -q '^item with most edges, 1	7 (10000000)$' || fail "a node with 10 million edges: $("$PS_BIN/psview" hub.psg)"
rm hub.psg million.tsv

# ---- another order needs memory for each node: -M bounds that, too ----
status=0
echo '9000000	1' | build -t -i --order degree -M 64M -o out.psg 2>err || status=$?
[ $status -eq 1 ] && [ ! -e out.psg ] || fail "--order in little memory: status $status"
grep -q '^psgraph-build: --order of 9000001 items and 2 boards takes 308 MiB of memory: more than half of what -M allows$' err ||
    fail "--order in little memory: $(cat err)"

# ---- killed at any moment: nothing under the output's name, nothing in the temporary folder; a rerun succeeds ----
for delay in 0.01 0.03 0.06 0.1 0.15 0.2 0.3 0.4; do
    build -t -i -M 16M -o killed.psg <edges.tsv 2>/dev/null &
    pid=$!
    sleep $delay
    kill -9 $pid 2>/dev/null || :
    wait $pid 2>/dev/null || :
    if [ -e killed.psg ]; then # it was faster
        cmp killed.psg whole.psg
        rm killed.psg
    fi
    [ -z "$(ls tmp)" ] || fail "kill -9 leaves files in the temporary folder: $(ls tmp)"
done
# As soon as the output is begun.
for i in 1 2 3; do
    rm -f .killed.psg.*
    build -t -i -M 16M -o killed.psg <edges.tsv 2>/dev/null &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ ! -e killed.psg ] && [ "$(echo .killed.psg.*)" = '.killed.psg.*' ]; do :; done
    kill -9 $pid 2>/dev/null || :
    wait $pid 2>/dev/null || :
    if [ -e killed.psg ]; then
        cmp killed.psg whole.psg
        rm killed.psg
    fi
done
# Into a shell's redirection, what is there is no graph until it is complete.
build -t -i -M 16M <edges.tsv >cut.psg 2>/dev/null &
pid=$!
sleep 0.2
kill -9 $pid 2>/dev/null || :
wait $pid 2>/dev/null || :
cmp -s cut.psg whole.psg || { "$PS_BIN/psview" -c cut.psg 2>/dev/null && fail "half a graph is taken for a graph"; } || :
build -t -i -M 16M -o killed.psg <edges.tsv
cmp killed.psg whole.psg
rm -f .killed.psg.*

# ---- no temporary folder ----
status=0
build -t -i -M 16M --tmp no/such/folder -o out.psg <edges.tsv 2>err || status=$?
[ $status -eq 1 ] || fail "--tmp: status $status"
[ "$(cat err)" = "psgraph-build: no/such/folder: cannot make a temporary file: No such file or directory" ] ||
    fail "--tmp: $(cat err)"
[ ! -e out.psg ] || fail "--tmp: a file is left"
head -n 1000 edges.tsv | build -t -i --tmp no/such/folder >few.psg # needs none
"$PS_BIN/psview" -c few.psg

# ---- a full disk: a limit on the size of files (clang's counts would not fit) stands for it, and a small file system where we may mount one ----
status=0
(trap '' XFSZ; ulimit -f 6000; export LLVM_PROFILE_FILE=/dev/null; build -t -i -M 16M -o out.psg <edges.tsv 2>err) || status=$?
[ $status -eq 1 ] || fail "a file too large: status $status"
grep -q 'cannot write' err || fail "a file too large: $(cat err)"
[ ! -e out.psg ] || fail "a file too large: an output is left"
mkdir disk
if mount -t tmpfs -o size=4m none disk 2>/dev/null; then
    status=0
    build -t -i -M 16M --tmp disk -o out.psg <edges.tsv 2>err || status=$?
    left=$(ls -A disk)
    build -t -i -o disk/out.psg <edges.tsv 2>err2 && status=0
    left=$left$(ls -A disk)
    umount disk
    [ $status -eq 1 ] || fail "a full disk: status $status"
    [ "$(cat err)" = "psgraph-build: disk: cannot write a temporary file: No space left on device" ] ||
        fail "a full disk: $(cat err)"
    grep -q 'disk/out.psg: cannot write: No space left on device' err2 || fail "a full disk: $(cat err2)"
    [ -z "$left" ] || fail "a full disk: left $left"
fi
