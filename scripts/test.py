"""Runs the built tests of a build folder and ends with the one line `N passed, N failed[, N skipped]`.

Usage: test.py BUILD SUITE [TEST...]: those of the suite, or the named ones. Counts are of single checks (TAP lines), not of
programs; a program that dies counts as one failed check.
"""
import json
import os
import re
import subprocess
import sys

build, suite, *names = sys.argv[1:]
# The long checks time things: one at a time. Of the quick ones those that do are marked (tests/meson.build).
at_once = str(os.cpu_count() or 1) if suite == "fast" else "1"
status = subprocess.run(
    ["meson", "test", "-C", build, "--no-rebuild", *(names or ["--suite", suite]), "--print-errorlogs", "--num-processes", at_once]
).returncode
passed = failed = skipped = 0
with open(f"{build}/meson-logs/testlog.json") as log:
    for line in log:
        test = json.loads(line)
        lines = re.findall(r"^(ok|not ok)\b(.*)$", test.get("stdout", ""), flags=re.M)
        skips = sum("# SKIP" in rest for _, rest in lines)  # cmocka writes "not ok 1 # SKIP"
        bad = sum(kind == "not ok" and "# SKIP" not in rest for kind, rest in lines)
        good = len(lines) - bad - skips
        if test["result"] == "SKIP" and not lines:
            skips = 1
        elif test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and bad == 0:
            bad = 1
        elif test["result"] == "OK" and not lines:
            good = 1
        passed, failed, skipped = passed + good, failed + bad, skipped + skips
print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(1 if failed or status else 0)
