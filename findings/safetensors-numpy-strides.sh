#!/bin/sh
# safetensors 0.8.0 (NumPy side), NumPy 2.4.6: an array that is not C-contiguous is written in the order of its memory, under the
# shape of the view: the file is valid, the values are in other places, and nothing is said. A transpose reads back as
# [[0,1],[2,3],[4,5]] for [[0,3],[1,4],[2,5]]; a view with a stride loses the elements between the wrong way round.
# 0.7.0 wrote the right order. Whoever hands weights on (`glissade train --from W.safetensors`) calls
# numpy.ascontiguousarray first.
#
# Seen on 2026-11-29:
#   0.8.0: transpose [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], strided [[0.0, 1.0], [2.0, 3.0]]
#   0.7.0: transpose [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]], strided [[0.0, 2.0], [3.0, 5.0]]
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/try.py" <<'PY'
import sys
import numpy as np
import safetensors
from safetensors.numpy import load_file, save_file

a = np.arange(6, dtype=np.float32).reshape(2, 3)
save_file({"transpose": a.T, "strided": a[:, ::2]}, sys.argv[1])
got = load_file(sys.argv[1])
print(f"{safetensors.__version__}: transpose {got['transpose'].tolist()}, strided {got['strided'].tolist()}")
right = np.array_equal(got["transpose"], a.T) and np.array_equal(got["strided"], a[:, ::2])
sys.exit(right != (sys.argv[2] == "right"))
PY
for case in "0.8.0 wrong" "0.7.0 right"; do
    set -- $case
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install -q --disable-pip-version-check safetensors=="$1" numpy==2.4.6
    "$folder/$1/bin/python" "$folder/try.py" "$folder/$1.safetensors" "$2" || { echo "changed: $1 is no longer $2" >&2; exit 1; }
done
