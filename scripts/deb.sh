#!/bin/sh
# Builds the Debian packages of the committed state into build/deb: deb.sh [SETUP], where SETUP installs what is missing.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
out=$here/build/deb
work=$(mktemp -d "${TMPDIR:-/tmp}/glissade-deb-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/glissade"
git -C "$here" archive HEAD | tar -x -C "$work/glissade"
(cd "$work/glissade" && dpkg-buildpackage -b -us -uc -ui) >"$work/log" 2>&1 || {
    tail -n 40 "$work/log" >&2
    exit 1
}
mkdir -p "$out"
rm -f "$out"/*.deb
cp "$work"/*.deb "$out"
ls "$out"/*.deb
