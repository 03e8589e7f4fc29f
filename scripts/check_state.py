"""Checks that the library's objects hold no data that could change: everything hangs on a context or an object.

Usage: check_state.py ARCHIVE... Constant tables with addresses in them (.data.rel.ro) are written once by the loader. On
ARM the symbols $a, $d, $t, $x name no object: they map a section into code and data (ELF for the Arm 64-bit Architecture,
"Mapping symbols").
"""
import re
import subprocess
import sys

bad = 0
for archive in sys.argv[1:]:
    text = subprocess.run(["nm", "-f", "sysv", "--defined-only", archive], check=True, capture_output=True, text=True)
    where = archive
    for line in text.stdout.splitlines():
        if line.startswith("Symbols from "):
            where = line[len("Symbols from "):].rstrip(":")
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 7 or re.fullmatch(r"\$[adtx](\..*)?", fields[0]):
            continue
        name, kind, section = fields[0], fields[2], fields[6]
        thread_local = section.startswith((".tbss", ".tdata"))
        if (kind in "bBdDcCsSgG" and not section.startswith(".data.rel.ro")) or thread_local:
            print(f"{where}: {name} in {section} can change")
            bad += 1
sys.exit(bad != 0)
