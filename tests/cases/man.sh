# The manual pages: one for each tool, format and the tour; mandoc finds nothing to say; references are there.
set -eu
if ! command -v mandoc >/dev/null; then
    echo "mandoc is not there"
    exit 77
fi
lint=$PWD/lint failed=0
cd "$PS_ROOT/man"
complain() {
    echo "$1"
    failed=1
}

for tool in ../tools/*.c; do
    page=$(basename "$tool" .c).1
    [ -f "$page" ] || complain "man/$page: there is no such page"
done
for page in psrec.5 psgraph.5 psmodel.5 psindex.5 psgraph.7; do
    [ -f "$page" ] || complain "man/$page: there is no such page"
done

for page in *.[1-9]; do
    [ -f "$page" ] || continue
    # -W style leaves out the conventions of the BSDs' own pages.  References are looked up here, below:
    # mandoc would look where the system's pages are.
    mandoc -T lint -W style "$page" 2>&1 | grep -v -e 'referenced manual not found' -e 'outdated mandoc.db' >"$lint" || :
    [ ! -s "$lint" ] || complain "$(cat "$lint")"
    for name in $(sed -n 's/^\.Xr \(ps[a-z-]*\) \([0-9]\).*/\1.\2/p' "$page" | sort -u); do
        [ -f "$name" ] || complain "man/$page: refers to $name, which is not there"
    done
    for section in 'Sh NAME' 'Sh DESCRIPTION' 'Sh SEE ALSO'; do
        grep -q "^\.$section\$" "$page" || complain "man/$page: no .$section"
    done
    case $page in
    *.1)
        for section in 'Sh SYNOPSIS' 'Sh OPTIONS' 'Sh EXIT STATUS' 'Sh EXAMPLES'; do
            grep -q "^\.$section\$" "$page" || complain "man/$page: no .$section"
        done
        ;;
    esac
done
exit $failed
