#!/bin/sh
# All of the embedded Debian data through two layers by Spark, on one machine and as a cluster, gives the bytes of the plain filters,
# also when executors are killed, twice in map and twice in reduce; the example of pscluster(7), with a filter so slow that its task is
# run again elsewhere (speculation).
set -eu
. "$PS_ROOT/tests/fixture.sh"
. "$PS_ROOT/tests/need-spark"

data=$PS_ROOT/tests/data/debian
gzip -dc "$data/items.tsv.gz" >items.tsv
gzip -dc "$data/edges.tsv.gz" | psgraph-build -t -I items.tsv >g.psg
psfeat -g g.psg -t -d 32 --sketch 16 <items.tsv >x.psr
psneigh -g g.psg -a -T 10 -w 200 | psview --raw >n.psr
gzip -dc "$data/pairs-train.tsv.gz" | head -n 2048 | psview -t -g g.psg -K pairs >p.psr
pstrain -g g.psg -x x.psr -n n.psr --layers 2 --hidden 32 -d 16 --epochs 1 p.psr >m.psm

# ---- one machine ----
one_machine() { # MODEL: z.psr
    layers=$(psview -H "$1" | awk -F '\t' '$1 == "layers" {print $2}')
    psembed --invert <n.psr | psview --raw -S >needs.psr
    below=x.psr
    for k in $(seq "$layers"); do
        psembed -m "$1" --project "$k" <$below | psembed -m "$1" --scatter needs.psr |
            psembed -m "$1" --gather "$k" -x $below $([ "$k" = 1 ] || echo --features x.psr) >"h$k.psr"
        below=h$k.psr
    done
    psview --raw "$below" >z.psr
}
one_machine m.psm
same() { # FOLDER
    psview -c "$1/manifest"
    psview --raw "$1/manifest" | cmp - z.psr || fail "$1: not the bytes of one machine"
}

# ---- Spark on one machine; what it shuffles is no more than pscluster(7) counts ----
embed() {
    "$python" "$PS_ROOT/scripts/psspark" embed --tmp "$TMPDIR" -M 64M -m m.psm -x x.psr -n n.psr "$@"
}
for cores in 2 4; do
    embed --master "local[$cores]" --parts 4 -v "cores$cores" 2>err || fail "local[$cores]: $(cat err)"
    same "cores$cores"
    # (4 + 8 (2 + 32)) bytes for each of min(10, 4) sums
    awk '/bytes an item, / { n++; if ($4 + 0 <= 0 || $4 + 0 > 4 * 276) wrong = 1 } END { exit !(n == 2 && !wrong) }' err ||
        fail "bytes shuffled: $(cat err)"
done

# ---- executors killed by their process id ----
mkdir bin
ln -s "$PS_BIN/psview" bin
cat >bin/psembed <<END
#!/bin/sh
case " \$* " in
*' --scatter '*) moments='$PWD/map1 $PWD/map2' ;;
*' --gather '*) moments='$PWD/reduce1 $PWD/reduce2' ;;
esac
for moment in \${moments-}; do
    # Whose executor is killed ends with its sleep, and takes no other moment.
    mkdir "\$moment" 2>/dev/null && { echo \$\$ >"\$moment/pid"; sleep 600; exit 1; }
done
exec '$PS_BIN/psembed' "\$@"
END
chmod +x bin/psembed
embed --parts 3 --master 'local-cluster[2,1,1024]' --bin "$PWD/bin" killed 2>err &
driver=$!
for moment in map1 map2 reduce1 reduce2; do
    tries=0
    until [ -s $moment/pid ] || ! kill -0 $driver || [ $tries = 3000 ]; do
        sleep .1
        tries=$((tries + 1))
    done
    # The one whose filter sleeps: up from the filter to the executor.
    filter=$(cat $moment/pid 2>/dev/null || :) pid=$filter
    while [ -n "$pid" ] && ! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -q CoarseGrainedExecutorBackend; do
        pid=$(awk '{print $4}' "/proc/$pid/stat")
        [ "$pid" -gt 1 ] || pid=
    done
    [ -n "$pid" ] || fail "$moment: no executor: $(cat err)"
    kill -9 "$pid"
    pkill -P "$filter" sleep || :
done
status=0
wait $driver || status=$?
[ $status = 0 ] || fail "executors killed: status $status: $(cat err)"
same killed

# ---- pscluster(7)'s example, with two machines in place of eight and small sizes: both are this one, by two addresses ----
command -v mpirun >/dev/null || { echo "mpirun is not there: pscluster(7)'s example was left out" && exit 0; }
net=127.$(($$ % 250 + 1)).$(($$ / 250 % 250 + 1))
sed -n '/^\.Sh A CLUSTER OF EIGHT/,/^\.Ed/p' "$PS_ROOT/man/pscluster.7" | sed '1,/^\.Bd/d; /^\.Ed/d; s/\\e$/\\/' >printed
sed -e 's/m1 m2 m3 m4 m5 m6 m7 m8/m1 m2/; s/-n 8/-n 2/' -e "s/\\bm\\([12]\\)\\b/$net.\\1/g" -e "s:/shared:$PWD/shared:g; s:/local:$PWD/local:g" \
    -e 's/-c 32 -m 200g/-c 1 -m 1g/; s/memory=16g/memory=512m/; s/-M [0-9]*G/-M 64M/; s/-j [0-9]*/-j 1/; s/cpus=16/cpus=1/' \
    -e 's/--parts [0-9]*/--parts 3/; s/--batch 8192/--batch 64/' printed >example
[ "$(grep -c psspark example)" -ge 5 ] || fail "no example found in pscluster(7)"
mkdir -p shared/psgraph/build/spark/bin local stand-in
ln -s "$PS_ROOT/scripts" shared/psgraph/scripts
printf '#!/bin/sh\nexec "%s" "$@"\n' "$python" >shared/psgraph/build/spark/bin/python
# Numbers in place of names, as records
mkdir small
(cd small && small_debian)
numbers='NR == FNR { at[$1] = NR - 1; next }'
awk -F '\t' "$numbers"' !($2 in board) { board[$2] = n++ } { print at[$1] "\t" board[$2] }' small/items.tsv small/edges.tsv |
    psview -t -K edges >shared/edges.psr
psgraph-build <shared/edges.psr >small.psg
awk -F '\t' '{ print NR - 1 "\t" $2 }' small/items.tsv | psfeat -g small.psg -t -u -q -d 32 --sketch 16 >shared/x.psr
awk -F '\t' "$numbers"' { print at[$1] "\t" at[$2] }' small/items.tsv small/pairs.tsv | psview -t -u -q -g small.psg -K pairs >shared/pairs.psr
cat >stand-in/ssh <<'END'
#!/bin/sh
address=$1
shift
export SPARK_LOCAL_IP=$address
case "$*" in *spark-class*) echo $$ >>"$PIDS" ;; esac
exec setsid sh -c "$*"
END
cat >stand-in/mpirun <<'END'
#!/bin/sh
# Both machines are this one
for word; do
    shift
    case ${left-} in host) left= && continue ;; esac
    case $word in --host) left=host ;; *) set -- "$@" "$word" ;; esac
done
PATH=${PATH#*:} exec mpirun --oversubscribe "$@"
END
cat >stand-in/psembed <<END
#!/bin/sh
case " \$* " in
*' --gather '*) mkdir '$PWD/slow' 2>/dev/null && echo \$\$ >'$PWD/slow/pid' && sleep 600 && touch '$PWD/slow/over' ;;
esac
exec '$PS_BIN/psembed' "\$@"
END
chmod +x stand-in/* shared/psgraph/build/spark/bin/python
export PIDS=$PWD/pids OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
: >pids
stop_all() {
    for pid in $(cat "$PIDS"); do
        kill -s KILL -- "-$pid" 2>/dev/null || :
    done
    : >"$PIDS"
    [ ! -s slow/pid ] || pkill -P "$(cat slow/pid)" sleep || :
}
trap stop_all EXIT
status=0
PATH=$PWD/stand-in:$PATH bash -eu example >out 2>&1 || status=$?
[ $status = 0 ] || fail "pscluster(7)'s example: status $status: $(grep -v ' INFO ' out | tail -n 20)"
[ -s slow/pid ] && [ ! -e slow/over ] || fail "no task was slow, or it was waited for"
cmp small.psg local/g.psg || fail "pscluster(7)'s example: another graph"
psneigh -g small.psg -a -T 20 | psview --raw >n.psr
cmp n.psr shared/near.psr || fail "pscluster(7)'s example: other neighbourhoods"
ln -f shared/x.psr x.psr
pstrain --shares 2 --batch 64 --rate-batch 1024 -g small.psg -x x.psr -n n.psr shared/pairs.sorted | cmp - shared/m.psm ||
    fail "pscluster(7)'s example: another model"
one_machine shared/m.psm
same shared/z
cluster=$(cat "$PIDS")
stop_all
sleep 1
for pid in $cluster; do
    ! pgrep -g "$pid" -f spark.deploy >left || fail "Spark's cluster is still there: $(cat left)"
done
