#!/bin/sh
# torch 2.15.0: Optimizer.load_state_dict makes every floating-point or whole-number tensor of a parameter's state one of the
# parameter's type, except under the key "step". An optimizer that keeps float64 sums, indices or 8-bit codes beside float32
# parameters gets them back as float32, without a warning: codes change their type, sums and whole numbers above 2**24
# their value. state_dict() still has them right. Override load_state_dict (or keep such state outside of
# Optimizer.state) and assert types after loading.
#
# Seen on 2026-11-30:
#   saved: int64 16777217, float64 0.1, uint8 200
#   loaded: float32 16777216.0, float32 0.10000000149011612, float32 200.0
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check torch==2.15.0 numpy
"$folder/env/bin/python" - <<'PY'
import sys
import torch


class Counting(torch.optim.Optimizer):
    def __init__(self, parameters):
        super().__init__(parameters, {})

    def step(self, closure=None):
        for p in self.param_groups[0]["params"]:
            self.state[p] = {
                "count": torch.tensor(2**24 + 1),
                "sum": torch.tensor(0.1, dtype=torch.float64),
                "code": torch.tensor(200, dtype=torch.uint8),
            }


parameter = torch.nn.Parameter(torch.zeros(3))
first, second = Counting([parameter]), Counting([parameter])
first.step()
saved = first.state_dict()
second.load_state_dict(saved)


def shown(state):
    return [(str(t.dtype).removeprefix("torch."), t.item()) for t in state.values()]


was, now = shown(saved["state"][0]), shown(second.state[parameter])
for what, found in (("saved", was), ("loaded", now)):
    print(f"{what}: " + ", ".join(f"{kind} {value}" for kind, value in found))
sys.exit(not (was[0] == ("int64", 16777217) and now[0] == ("float32", 16777216.0) and now[2][0] == "float32"))
PY
