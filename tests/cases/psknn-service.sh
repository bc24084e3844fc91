# psknn -l behind a socket: the manual page's command with socat, and what it says of systemd, by systemd-socket-activate.
set -eu
. "$PS_ROOT/tests/fixture.sh"

awk 'BEGIN { srand(3); for (i = 0; i < 300; i++) { print "n" i > "items"; print "n" i "\tb" i % 7
    line = i; for (j = 0; j < 8; j++) line = line "\t" rand() - 0.5; print line > "text" } }' >edges.tsv
psgraph-build -t -I items <edges.tsv >g.psg
psview -t -K vectors text >z.psr
psknn -B ivf -x z.psr -o z.psi
sed -n '/^socat -/,/^\.Ed/p' "$PS_ROOT/man/psknn.1" | sed '/^\.Ed/d; s/\\e$/\\/; s|/run/psknn|./here|' >service.sh
grep -q psknn service.sh || fail "the manual page has no such example"
command=$(sed -n "s/.*EXEC:'\(.*\)'.*/\1/p" service.sh)
grep -q "^\.Ql StandardInput=socket" "$PS_ROOT/man/psknn.1" || fail "the manual page does not tell of systemd"
printf 'n1\nn2\tn3\nn250\t\tn7\n' >one
seq 0 299 | sed 's/^/n/' >many
for f in one many; do
    $command <$f >$f.psr
done

server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || :' EXIT

talk() { # what is on standard input, through a new connection
    timeout 60 "$client" -t 50 - UNIX-CONNECT:./here
}

# Several connections, one after the other and at once; one that is given up; one that waits for each answer.
converse() { # WHAT
    for i in $(seq 400); do
        [ -S here ] && break
        sleep 0.05
    done
    [ -S here ] || fail "$1: no socket: $(cat err)"
    talk <one | cmp - one.psr || fail "$1: an answer"
    mkfifo ask
    talk <ask >slow &
    slow=$!
    exec 3>ask
    head -n 1 one >&3
    size=$((4 + 20 * 8)) head=0
    for i in $(seq 600); do
        have=$(wc -c <slow)
        [ "$head" -gt 0 ] || [ "$have" -lt 64 ] || head=$(od -A n -t u4 -j 44 -N 4 slow | tr -d ' ')
        [ "$head" -gt 0 ] && [ "$have" -ge $((head + size)) ] && break
        sleep 0.05
    done
    [ "$have" -eq $((head + size)) ] || fail "$1: $have bytes for one question"
    talk <many | cmp - many.psr || fail "$1: a second connection beside it"
    yes n5 | timeout 60 "$client" -u - UNIX-CONNECT:./here 2>/dev/null &
    gone=$!
    sleep 0.3
    kill $gone
    sed -n '2,$p' one >&3
    exec 3>&-
    wait $slow || fail "$1: the slow connection"
    cmp slow one.psr || fail "$1: what the slow connection got"
    talk <one | cmp - one.psr || fail "$1: an answer after a connection that was given up"
    kill "$server"
    wait "$server" 2>/dev/null || :
    server=
    rm -f here ask
}

client=$(command -v socat) || { echo "skipped: no socat"; exit 77; }
sed 's/^socat/exec socat/' service.sh >run.sh
# One that takes its time to begin, as with many vectors: who has asked and has no more to say still gets the answers.
mkdir late
printf '#!/bin/sh\nsleep 1\nexec %s "$@"\n' "$(command -v psknn)" >late/psknn
chmod +x late/psknn
PATH=$PWD/late:$PATH sh run.sh 2>err &
server=$!
converse "socat"
if command -v systemd-socket-activate >/dev/null; then
    systemd-socket-activate --accept --inetd -l "$PWD/here" $command 2>err &
    server=$!
    converse "systemd"
fi
