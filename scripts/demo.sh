#!/bin/sh
# Trains several methods on the generated glyphs and shows them side by side; the run folders stay in runs/.
set -eu
glissade="${1:-build}/glissade"
stamp=$(date +%H%M%S)
printf '%-14s %-8s %13s %10s %9s  %s\n' method model 'test accuracy' 'test loss' time run
for model in softmax mlp; do
    for method in sgd msgd adam sngm acclip; do
        folder="runs/demo-$stamp/$model-$method"
        result=$("$glissade" train --preset "demo-$model-$method" --out "$folder" --json --quiet)
        field() { printf '%s' "$result" | sed -n "s/.*\"$1\":\([^,}]*\).*/\1/p"; }
        printf '%-14s %-8s %12.2f%% %10.4f %8.1fs  %s\n' "$method" "$model" \
            "$(awk "BEGIN { print 100 * $(field test_accuracy) }")" "$(field test_loss)" "$(field seconds)" "$folder"
    done
done
