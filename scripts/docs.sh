#!/bin/sh
# One site of guides, C interface and commands in BUILD/site: docs.sh BUILD. Doxygen's complaints are failures.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
work=$build/site-pages
rm -rf "$work" "$build/site"
mkdir -p "$work"
{
    echo '# Commands'
    for verb in $("$build/glissade" completion words -- '' | cut -f1); do
        printf '\n## glissade %s\n\n```text\n' "$verb"
        "$build/glissade" help "$verb"
        echo '```'
    done
} >"$work/commands.md"
cd "$root"
{
    cat scripts/Doxyfile
    echo "PROJECT_NUMBER = $("$build/glissade" version | sed -n '1s/^[^0-9]*\([0-9.]*\).*/\1/p')"
    echo "OUTPUT_DIRECTORY = $build"
    echo "INPUT += $work/commands.md"
    echo "STRIP_FROM_PATH = $root $root/include $work"
} | doxygen - 2>"$build/site.log" >/dev/null || {
    cat "$build/site.log" >&2
    exit 1
}
echo "$build/site/index.html"
