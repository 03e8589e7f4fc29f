#!/bin/sh
# cffi 2.0.0: the C that its API mode writes for the stable ABI of CPython 3.11 and later calls alloca without including what
# declares it (Python.h no longer brings <stdlib.h> under Py_LIMITED_API 3.11). Compiled as strict C (-std=c17), where
# alloca is no builtin, it is an implicit declaration: gcc 14 refuses it, gcc 12 warns (build tools often hide that with -w),
# the extension links, and only its import fails, with an undefined symbol. -std=gnu17 and cffi 2.1.1 work.
#
# Seen on 2026-11-29 (gcc 12.2), whether the compiled module refers to alloca:
#   cffi 2.0.0 c17: undefined
#   cffi 2.0.0 gnu17: built in
#   cffi 2.1.1 c17: built in
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/make.py" <<'PY'
import cffi, sys

ffi = cffi.FFI()
ffi.cdef("double first(const double *x);")
ffi.set_source("_one", "static double first(const double *x) { return x[0]; }")
ffi.emit_c_code(sys.argv[1])
PY
look() { # VERSION STANDARD
    [ -d "$folder/$1" ] || { python3 -m venv "$folder/$1" &&
        "$folder/$1/bin/pip" install -q --disable-pip-version-check "cffi==$1"; }
    "$folder/$1/bin/python" "$folder/make.py" "$folder/one.c" >/dev/null
    include=$("$folder/$1/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
    if gcc -std="$2" -w -fPIC -DPy_LIMITED_API=0x030b0000 -I"$include" -c "$folder/one.c" -o "$folder/one.o" 2>/dev/null; then
        if nm -u "$folder/one.o" | grep -qw alloca; then found=undefined; else found="built in"; fi
    else
        found=undefined
    fi
    echo "cffi $1 $2: $found"
}
answer=$(look 2.0.0 c17; look 2.0.0 gnu17; look 2.1.1 c17)
echo "$answer"
[ "$answer" = "cffi 2.0.0 c17: undefined
cffi 2.0.0 gnu17: built in
cffi 2.1.1 c17: built in" ]
