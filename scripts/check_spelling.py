"""Checks what may be spelled in two ways in C and is spelled in one here.

Usage: check_spelling.py SOURCE_ROOT.
"""
import pathlib
import re
import sys

ROOMS = "base|comm|data|problem|model|estimator|method|measure|run|report|cli"
COMPARE = r"(?:str|mem)n?(?:case)?cmp\("
RULES = [
    (re.compile(r"sizeof\(\*+[A-Za-z_][\w.>-]*\)"), "sizeof *x, not sizeof(*x)"),
    (re.compile(r"!" + COMPARE), "strcmp(a, b) == 0, not !strcmp(a, b)"),
    (re.compile(r"(?:\bfor \(.*[;,]|[{});] |^) *(?:\+\+|--)[a-z][\w.>\[\]-]*(?:[),;]|$)"), "i++, not ++i"),
    (re.compile(r"\b(?:if|while) \([\w.>*\[\]-]+ [!=]= NULL\)"), "if (x) or if (!x), not a comparison with NULL"),
    (re.compile(r"(?:&&|\|\|) [\w.>*\[\]-]+ [!=]= NULL|[\w.>\]] [!=]= NULL (?:&&|\|\||\?)"),
     "x or !x in a condition, not a comparison with NULL"),
    (re.compile(rf"# *include <(?:{ROOMS})/"), 'a source\'s header is included as "room/file.h"'),
    (re.compile(r'# *include "glissade/'), "a public header is included as <glissade/file.h>"),
]
OPENING = re.compile(r" *(?:if|for|while) \(.*\) \{$")


def include_faults(root, path, lines):
    """Headers beside a file of src or include that are named without their room. Tests may have helpers of their own."""
    if path.parts[0] not in ("src", "include"):
        return
    for number, line in enumerate(lines, 1):
        found = re.match(r'# *include "([^/"]+)"', line)
        if found and (root / path.parent / found.group(1)).exists():
            yield number, 'headers are included as "room/file.h" and <glissade/file.h>'


def brace_faults(lines):
    """Braces round a statement of one line, in a loop or an `if` without `else`."""
    for i, line in enumerate(lines[:-2]):
        if not OPENING.match(line) or line.count("(") != line.count(")"):
            continue
        indent = line[: len(line) - len(line.lstrip())]
        body = lines[i + 1]
        plain = body.startswith(indent + "    ") and body.endswith(";") and body[len(indent) + 4] not in " #"
        if plain and lines[i + 2] == indent + "}":
            yield i + 1, "no braces round one statement"


def main():
    root = pathlib.Path(sys.argv[1])
    bad = []
    for folder in ("src", "include", "tests", "bench", "fuzz", "examples"):
        for file in sorted((root / folder).glob("**/*.[ch]")):
            path, lines = file.relative_to(root), file.read_text().splitlines()
            faults = [(n, text) for n, line in enumerate(lines, 1) for rule, text in RULES if rule.search(line)]
            faults += [*include_faults(root, path, lines), *brace_faults(lines)]
            bad += [f"{path}:{number}: {text}" for number, text in sorted(faults)]
    print("\n".join(bad))
    sys.exit(bool(bad))


main()
