# The Debian package: complete, in order by lintian where it is there, and its tools run from where they are put.
# And the completions.
set -eu
. "$PS_ROOT/tests/fixture.sh"
[ "$PS_FLAVOUR" = release ] || { echo "packages are made of the release build"; exit 77; }

# ---- completion, as bash calls it ----

if command -v bash >/dev/null; then
    cat >complete.bash <<'END'
. "$PS_ROOT/scripts/completion.bash"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_psgraph "$1" || exit 1
printf '%s\n' "${COMPREPLY[@]}"
END
    complete() { bash complete.bash "$@" | sort | tr '\n' ' '; }
    got=$(complete "$PS_BIN/psview" --ta)
    [ "$got" = "--take " ] || fail "--ta is completed to '$got'"
    got=$(complete "$PS_BIN/psview" -E b)
    [ "$got" = "bf16 " ] || fail "-E b is completed to '$got'"
    got=$(complete "$PS_BIN/psview" --element '')
    [ "$got" = "bf16 f16 f32 i8 same " ] || fail "--element is completed to '$got'"
    : >some.psr
    got=$(complete "$PS_BIN/psview" so)
    [ "$got" = "some.psr " ] || fail "an operand is completed to '$got'"
    got=$(complete "$PS_BIN/pseval" -p so)
    [ "$got" = "some.psr " ] || fail "a file is completed to '$got'"
    for tool in "$PS_ROOT"/tools/*.c; do
        tool=$(basename "$tool" .c)
        grep -q "^complete.* $tool\( \|\$\)" "$PS_ROOT/scripts/completion.bash" || fail "bash completes nothing for $tool"
        grep -q "^#compdef.* $tool\( \|\$\)" "$PS_ROOT/scripts/completion.zsh" || fail "zsh completes nothing for $tool"
    done
fi

# ---- the package ----

command -v dpkg-shlibdeps >/dev/null || { echo "dpkg-shlibdeps (Debian: dpkg-dev) is not there"; exit 77; }
(cd "$PS_ROOT" && scripts/make-deb "${PS_BIN%/bin}") >out 2>&1 || fail "make-deb: $(cat out)"
deb=$(ls -t "$PS_ROOT"/build/psgraph_*.deb | head -n 1)
cp "$deb" first.deb
(cd "$PS_ROOT" && scripts/make-deb "${PS_BIN%/bin}") >out 2>&1
cmp first.deb "$deb" || fail "the same build gives two different packages"
if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning "$deb" >out 2>&1 || fail "lintian: $(cat out)"
fi
dpkg-deb -x "$deb" root
dpkg-deb -I "$deb" | grep -q '^ Depends: .*zlib1g' || fail "it does not depend on zlib: $(dpkg-deb -I "$deb")"
for source in "$PS_ROOT"/tools/*.c; do
    tool=$(basename "$source" .c)
    "root/usr/bin/$tool" -V >out || fail "$tool does not run"
    [ -f "root/usr/share/man/man1/$tool.1.gz" ] || fail "no manual page of $tool"
done
printf 'a\tx\nb\tx\n' | root/usr/bin/psgraph-build -t >g.psg
root/usr/bin/psview -c g.psg
if command -v python3 >/dev/null; then
    PS_BIN=$PWD/root/usr/bin python3 root/usr/share/doc/psgraph/examples/psplot near g.psg a 1 >near.dot
    grep -q '"i:b"' near.dot || fail "psplot does not run as an example: $(cat near.dot)"
fi
[ "$(gzip -dc root/usr/share/doc/psgraph/changelog.gz | sed -n 1p)" = \
    "psgraph ($(root/usr/bin/psview -V | sed -n '1s/.* //p')) unstable; urgency=medium" ] || fail "another version in the changelog"
# Hardened: position-independent, all symbols bound at start and then read-only.
if command -v readelf >/dev/null; then
    readelf -hW root/usr/bin/psview | grep -q 'Type: *DYN' || fail "not position-independent"
    readelf -dW root/usr/bin/psview | grep -q 'BIND_NOW\|NOW' || fail "symbols bound late"
    readelf -lW root/usr/bin/psview | grep -q GNU_RELRO || fail "no RELRO"
fi
