#!/bin/sh
# Steps of all methods beside plain loops, then beside PyTorch's best, strictly alternating, with ratios and their spread:
# bench/methods.sh BUILD [parameters] [rounds]. TORCH_PYTHON names the Python that has the PyTorch to compare with, e.g. that
# of an environment outside the repository with the newest one; without it the system's.
set -eu
build=${1:-build} parameters=${2:-67108864} rounds=${3:-7}
here=$(dirname "$0")
torch=${TORCH_PYTHON:-/usr/bin/python3}
core=SkylakeX
grep -q avx512f /proc/cpuinfo || core=Haswell
export OPENBLAS_CORETYPE=$core MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=4000000000
echo "# $(date -u +%F), $(uname -m), $(nproc) processors, OPENBLAS_CORETYPE=$core, load $(cut -d' ' -f1 /proc/loadavg)"
ninja -C "$build" bench/bench_methods > /dev/null
"$build/bench/bench_methods" "$parameters" 7
"$torch" -c 'import torch' 2> /dev/null || { echo "(skipped: $torch has no PyTorch)"; exit 0; }
pairs=$(mktemp)
trap 'rm -f "$pairs"' EXIT
for round in $(seq "$rounds"); do
    for method in sgd msgd adam clip_adam bf16_adam q8_adam; do
        "$build/bench/bench_methods" "$parameters" 3 $method | sed -n "s/^$method /ours &/p"
    done
    "$torch" "$here/methods_torch.py" "$parameters" 3 | sed '/^#/!s/^/torch /'
done > "$pairs"
grep -m1 '^#' "$pairs"
/usr/bin/python3 "$here/methods_ratio.py" < "$pairs"
