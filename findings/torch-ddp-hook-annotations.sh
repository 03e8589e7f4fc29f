#!/bin/sh
# torch 2.15.0: DistributedDataParallel.register_comm_hook compares the annotations of a hook with the classes dist.GradBucket and
# torch.futures.Future[...], as objects. A hook that is defined in a module with `from __future__ import annotations` (where
# annotations are texts) is therefore refused, with the annotations that the documentation asks for, by a message that says what
# stands there: "bucket annotation should be dist.GradBucket." Leave the annotations out, or clear __annotations__, or keep
# the future import out of modules with such hooks.
#
# Seen on 2026-11-29:
#   annotations as objects: registered
#   annotations as texts: ValueError Communication hook: bucket annotation should be dist.GradBucket.
#   none: registered
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check torch==2.15.0 numpy
cat >"$folder/hook.py" <<'PY'
import torch
import torch.distributed as dist


def hook(state: object, bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    return dist.all_reduce(bucket.buffer(), async_op=True).get_future().then(lambda done: done.value()[0])
PY
{ echo "from __future__ import annotations"; cat "$folder/hook.py"; } >"$folder/postponed.py"
sed -e 's/: object//; s/: dist.GradBucket//; s/ -> .*:$/:/' "$folder/hook.py" >"$folder/bare.py"
cd "$folder"
exec env/bin/python - <<'PY'
import os
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import bare
import hook
import postponed

dist.init_process_group("gloo", init_method=f"file://{os.getcwd()}/meeting", rank=0, world_size=1)


def registered(function):
    model = DistributedDataParallel(torch.nn.Linear(2, 2))
    try:
        model.register_comm_hook(None, function)
    except ValueError as error:
        return f"ValueError {error}"
    return "registered"


found = [registered(module.hook) for module in (hook, postponed, bare)]
for what, said in zip(("annotations as objects", "annotations as texts", "none"), found):
    print(f"{what}: {said}")
dist.destroy_process_group()
sys.exit(not (found[0] == found[2] == "registered" and "bucket annotation should be dist.GradBucket" in found[1]))
PY
