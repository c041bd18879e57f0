#!/usr/bin/env bash
# Build the extensions under AddressSanitizer and UndefinedBehaviorSanitizer in a copy of the tree, and
# run the tests there: any read past a buffer, use after free or undefined arithmetic in the native core
# ends the run. Usage: tests/run_sanitized.sh [pytest arguments]
#
# Needs gcc with its sanitizer runtimes, and a Python environment with the `dev` extra active. Leaks are
# not looked for: the interpreter itself leaves memory behind.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$root"/{src,tests,docs,benchmarks,setup.py,pyproject.toml,mkdocs.yml,LICENSE} "$root"/*.md "$copy"
cd "$copy"
rm -f src/bpetok/_*.so src/bpetok/_*.c
BPETOK_SANITIZE=address,undefined python setup.py -q build_ext --inplace

export ASAN_OPTIONS=detect_leaks=0:abort_on_error=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
export PYTHONPATH="$copy/src" PYTHONMALLOC=malloc BPETOK_TEST_EXAMPLES="${BPETOK_TEST_EXAMPLES:-50}"
# Only Python's own streams are captured, so that a sanitizer's report is seen.
python -m pytest -p no:cacheprovider --capture=sys -q "$@"
