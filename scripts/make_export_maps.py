"""Writes the linker's lists of exported names, one for each precision, from names64.h.

Usage: make_export_maps.py NAMES64_H OUT OUT64 ABI: the names carry the version GLISSADE_ABI. Hidden visibility alone does not do: gcc exports the dispatchers of
functions compiled for several instruction sets, and those of the two libraries would then be taken for one another.
"""
import re
import sys

names64, *outs, abi = sys.argv[1:]
pairs = re.findall(r"^#define (gls_\w+) (gls64_\w+)$", open(names64).read(), flags=re.M)
for which, out in enumerate(outs):
    names = "".join(f"    {pair[which]};\n" for pair in pairs)
    open(out, "w").write(f"GLISSADE_{abi} {{\n  global:\n" + names + "  local: *;\n};\n")
