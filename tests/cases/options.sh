# For every tool: what -h lists, what the manual page lists and what the parser takes are the same options;
# what they do with -h, -V and misuse.
set -eu
failed=0
complain() {
    echo "$tool: $1"
    failed=1
}

# Runs the tool with nothing to read: what it printed in out and err, also in $message, its status in $status.
run() {
    status=0
    "$PS_BIN/$tool" "$@" </dev/null >out 2>err || status=$?
    message=$(cat err)
}

# Options as lines "letter long-name takes-an-argument", "-" for no letter.
help_options() {
    sed -n 's/^  -\(.\), --\([a-z0-9-]*\) \(.\{0,1\}\).*/\1 \2 \3/p; s/^ \{6\}--\([a-z0-9-]*\) \(.\{0,1\}\).*/- \1 \2/p' "$1" |
        while read -r letter name arg; do
            case $arg in
            [A-Z]*) echo "$letter $name 1" ;;
            *) echo "$letter $name 0" ;;
            esac
        done | sort
}

man_options() {
    awk '/^\.Sh/ { inside = $2 == "OPTIONS" }
        inside && /^\.It Fl/ {
            letter = name = "-"; arg = 0
            for (i = 2; i <= NF; i++) {
                if ($i == "Ar") arg = 1
                if ($i == "Fl" && $(i + 1) ~ /^-/) name = substr($(i + 1), 2)
                else if ($i == "Fl") letter = $(i + 1)
            }
            print letter, name, arg
        }' "$1" | sort
}

# Misuse: status 2, nothing on stdout, one line on stderr that begins with the tool's name and holds $1.
expect_misuse() {
    named=$1
    shift
    run "$@"
    [ $status -eq 2 ] || complain "$*: status $status, not 2"
    [ ! -s out ] || complain "$*: something on standard output"
    case $message in
    *"
"*) complain "$*: not one line on standard error: $message" ;;
    "$tool: "*"$named"*) ;;
    *) complain "$*: the message does not begin with the tool's name or does not name $named: $message" ;;
    esac
}

check_asked_for() {
    for option in -h --help -V --version; do
        run $option
        [ $status -eq 0 ] || complain "$option: status $status"
        [ ! -s err ] || complain "$option: something on standard error: $message"
        [ -s out ] || complain "$option: nothing on standard output"
        if [ -w /dev/full ] && "$PS_BIN/$tool" $option >/dev/full 2>/dev/null; then
            complain "$option: a full disk is taken for success"
        fi
    done
    grep -q "^$tool (psgraph) [0-9]" out || complain "-V: no version: $(cat out)"
}

# A value that the option takes: its default, the first of a choice, else 1.
good_value() {
    awk -v name="--$1" '$1 == name || $2 == name {
        if (match($0, /[a-z0-9-]+\|[a-z0-9|-]*[^ ]* \[/)) { split(substr($0, RSTART), part, "|"); print part[1]; exit }
        if (match($0, /\[[^][ ]+\]$/)) { print substr($0, RSTART + 1, RLENGTH - 2); exit }
        print 1; exit }' help
}

# An option is known to the parser if the complaint is about the unknown one that follows.
expect_taken() {
    run "$@" --no-such-option
    case $status$message in
    2*--no-such-option*) ;;
    *) complain "$*: not taken: $message" ;;
    esac
}

check_argument() { # spelled
    expect_misuse "$1" "$1"
    run "$1" 'no number' --no-such-option
    case $message in
    *--no-such-option*) ;; # text: any will do
    *'whole number'*)
        for bad in 'no number' 1x '' 99999999999999999999999 -99999999999999999999999; do
            expect_misuse "$1" "$1" "$bad"
        done
        ;;
    *'no size'*)
        for bad in 'no number' 1x '' 1e999 -1M; do
            expect_misuse "$1" "$1" "$bad"
        done
        ;;
    *number*)
        for bad in 'no number' 1x '' 1e999 nan; do
            expect_misuse "$1" "$1" "$bad"
        done
        ;;
    *) expect_misuse "$1" "$1" 'no number' ;; # one of a choice
    esac
}

check_parser() {
    while read -r letter name arg; do
        [ "$name" != help ] && [ "$name" != version ] || continue
        [ "$letter" = - ] || spelled="-$letter"
        if [ "$arg" = 1 ]; then
            value=$(good_value "$name")
            expect_taken "--$name" "$value"
            expect_taken "--$name=$value"
            [ "$letter" = - ] || expect_taken "-$letter" "$value"
            [ "$letter" = - ] || check_argument "-$letter"
            check_argument "--$name"
        else
            expect_taken "--$name"
            [ "$letter" = - ] || expect_taken "-$letter"
            expect_misuse "--$name" "--$name=1"
        fi
    done <options
    for letter in W Y 0 '~'; do
        grep -q "^$letter " options || expect_misuse "-$letter" "-$letter"
    done
    expect_misuse --no-such-option --no-such-option
    case $(head -n 1 help) in
    *'[options]') expect_misuse surplus surplus ;;
    esac
}

cat >common <<'END'
V version 0
h help 0
j threads 1
o output 1
q quiet 0
s seed 1
v verbose 0
z gzip 0
END

: >every
for source in "$PS_ROOT"/tools/*.c; do
    tool=$(basename "$source" .c)
    [ -x "$PS_BIN/$tool" ] || { complain "not built"; continue; }
    check_asked_for
    "$PS_BIN/$tool" -h >help
    [ "$("$PS_BIN/$tool" --help)" = "$(cat help)" ] || complain "-h and --help differ"
    help_options help >options
    [ -z "$(comm -23 common options)" ] || complain "lacks of the options that every tool has: $(comm -23 common options)"
    check_parser
    sed "s/^/$tool /" options >>every
    page=$PS_ROOT/man/$tool.1
    if [ -f "$page" ]; then
        man_options "$page" >described
        diff -U 0 options described >differ || complain "-h (-) and the manual page (+) disagree:
$(grep '^[-+][^-+]\|^[-+]- ' differ)"
    else
        complain "no manual page $tool.1"
    fi
done

# The same letter means the same everywhere.
tool=options
for letter in g x n m p k d T w r a t u; do
    [ "$(awk -v letter=$letter '$2 == letter { print $3, $4 }' every | sort -u | wc -l)" -le 1 ] ||
        complain "-$letter is not the same everywhere:
$(awk -v letter=$letter '$2 == letter' every)"
done
exit $failed
