#!/bin/sh
# All benchmarks, alone on the machine please; PyTorch's columns need python3-torch (scripts/setup.sh --peers), those of
# sequence models a newer one, which TORCH_PYTHON names.
set -eu
build=${1:-build}
here=$(dirname "$0")
ninja -C "$build" benchmarks > /dev/null
core=SkylakeX
grep -q avx512f /proc/cpuinfo || core=Haswell
export OPENBLAS_CORETYPE=$core
echo "== step rules"
sh "$here/methods.sh" "$build"
echo "== training steps of networks"
"${TORCH_PYTHON:-/usr/bin/python3}" "$here/networks_torch.py" "$build" 2 || echo "(skipped: no PyTorch)"
echo "== training steps of sequence models"
"${TORCH_PYTHON:-/usr/bin/python3}" "$here/sequences_torch.py" "$build" 2 || echo "(skipped: no PyTorch from 2.4 on)"
echo "== optimizers of glissade.torch"
"${TORCH_PYTHON:-/usr/bin/python3}" "$here/optimizers_torch.py" 2 || echo "(skipped: no PyTorch or no glissade.torch)"
echo "== estimators"
"$build/bench/bench_estimators"
echo "== measures"
"$build/bench/bench_measures"
