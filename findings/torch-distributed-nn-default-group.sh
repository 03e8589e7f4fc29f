#!/bin/sh
# torch 2.15.0: the functions of torch.distributed.nn.functional have `group=group.WORLD` as a default, which is evaluated once, when
# the module is imported; DistributedDataParallel's constructor imports it, that is, after init_process_group. The
# defaults then hold the first default group for good: destroy_process_group() ends none of its threads, also where the
# model is gone, and after a second init_process_group these functions go on to use the destroyed group. Import
# torch.distributed.nn before init_process_group (the defaults are then None: the default group of the moment).
#
# Seen on 2026-11-30:
#   imported by DistributedDataParallel: 3 threads more with a group, 3 after destroy_process_group; all_reduce's default:
#   a ProcessGroup
#   imported before: 3 threads more with a group, 0 after destroy_process_group; all_reduce's default: None
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q --disable-pip-version-check torch==2.15.0 numpy
cd "$folder"
cat >ends.py <<'PY'
import gc
import inspect
import os
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

if sys.argv[1] == "before":
    import torch.distributed.nn


def threads():
    return len(os.listdir("/proc/self/task"))


own = threads()
dist.init_process_group("gloo", init_method=f"file://{os.getcwd()}/{sys.argv[1]}", rank=0, world_size=1)
DistributedDataParallel(torch.nn.Linear(2, 2))
gc.collect()  # The model is gone.
begun = threads() - own
dist.destroy_process_group()
left = threads() - own
default = inspect.signature(sys.modules["torch.distributed.nn.functional"].all_reduce).parameters["group"].default
held = "None" if default is None else f"a {type(default).__name__}"
print(f"{begun} threads more with a group, {left} after destroy_process_group; all_reduce's default: {held}")
PY
by=$(OMP_NUM_THREADS=1 env/bin/python ends.py by 2>&1 | tail -n 1)
before=$(OMP_NUM_THREADS=1 env/bin/python ends.py before 2>&1 | tail -n 1)
echo "imported by DistributedDataParallel: $by"
echo "imported before: $before"
case $by in "3 threads more with a group, 3 after"*"a ProcessGroup") ;; *) exit 1 ;; esac
case $before in "3 threads more with a group, 0 after"*": None") ;; *) exit 1 ;; esac
