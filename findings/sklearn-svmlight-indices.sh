#!/bin/sh
# scikit-learn 1.9.1, SciPy 1.17.1: what load_svmlight_file reads, SGDClassifier.fit refuses. The reader's matrix has 64-bit indices
# whatever the file's size, and the estimator takes 32-bit ones alone ("Please do report a minimal reproducer"), so that the
# library's own reader and its own linear classifier do not fit together for a file of two rows. Casting indices and indptr to
# 32 bits helps, as bench/logistic_peers.py does.
#
# Seen on 2026-11-29:
#   scikit-learn 1.9.1: indices int64, fit: Only sparse matrices with 32-bit integer indices are accepted
#   cast to int32: fits
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf '1 1:1 3:2\n-1 2:1\n' >"$folder/two.libsvm"
cat >"$folder/try.py" <<'PY'
import sys
import numpy as np
import sklearn
from sklearn.datasets import load_svmlight_file
from sklearn.linear_model import SGDClassifier

x, y = load_svmlight_file(sys.argv[1])
said = "nothing"
try:
    SGDClassifier(loss="log_loss").fit(x, y)
except ValueError as error:
    said = str(error).split(". ")[0]
print(f"scikit-learn {sklearn.__version__}: indices {x.indices.dtype}, fit: {said}")
x.indices, x.indptr = x.indices.astype(np.int32), x.indptr.astype(np.int32)
SGDClassifier(loss="log_loss").fit(x, y)
print("cast to int32: fits")
sys.exit(said != "Only sparse matrices with 32-bit integer indices are accepted")
PY
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check scikit-learn==1.9.1 scipy==1.17.1
"$folder/env/bin/python" "$folder/try.py" "$folder/two.libsvm" || { echo "changed: the two fit together now" >&2; exit 1; }
