# inject.sh - some hundreds of calls of the system made to fail, one at a time: tests/faults/inject.py.  make faults does all.
set -eu
command -v python3 >/dev/null || {
    echo "tests/faults needs python3"
    exit 77
}
sample=500
case ${PS_FLAVOUR-} in
asan) sample=150 ;;
tsan)
    echo "the sanitizer's threads do not bear calls that fail"
    exit 77
    ;;
esac
for name in ASAN UBSAN; do
    eval "export ${name}_OPTIONS=\${${name}_OPTIONS:+\$${name}_OPTIONS:}exitcode=99"
done
exec python3 "$PS_ROOT/tests/faults/inject.py" "$PS_BIN" "$PS_TEST/shim.so" --sample $sample
