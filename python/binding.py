"""Writes the C source of a binding for one precision.

Usage: binding.py CDEF MODULE HEADER OUT.
"""

import re
import sys
from pathlib import Path

import cffi

cdef, module, header, out = sys.argv[1:]
real = "double" if header == "glissade64.h" else "float"
builder = cffi.FFI()
builder.cdef(re.sub(r"\bREAL\b", real, Path(cdef).read_text()))
# cffi's code calls alloca; Python.h brings it only without the limited interface.
builder.set_source(module, f"#include <alloca.h>\n#include <glissade/{header}>", py_limited_api=True)
builder.emit_c_code(out)
