#!/bin/sh
# The house's rules on a built tree: formatting, exported names, no mutable file-scope data, no upward includes, names that
# say their room, one spelling, an opening comment in each file, a tour that names every file, a command that is a client of
# the library, no end of the process from the library.
set -eu
build=${1:-build}
cd "$(dirname "$0")/.."
meson test -C "$build" --no-rebuild --quiet includes names spelling comments architecture state exports command_is_a_client \
    two_precisions_single_first
if git grep -nE '\b(exit|abort)\(' -- 'src/*.c' | grep -v '^src/cli/'; then
    echo "lint: the library must not end the process" >&2
    exit 1
fi
if git grep -nE '\bx->(value|grad|aux)\b' -- src/model/op src/model/use src/model/norm.c src/model/norm_rows.c src/model/norm_tangent.c src/model/storage_product.c src/model/conv.c; then
    echo "lint: ops and uses reach buffers by the calls of src/model/exec.h: what is stored narrow has no pointer" >&2
    exit 1
fi
python3 scripts/check_unused.py "$build" model
echo "lint: clean"
