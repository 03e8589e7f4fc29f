#!/bin/sh
# The house's rules on a built tree: formatting, exported names, no mutable file-scope data, no upward includes.
set -eu
build=${1:-build}
cd "$(dirname "$0")/.."
python3 scripts/check_includes.py
python3 scripts/check_state.py "$build"
python3 scripts/check_exports.py "$build"
if git grep -nE '\b(exit|abort)\(' -- 'src/*.c' | grep -v '^src/cli/'; then
    echo "lint: the library must not end the process" >&2
    exit 1
fi
echo "lint: clean"
