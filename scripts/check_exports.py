"""Checks that the shared libraries export what the public headers declare, and nothing else.

Usage: check_exports.py [--update] NAMES64_H EXPORTS_TXT LIBGLISSADE LIBGLISSADE64. names64.h holds the declared names
with their double-precision ones; exports.txt is the committed list, so that a change of the interface shows in a diff;
--update writes it (`ninja -C build update-exports`).
"""
import re
import subprocess
import sys


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].partition("@")[0] for line in lines.splitlines() if line.split()[-2] != "A"}


def compare(what, found, expected):
    for name in sorted(found - expected):
        print(f"{what}: {name} is not declared in a public header")
    for name in sorted(expected - found):
        print(f"{what}: {name} is missing")
    return found == expected


update = "--update" in sys.argv
names64, listed, library, library64 = [a for a in sys.argv[1:] if a != "--update"]
pairs = re.findall(r"^#define (gls_\w+) (gls64_\w+)$", open(names64).read(), flags=re.M)
if update:
    open(listed, "w").write("".join(f"{name}\n" for name, _ in pairs))
fine = [
    compare(listed, set(open(listed).read().split()), {name for name, _ in pairs}),
    compare(library, exported(library), {name for name, _ in pairs}),
    compare(library64, exported(library64), {name for _, name in pairs}),
]
if not fine[0]:
    print("after a wanted change: ninja -C build update-exports")
sys.exit(not all(fine))
