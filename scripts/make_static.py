"""Makes a static library of one object in which only the exported names are to be seen.

Usage: make_static.py CORE_ARCHIVE NAMES64_H OUT CC... The inner names of both precisions are the same, and so would clash in
a program that links both.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

archive, names64, out, *cc = sys.argv[1:]
pairs = re.findall(r"^#define (gls_\w+) (gls64_\w+)$", open(names64).read(), flags=re.M)
which = int("64" in pathlib.Path(out).name)
with tempfile.TemporaryDirectory() as temporary:
    whole, keep = pathlib.Path(temporary, pathlib.Path(out).stem + ".o"), pathlib.Path(temporary, "names")
    keep.write_text("".join(pair[which] + "\n" for pair in pairs))
    subprocess.run([*cc, "-r", "-nostdlib", "-o", whole, "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive"], check=True)
    subprocess.run(["objcopy", f"--keep-global-symbols={keep}", whole], check=True)
    pathlib.Path(out).unlink(missing_ok=True)
    subprocess.run(["ar", "rcs", out, whole], check=True)
