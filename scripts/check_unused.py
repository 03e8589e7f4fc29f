"""Compiles a room's files again, as the build does, with unused parameters as errors: a verb that takes what it does not
need says so by `(void)name`.

Usage: check_unused.py BUILD ROOM...
"""
import json
import pathlib
import shlex
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
build = pathlib.Path(sys.argv[1]).resolve()
rooms = [root / "src" / room for room in sys.argv[2:]]
checked, failed = 0, 0
for entry in json.loads((build / "compile_commands.json").read_text()):
    source = (build / entry["file"]).resolve()
    if not any(room in source.parents for room in rooms):
        continue
    command = shlex.split(entry["command"])
    if command[0].endswith("ccache"):
        del command[0]
    keep = [a for a in command if a.startswith(("-I", "-D", "-std")) or a in ("-fopenmp", "-pthread")]
    call = [command[0], *keep, "-fsyntax-only", "-Werror=unused-parameter", str(source)]
    failed += subprocess.run(call, cwd=build).returncode != 0
    checked += 1
if not checked:
    sys.exit("check_unused: no file checked")
sys.exit(failed > 0)
