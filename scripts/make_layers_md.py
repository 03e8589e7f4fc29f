"""Writes docs/layers.md from the table of ops, or checks that it is what the table says.

Usage: make_layers_md.py BUILD/layers_page [--check]
"""
import pathlib
import subprocess
import sys

page = pathlib.Path(__file__).resolve().parent.parent / "docs/layers.md"
text = subprocess.run([pathlib.Path(sys.argv[1]).resolve()], capture_output=True, text=True, check=True).stdout
if "--check" not in sys.argv[2:]:
    page.write_text(text)
elif page.read_text() != text:
    sys.exit(f"docs/layers.md is not what the table of ops says; write it again: {sys.argv[0]} {sys.argv[1]}")
