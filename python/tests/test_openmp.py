"""One OpenMP runtime in a process with PyTorch, whichever is imported first; forked processes compute."""

from __future__ import annotations

import subprocess
import sys

import pytest

BOTH = """
import os
import numpy as np

torch.set_num_threads(2)
(torch.ones(500, 500) @ torch.ones(500, 500)).exp().sum()
method = glissade.method("sgd", 10**6, lr=0.1, threads=2)
w = np.zeros(10**6, np.float32)
method.step(w, np.ones(10**6, np.float32))
with open("/proc/self/maps") as lines:
    found = {line.split()[-1] for line in lines if "libgomp" in line}
assert len(found) == 1, found
child = os.fork()
if child == 0:
    method.step(w, np.ones(10**6, np.float32))
    os._exit(0 if abs(w + 0.2).max() < 1e-6 else 1)
assert os.waitpid(child, 0)[1] == 0
method.step(w, np.ones(10**6, np.float32))
assert abs(w + 0.2).max() < 1e-6
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("order", [("torch", "glissade"), ("glissade", "torch")])
def test_one_runtime_beside_pytorch(order):
    pytest.importorskip("torch")
    imports = "".join(f"import {name}\n" for name in order)
    done = subprocess.run([sys.executable, "-c", imports + BOTH], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
