#!/bin/sh
# UCX 1.18.1 (libucx-cu12 of PyPI; Debian 13's libucx0 1.18.1 and Debian 12's 1.13.1 do the same): loading libucs takes SIGHUP for
# a debugging aid (it raises UCX's log level) even when SIGHUP was ignored. So `nohup program` no longer ignores it once
# UCX is in the process, and a program that asks in main whether it was started by nohup is told no: on Debian 13 every
# program linked with Open MPI 5 loads UCX before main. It also no longer dies when its terminal goes. SIGTERM and SIGINT
# stay as they were. UCX_DEBUG_SIGNO=0 (the documented variable) leaves SIGHUP alone.
#
# Seen on 2026-11-29, `nohup python`, SIGHUP before and after loading, then with the variable:
#   before ignored, after caught
#   before ignored, after ignored (UCX_DEBUG_SIGNO=0)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check --no-deps libucx-cu12==1.18.1
cat >"$folder/look.py" <<'PY'
import ctypes, glob, sys


def state(signal):
    bit = 1 << (signal - 1)
    sets = dict(line.split(":\t") for line in open("/proc/self/status").read().splitlines() if line.startswith("Sig"))
    return "ignored" if int(sets["SigIgn"], 16) & bit else "caught" if int(sets["SigCgt"], 16) & bit else "default"


lib = glob.glob(sys.prefix + "/lib/python3*/site-packages/libucx/lib/")[0]
before, term = state(1), state(15)
ctypes.CDLL(lib + "libucs.so.0")
assert state(15) == term
print(f"before {before}, after {state(1)}")
PY
look() { nohup "$folder/env/bin/python" "$folder/look.py" 2>/dev/null </dev/null | cat; }
plain=$(look)
told=$(UCX_DEBUG_SIGNO=0 look)
printf '%s\n%s (UCX_DEBUG_SIGNO=0)\n' "$plain" "$told"
[ "$plain" = "before ignored, after caught" ] && [ "$told" = "before ignored, after ignored" ]
