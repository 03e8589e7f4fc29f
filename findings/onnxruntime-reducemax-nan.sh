#!/bin/sh
# onnxruntime 1.32.0 (CPU), onnx 1.23.2: what a NaN does to ReduceMax and MaxPool depends on where it is. In front, ReduceMax is NaN
# and MaxPool drops it; at the end, ReduceMax drops it and MaxPool is NaN. In second place ReduceMax answers neither NaN nor
# the largest number: of [1, NaN, 2, 3] it makes 2. ReduceSum carries every NaN. A model that has diverged can so score
# as if it had not: check outputs for NaN before a maximum, not after.
#
# Seen on 2026-11-29:
#   [nan, 1.0, 2.0, 3.0]: ReduceMax nan, MaxPool 3.0
#   [1.0, nan, 2.0, 3.0]: ReduceMax 2.0, MaxPool 3.0
#   [1.0, 2.0, 3.0, nan]: ReduceMax 3.0, MaxPool nan
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PY'
import sys
import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def answer(op, x, **attributes):
    graph = helper.make_graph([helper.make_node(op, ["x"], ["y"], **attributes)], "one",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return float(session.run(None, {"x": x})[0].ravel()[0])


nan, seen = float("nan"), []
for values in ([nan, 1.0, 2.0, 3.0], [1.0, nan, 2.0, 3.0], [1.0, 2.0, 3.0, nan]):
    x = np.array(values, np.float32)
    largest, pooled = answer("ReduceMax", x), answer("MaxPool", x.reshape(1, 1, 4), kernel_shape=[4])
    print(f"{values}: ReduceMax {largest}, MaxPool {pooled}")
    seen += [str(largest), str(pooled)]
sys.exit(seen != ["nan", "3.0", "2.0", "3.0", "3.0", "nan"])
PY
