#!/bin/sh
# The tour of psgraph(7), as it is written there, and the examples of the manual pages on what it made.
set -eu
. "$PS_ROOT/tests/fixture.sh"
small_debian
sed -n '/^\.Sh THE TOUR/,/^\.Sh CONVENTIONS/p' "$PS_ROOT/man/psgraph.7" |
    awk '/^\.Ed/ {on = 0} on; /^\.Bd/ {on = 1}' >tour
[ "$(wc -l <tour)" -ge 10 ] || { echo "only $(wc -l <tour) commands found in the tour" >&2; exit 1; }
while read -r command; do
    sh -euc "$command" >out 2>err </dev/null || { echo "failed: $command: $(cat err)" >&2; exit 1; }
    [ ! -s err ] || { echo "complained: $command: $(cat err)" >&2; exit 1; }
done <tour
[ -s h.psr ] || { echo "no hits" >&2; exit 1; }

failed=0
for page in "$PS_ROOT"/man/*.1; do
    sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$page" | sed -n 's/^\.Dl //p' | sed 's/\\&//g; s/\\e/\\/g; s/\\-/-/g' >examples
    [ -s examples ] || { echo "no examples in $page" >&2; failed=1; }
    while read -r command; do
        status=0
        sh -euc "$command" >out 2>err </dev/null || status=$?
        [ $status = 0 ] || { echo "${page##*/}: failed: $command: $(cat err)" >&2; failed=1; }
    done <examples
done
exit $failed
