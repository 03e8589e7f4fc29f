"""Checks that every source file begins with a comment: what it is for, and what holds in it.

Usage: check_comments.py SOURCE_ROOT.
"""
import pathlib
import sys


def main():
    root = pathlib.Path(sys.argv[1])
    bare = [file.relative_to(root) for file in sorted(root.glob("src/**/*.c")) if not file.read_text().startswith("/*")]
    for file in bare:
        print(f"{file}: begins without a comment of purpose")
    sys.exit(bool(bare))


main()
