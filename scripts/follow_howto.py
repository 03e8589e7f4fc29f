"""Follows docs/howto-add-*.md literally in a copy of the tree, builds it and runs the test that the page adds.

Usage: follow_howto.py WORKDIR PAGE...

A page's steps are sentences of two forms, each followed by a fenced block:
    Create `path`:
    In `path`, after the line `text`, add:
and one sentence of the form  Run the test `name`.
"""
import pathlib
import re
import shutil
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parent.parent
work = pathlib.Path(sys.argv[1])
shutil.rmtree(work, ignore_errors=True)
files = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split("\n")
for name in filter(None, files):
    if (root / name).is_file():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, work / name)

step = re.compile(
    r"^(?:\d+\.\s+)?(?:Create `(?P<create>[^`]+)`|In `(?P<edit>[^`]+)`, after the line `(?P<after>[^`]+)`, add)[^\n]*:\n+"
    r"\s*```\w*\n(?P<text>.*?)^\s*```",
    flags=re.M | re.S,
)
tests = []
for page in sys.argv[2:]:
    text = pathlib.Path(page).read_text()
    steps = list(step.finditer(text))
    if not steps:
        sys.exit(f"{page}: no step found")
    for match in steps:
        indent = re.match(r"\s*", match["text"].split("\n")[0]).group() if match["text"].startswith("   ") else ""
        body = "".join(line.removeprefix("   " if indent else "") for line in match["text"].splitlines(keepends=True))
        if match["create"]:
            target = work / match["create"]
            if target.exists():
                sys.exit(f"{page}: {match['create']} is there already")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body)
        else:
            target = work / match["edit"]
            lines = target.read_text().split("\n")
            found = [i for i, line in enumerate(lines) if line.strip() == match["after"].strip()]
            if len(found) != 1:
                sys.exit(f"{page}: {match['edit']} has {len(found)} lines {match['after']!r}, expected one")
            lines[found[0] + 1 : found[0] + 1] = body.rstrip("\n").split("\n")
            target.write_text("\n".join(lines))
    names = re.findall(r"Run the test `([^`]+)`", text)
    if not names:
        sys.exit(f"{page}: names no test to run")
    tests += names

subprocess.run(["meson", "setup", str(work / "build"), str(work), "-Dbench=false", "-Doptimization=1"], check=True,
               stdout=subprocess.DEVNULL)
targets = [f"tests/test_{name}{precision}" for name in tests for precision in ("", "64")]
subprocess.run(["ninja", "-C", str(work / "build"), *targets], check=True, stdout=subprocess.DEVNULL)
for target in targets:
    subprocess.run([str(work / "build" / target)], check=True, stderr=subprocess.DEVNULL)
print(f"followed {len(sys.argv) - 2} pages; ran {', '.join(tests)}")
