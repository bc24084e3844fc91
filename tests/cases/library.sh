# The library where it is installed: the example, found by pkg-config, says what the tools say; every kind of stream by psgraph.h.
set -eu
. "$PS_ROOT/tests/fixture.sh"
[ "$PS_FLAVOUR" = release ] || { echo "the library is of the release build"; exit 77; }
stage=$PWD/stage
make -C "$PS_ROOT" --no-print-directory -o all OUT="${PS_BIN%/bin}" CUDA=0 PREFIX="$stage" install >make.log 2>&1 || fail "$(cat make.log)"
PATH=$stage/bin:$PATH
if command -v pkg-config >/dev/null; then
    flags=$(PKG_CONFIG_PATH=$stage/lib/pkgconfig pkg-config --cflags --libs psgraph)
    [ "$(PKG_CONFIG_PATH=$stage/lib/pkgconfig pkg-config --modversion psgraph)" = "$(psview -V | sed -n '1s/.* //p')" ] || fail "version"
else
    flags="-I$stage/include $(sed -n 's/^Libs: //p' "$stage/lib/pkgconfig/psgraph.pc" | sed "s|\${libdir}|$stage/lib|")"
fi
compile() { # source, program, more flags
    ${CC:-cc} -Wall -Wextra -Werror "$1" ${3-} $flags -o "$2" || fail "$1 does not compile"
}
compile "$PS_ROOT/scripts/example.c" example
[ "$(wc -l <"$PS_ROOT/scripts/example.c")" -le 55 ] || fail "not a small example any more"
if command -v g++ >/dev/null; then
    printf '#include <psgraph.h>\nint main() { return psgraph_open("nothing") != nullptr; }\n' >plus.cc
    g++ -Wall -Werror plus.cc $flags -o plus && ./plus || fail "from C++"
fi

small_debian '^python3-'
psgraph-build -t -I items.tsv <edges.tsv >g.psg
psfeat -g g.psg -t -d 32 <items.tsv >x.psr
psfeat -g g.psg -t --sparse <items.tsv >y.psr
psneigh -g g.psg -a -T 10 -w 200 >n.psr
pstrain -g g.psg -x x.psr -y y.psr -n n.psr -t --epochs 1 --hidden 32 -d 16 <pairs.tsv >m.psm
psembed -m m.psm -y y.psr -n n.psr <x.psr >z.psr
for item in python3-numpy python3-django; do
    ./example g.psg m.psm x.psr n.psr y.psr $item >got
    echo $item | pswalk -g g.psg -t | psview -g g.psg | awk -F '\t' -v q=$item '$2 != q { print $2 "\t" $3 }' | head -n 10 >want
    cut -f 1,2 got | cmp - want || fail "visits of $item: $(cat got)"
    # Scores: the products that psknn has of the same embeddings.
    echo $item | psknn -g g.psg -x z.psr -t -k 100000 | psview -g g.psg | awk -F '\t' '{ printf "%s\t%.4f\n", $2, $3 }' | sort >all
    cut -f 1,3 got | sort | comm -23 - all >differ
    [ "$(wc -l <differ)" -le 1 ] || fail "scores of $item: $(cat differ)" # the last digit may round otherwise
done

# A failure is a message.
./example nothing.psg m.psm x.psr n.psr y.psr a 2>err && fail "a graph that is not there"
grep -q '^example: nothing.psg: ' err || fail "$(cat err)"
./example g.psg x.psr x.psr n.psr y.psr a 2>err && fail "vectors for a model"
grep -q '^example: x.psr: ' err || fail "$(cat err)"

# Streams of every kind, written out as psview does.
cat >show.c <<'END_OF_C'
#include <psgraph.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    psgraph_stream *s = psgraph_stream_open(NULL);
    psgraph_record r;
    int rc = -1;
    while (s && (rc = psgraph_stream_next(s, &r)) > 0) {
        const char *kind = psgraph_stream_kind(s);
        int a_line_each = strcmp(kind, "hits") == 0 || strcmp(kind, "neighbours") == 0;
        printf("%llu", (unsigned long long)r.first);
        for (size_t i = 0; i < r.n; i++) {
            if (a_line_each && i)
                printf("\n%llu", (unsigned long long)r.first);
            if (r.item)
                printf("\t%llu", (unsigned long long)r.item[i]);
            if (r.value)
                printf("\t%.9g", r.value[i]);
        }
        printf("\n");
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", psgraph_error());
    psgraph_stream_close(s);
    return rc < 0;
}
END_OF_C
compile show.c show
while read -r kind options; do
    case $kind in
    edges) printf '0\t0\t1\n0\t1\t2.5\n' ;;
    ids) printf '5\n0\n' ;;
    walks) printf '4\t1\t2\n4\t2\n' ;;
    visits) printf '0\t1\t2\n0\t2\t1\n' ;;
    neighbours) printf '0\t1\t0.75\n0\t2\t0.25\n1\n' ;;
    pairs) printf '0\t1\t1\n7\t2\t0.5\n' ;;
    vectors) printf '0\t1\t-2\t0.5\n9\t0\t3\t4\n' ;;
    sparse) printf '0\t3\t0.5\n4\t0\t-2\n' ;;
    hits) printf '0\t1\t0.75\n0\t2\t-0.25\n1\n' ;;
    esac >text
    psview -t -K $kind $options <text >s.psr
    ./show <s.psr | cmp - text || fail "$kind: $(./show <s.psr)"
done <<'KINDS'
edges
ids
walks -d 3
visits
neighbours -d 2
pairs --width 8
vectors
vectors -E f16
vectors -E bf16
sparse -d 8
hits -d 3
KINDS
head -c 70 s.psr | ./show 2>err >/dev/null && fail "a stream that is cut off"
grep -q truncated err || fail "$(cat err)"
