"""Compiles the library's files again with warnings of unused parameters. A function that stands in a table or is handed
on has the signature of its kind and may leave a parameter alone; one that is only called takes no more than it needs. In
the rooms named, verbs of tables too say by `(void)name` what they leave alone.

Usage: check_unused.py BUILD [ROOM...]
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
build = pathlib.Path(sys.argv[1]).resolve()
strict = [root / "src" / room for room in sys.argv[2:]]
comments = re.compile(r"/\*.*?\*/", re.S)
texts = {path: comments.sub("", path.read_text()) for path in root.glob("src/**/*.[ch]")}


def unused(source, command):
    """(function, parameter) of each warning."""
    if command[0].endswith("ccache"):
        del command[0]
    keep = [a for a in command if a.startswith(("-I", "-D", "-std")) or a in ("-fopenmp", "-pthread")]
    call = [command[0], *keep, "-fsyntax-only", "-Wunused-parameter", "-fdiagnostics-color=never", str(source)]
    said = subprocess.run(call, cwd=build, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C")).stderr
    function = None
    for line in said.splitlines():
        function = (re.search(r"[Ii]n function '(\w+)'", line) or [None, function])[1]
        if found := re.search(r"unused parameter '(\w+)'", line):
            yield function, found[1]


def is_called_only(name, source):
    there = texts.values() if name.startswith("gls_") else [texts[source]]
    return not any(re.search(rf"\b{name}\b(?!\s*\()", text) for text in there)


def check(item):
    source, command = item
    return [f"{source.relative_to(root)}: {function}: parameter {parameter} is not used"
            for function, parameter in unused(source, command)
            if any(room in source.parents for room in strict) or is_called_only(function, source)]


commands = {}
for entry in json.loads((build / "compile_commands.json").read_text()):
    source = (build / entry["file"]).resolve()
    if root / "src" in source.parents:
        commands.setdefault(source, shlex.split(entry["command"]))
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    wrong = sorted(line for lines in pool.map(check, commands.items()) for line in lines)
if not commands:
    sys.exit("check_unused: no file checked")
print("\n".join(wrong), end="\n" if wrong else "")
sys.exit(len(wrong) > 0)
