#!/bin/sh
# torch 2.4.1 (PyPI, Linux x86-64): the wheel brings a libgomp from before OpenMP 5, under a file name of its own but with the system's
# soname, libgomp.so.1. The loader knows libraries by their soname, so that after `import torch` every library that is
# loaded later gets that one: if it was linked with the system's libgomp and uses OpenMP 5 (omp_pause_resource_all),
# it does not load. The other way round it loads, and two OpenMP runtimes are in the process, each with threads of its
# own. Look OpenMP 5 up at run time (dlsym), or import torch last; 2.9.1 brings a libgomp with OpenMP 5.
#
# Seen on 2026-11-30 (glibc 2.36, gcc 12.2):
#   torch first: OSError: version `OMP_5.0' not found
#   torch last: loaded; 2 OpenMP runtimes
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check torch==2.4.1 'numpy<2'
cd "$folder"
cat >later.c <<'C'
#include <omp.h>
int give_up_threads(void) { return omp_pause_resource_all(omp_pause_soft); }
C
gcc -fopenmp -shared -fPIC later.c -o later.so
cat >torch_first.py <<'PY'
import ctypes
import torch
ctypes.CDLL("./later.so")
PY
cat >torch_last.py <<'PY'
import ctypes
ctypes.CDLL("./later.so")
import torch
with open("/proc/self/maps") as lines:
    print(f"loaded; {len({line.split()[-1] for line in lines if 'gomp' in line})} OpenMP runtimes")
PY
first=$(env/bin/python torch_first.py 2>&1 | sed -n "s/^\(OSError:\).*\(version .* not found\).*/\1 \2/p")
last=$(env/bin/python torch_last.py 2>&1 | tail -n 1)
echo "torch first: $first"
echo "torch last: $last"
[ "$first" = "OSError: version \`OMP_5.0' not found" ] && [ "$last" = "loaded; 2 OpenMP runtimes" ]
