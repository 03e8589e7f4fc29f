#!/bin/sh
# Configures a build folder unless it is: configure.sh BUILD [MESON OPTIONS]. Meson's report is shown only where it fails, the
# reason first.
set -eu
build=$1
shift
[ -f "$build/build.ninja" ] && exit 0
if report=$(meson setup "$build" "$@" 2>&1); then exit 0; fi
printf '%s\n' "$report" | grep 'ERROR' >&2 || true
printf '%s\n' "$report" >&2
exit 1
