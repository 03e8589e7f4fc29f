"""Arrays of a .safetensors file, read without further packages."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

import numpy as np

from ._arrays import Array
from ._errors import BadInputError

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}


def read(path: str | PathLike[str]) -> dict[str, Array]:
    """All arrays of a file by name, read-only views of the mapped file. BF16 becomes float32."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    if data.size < 8:
        raise BadInputError(f"{path}: expected a .safetensors file")
    size = int(data[:8].view("<u8")[0])
    try:
        header = json.loads(bytes(data[8 : 8 + size])) if size <= data.size - 8 else None
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise BadInputError(f"{path}: expected a .safetensors file")
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = data[8 + size + begin : 8 + size + end]
        if entry["dtype"] == "BF16":
            array = (raw.view("<u2").astype("<u4") << 16).view("<f4")
        elif entry["dtype"] in _DTYPES:
            array = raw.view(_DTYPES[entry["dtype"]])
        else:
            raise BadInputError(f"{Path(path).name}: '{name}' is of type {entry['dtype']}, which is not known here")
        arrays[name] = array.reshape(entry["shape"])
    return arrays
