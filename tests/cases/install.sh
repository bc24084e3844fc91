# make install and uninstall with DESTDIR and PREFIX: the tools work where they are put, every page is in its
# section, and nothing is left afterwards.
set -eu
. "$PS_ROOT/tests/fixture.sh"
stage=$PWD/stage
# -o all: install what was built for this run; building is not this test's business.
make_it() {
    make -C "$PS_ROOT" --no-print-directory -o all FLAVOUR="$PS_FLAVOUR" OUT="${PS_BIN%/bin}" CUDA=0 DESTDIR="$stage" "$@" >make.log 2>&1 || { cat make.log; exit 1; }
}

# Something of somebody else's, which uninstall must leave alone.
mkdir -p "$stage/opt/bin"
echo other >"$stage/opt/bin/other"

make_it PREFIX=/opt install
for source in "$PS_ROOT"/tools/*.c; do
    tool=$(basename "$source" .c)
    [ "$("$stage/opt/bin/$tool" -V | sed -n 1p)" = "$("$PS_BIN/$tool" -V | sed -n 1p)" ] || fail "$tool does not run where it was installed"
done
for page in "$PS_ROOT"/man/*.[1-9]; do
    [ -f "$page" ] || continue
    name=$(basename "$page")
    cmp "$page" "$stage/opt/share/man/man${name##*.}/$name"
done
[ -z "$(find "$stage" -type f ! -perm -444)" ] || fail "not readable for all: $(find "$stage" -type f ! -perm -444)"

make_it PREFIX=/opt install # a second time, over the first
make_it PREFIX=/opt uninstall
left=$(find "$stage" ! -type d)
[ "$left" = "$stage/opt/bin/other" ] || fail "after uninstall there is: $left"

# The usual place.
make_it install
[ -x "$stage/usr/local/bin/psgraph-build" ] || fail "not in /usr/local by default: $(find "$stage" -type f)"
