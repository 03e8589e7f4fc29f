"""Checks docs/architecture.md against the tree: every src/**/*.c is named under the heading of its folder, or lies in a
folder of which the page says "`NAME/` has one file a ..."; and every file that the page names exists.

Usage: check_architecture.py SOURCE_ROOT.
"""
import pathlib
import re
import sys

PAGE = "docs/architecture.md"


def sections(text):
    """Pairs of the folder in a heading `### src/...` or `### python/...` ("" elsewhere) and the text below it."""
    parts = re.split(r"^#{2,3} (.*)$", text, flags=re.M)
    yield "", parts[0]
    for heading, body in zip(parts[1::2], parts[2::2]):
        yield (heading if heading.startswith(("src/", "python/")) else ""), body


def read_page(root):
    """The files that the page names, the folders it covers by a sentence, and what it names in vain."""
    named, covered, bad = set(), set(), []
    for folder, body in sections((root / PAGE).read_text()):
        if folder and not (root / folder).is_dir():
            bad.append(f"{PAGE}: no folder {folder}")
        for name in re.findall(r"`([\w./-]+\.(?:c|h|py|js))`", body):
            found = [p for p in (folder + name, name, "include/glissade/" + name) if (root / p).is_file()]
            named.update(found[:1])
            if not found:
                bad.append(f"{PAGE}: no file {folder}{name}")
        for name in re.findall(r"`([\w/]+/)`\s+has\s+one\s+file\s+an?\s", body):
            covered.add(folder + name)
            if not (root / folder / name).is_dir():
                bad.append(f"{PAGE}: no folder {folder}{name}")
    return named, covered, bad


def main():
    root = pathlib.Path(sys.argv[1])
    named, covered, bad = read_page(root)
    for file in sorted(root.glob("src/**/*.c")):
        path = file.relative_to(root).as_posix()
        if path not in named and path.rpartition("/")[0] + "/" not in covered:
            bad.append(f"{PAGE}: {path} is not named")
    print("\n".join(bad), end="\n" if bad else "")
    sys.exit(bool(bad))


main()
