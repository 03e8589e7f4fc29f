#!/bin/sh
# Trains several methods on the generated glyphs and shows them side by side, measures two of the runs, and writes a page
# that compares them all; the run folders stay in runs/.
set -eu
glissade="${1:-build}/glissade"
folder="runs/demo-$(date +%Y%m%d-%H%M%S)"
printf '%-8s %-8s %13s %10s %9s  %s\n' method model 'test accuracy' 'test loss' time run
for model in softmax mlp; do
    for method in sgd msgd adam sngm acclip; do
        run="$folder/$model-$method"
        result=$("$glissade" train --preset "demo-$model-$method" --out "$run" --json --quiet)
        field() { printf '%s' "$result" | sed -n "s/.*\"$1\":\([^,}]*\).*/\1/p"; }
        printf '%-8s %-8s %12.2f%% %10.4f %8.1fs  %s\n' "$method" "$model" \
            "$(awk "BEGIN { print 100 * $(field test_accuracy) }")" "$(field test_loss)" "$(field seconds)" "$run"
    done
done
printf '\nWhat the gradients say at the end of %s:\n' "$folder/mlp-msgd"
"$glissade" measure "$folder/mlp-msgd" --only gradient_diversity,tail_index
"$glissade" report "$folder"/* --title 'Glissade demo: ten runs on glyphs' --out "$folder/report.html" 2>/dev/null
printf '\nThe page that compares the ten runs: %s\n' "$folder/report.html"
