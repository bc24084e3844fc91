#!/bin/sh
# psspark: psembed's filters, psneigh and sorting carried by Spark give the bytes of one machine; filters that fail, stop early, die,
# lose a record; parts and blocks that vanish; truncated input.  psspark-cluster.sh has the rest.
set -eu
. "$PS_ROOT/tests/fixture.sh"
. "$PS_ROOT/tests/need-spark"

small_inputs
pstrain -g g.psg -x x.psr -n n.psr -t --layers 2 --hidden 24 -d 16 --epochs 1 <pairs.tsv >m.psm

# ---- one machine ----
psembed --invert <n.psr | psview --raw -S >needs.psr
psembed -m m.psm --project 1 <x.psr | psembed -m m.psm --scatter needs.psr | psembed -m m.psm --gather 1 -x x.psr >h1.psr
psembed -m m.psm --project 2 <h1.psr | psembed -m m.psm --scatter needs.psr |
    psembed -m m.psm --gather 2 -x h1.psr --features x.psr | psview --raw >z.psr

# ---- the parts without Spark ----
"$python" "$PS_ROOT/tests/psparts_check.py" "$PS_ROOT/scripts" x.psr || fail "psparts.py"

psview --raw n.psr >n-raw.psr
cut -f 1,2 edges.tsv | awk '{print NR % 97 "\t" NR % 31 "\t" 1 + NR % 7}' | psview -t -K edges >edges.psr
psview --raw -S edges.psr | psview --raw >sorted.psr
mkdir data planted
ln g.psg m.psm x.psr z.psr edges.psr sorted.psr data
ln n-raw.psr data/n.psr
(cd planted && "$python" "$PS_ROOT/tests/psspark_check.py" "$PS_ROOT/scripts" "$PS_BIN" ../data) || fail "what is planted"

# ---- with it ----
spark() { # COMMAND OUTPUT OPTION...: OUTPUT is empty after a failure, and nothing lies beside it
    command=$1 output=$2
    shift 2
    rm -rf "$output"
    status=0
    "$python" "$PS_ROOT/scripts/psspark" "$command" --parts 3 --tmp "$TMPDIR" -M 16M "$@" "$output" 2>err || status=$?
    [ $status = 0 ] || [ ! -e "$output" ] || fail "$*: failed, but there is an output"
    [ -z "$(ls -A | grep "^\.$output")" ] || fail "$*: $(ls -A) is left"
}
same() { # FOLDER FILE
    [ $status = 0 ] || fail "status $status: $(cat err)"
    psview -c "$1/manifest"
    psview --raw "$1/manifest" | cmp - "$2" || fail "$1: not the bytes of one machine"
    [ "$(ls "$1" | wc -l)" -gt 2 ] || fail "$1: no parts"
}
refused() { # PATTERN
    [ $status = 1 ] && [ "$(wc -l <err)" = 1 ] && grep -q "^psspark: .*$1" err || fail "status $status, not 1 with $1: $(cat err)"
}
# A filter that does as psembed does, but for the step $1, where it does what the rest says.
mkdir bin
ln -s "$PS_BIN/psview" "$PS_BIN/psneigh" bin
filter() {
    step=$1
    shift
    rm -f bin/psembed
    {
        echo '#!/bin/sh'
        echo "case \" \$* \" in *' --$step '*) ;; *) exec '$PS_BIN/psembed' \"\$@\" ;; esac"
        echo "psembed='$PS_BIN/psembed' here='$PWD'"
        cat
    } >bin/psembed
    chmod +x bin/psembed
}

spark neigh near --master 'local[2]' -g g.psg -T 8
same near n-raw.psr
spark sort sorted --master 'local[2]' edges.psr
same sorted sorted.psr
psview --raw sorted/manifest | psgraph-build >spark.psg
psgraph-build <edges.psr | cmp - spark.psg || fail "the sorted edges make another graph"

set -- -m m.psm -x x.psr -n near/manifest
# A filter fails once, by a signal
filter project <<'END'
mkdir "$here/once" 2>/dev/null && kill -9 $$
exec "$psembed" "$@"
END
spark embed once.out --master 'local[2,4]' --bin "$PWD/bin" "$@"
[ -d once ] || fail "the filter did not fail"
same once.out z.psr

# It always fails; it stops early, saying nothing
filter gather <<'END'
echo "psembed: the reason" >&2
exit 1
END
spark embed always.out --master 'local[2,2]' --bin "$PWD/bin" "$@"
refused 'layer 1, part [0-2]: psembed --gather 1: status 1: psembed: the reason'
filter scatter <<'END'
"$psembed" "$@" | head -c 5000
exit 0
END
spark embed early.out --master 'local[2,2]' --bin "$PWD/bin" "$@"
refused 'psembed --scatter: its output'

# Input that is not whole, seen before or behind the start
head -c 20000 x.psr >short.psr
spark embed short.out -m m.psm -x short.psr -n near/manifest
refused 'short.psr: truncated'
truncate -s -1 near/part-00001.psr
spark embed short.out "$@"
refused 'part-00001.psr: '
