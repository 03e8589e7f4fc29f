#!/bin/sh
# Runs the fuzz targets of a build one after the other, each for so many seconds: fuzz.sh BUILD SECONDS [TARGET...]. Of each it
# says how many inputs there were and whether one did harm; such an input lies in BUILD/found, what a target has learned in
# BUILD/corpus/TARGET, from which the next run goes on. Ends with 1 if any input did harm.
set -eu
build=$1 seconds=$2
shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
# The readers of what users bring first, then those of the house's own files.
targets=${*:-trained csv npz jpeg frames tokenizer labelled report libsvm png text npy_targets transforms tensors reader config
    overrides npy idx idx_labels cifar10 png_labels}
mkdir -p "$build/found"
harm=0
for target in $targets; do
    mkdir -p "$build/corpus/$target"
    log=$build/found/$target.log
    if OMP_NUM_THREADS=1 OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-Haswell} "$build/fuzz/fuzz_$target" -max_total_time="$seconds" \
        -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0 -artifact_prefix="$build/found/$target-" \
        "$build/corpus/$target" "$here/fuzz/corpus/$target" >"$log" 2>&1; then
        result=clean
    else
        result="did harm: $log"
        harm=1
    fi
    echo "$target: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs, $result"
done
exit $harm
