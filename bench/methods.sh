#!/bin/sh
# Steps of all methods, and PyTorch's best beside them, strictly alternating: bench/methods.sh BUILD [parameters] [rounds]
set -eu
build=${1:-build} parameters=${2:-67108864} rounds=${3:-3}
here=$(dirname "$0")
core=SkylakeX
grep -q avx512f /proc/cpuinfo || core=Haswell
export OPENBLAS_CORETYPE=$core MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=4000000000
echo "# $(uname -m), $(nproc) processors, OPENBLAS_CORETYPE=$core, load $(cut -d' ' -f1 /proc/loadavg)"
"$build/bench/bench_methods" "$parameters" 7
for round in $(seq "$rounds"); do
    echo "# round $round"
    for method in sgd msgd adam; do "$build/bench/bench_methods" "$parameters" 7 $method | grep -v '^#' | tail -n +2; done
    /usr/bin/python3 "$here/methods_torch.py" "$parameters" 7 || true
done
