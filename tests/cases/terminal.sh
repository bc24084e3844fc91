# A name from a stranger's file cannot drive the terminal: neither through what is shown nor through a message.
set -eu
. "$PS_ROOT/tests/need-python"
esc=$(printf '\033')
printf 'a\tb\n%s]0;owned\tb\n' "$esc" >edges.tsv
"$PS_BIN/psgraph-build" -t <edges.tsv >g.psg

# To a file or a pipe the bytes are the user's own.
"$PS_BIN/psview" --edges g.psg >edges.txt
cmp edges.tsv edges.txt

status=0
printf '%s[31munknown\n' "$esc" | "$PS_BIN/psview" -t -K ids -g g.psg >/dev/null 2>err || status=$?
[ $status -eq 1 ] && grep -q 'x1b\[31munknown' err && ! grep -q "$esc" err || {
    echo "a message obeys a name: status $status, $(od -c err)"
    exit 1
}

printf 'a\n' | "$PS_BIN/psview" -t -K ids -g g.psg >ids.psr
python3 - "$PS_BIN/psview" ids.psr <<'END'
import os, pty, sys
seen = b""
def read(fd):
    global seen
    data = os.read(fd, 4096)
    seen += data
    return data
try:
    status = pty.spawn([sys.argv[1], "--edges", "g.psg"], read)
except OSError as e:
    print("no terminal can be had here: %s" % e)
    sys.exit(77)
assert status == 0, status
assert seen == b"a\tb\r\n\\x1b]0;owned\tb\r\n", seen

# Nobody types records, and nobody reads gzip.
def refused(why, *command):
    global seen
    seen = b""
    status = pty.spawn(command, read)
    assert status == 1 << 8 and why in seen and seen.count(b"\n") == 1, (command, status, seen)
refused(b"<stdin>: a terminal, but a file or a pipe is needed here", sys.argv[1])
refused(b"<stdout>: will not write binary data to a terminal", sys.argv[1], "-z", "--edges", "g.psg")
refused(b"<stdout>: will not write binary data to a terminal", sys.argv[1], "--raw", sys.argv[2])
END
