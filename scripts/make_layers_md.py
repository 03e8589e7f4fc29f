"""Writes docs/layers.md from the table of ops, or checks that it is what the table says.

Usage: make_layers_md.py [--check] [EMULATOR] BUILD/layers_page
"""
import pathlib
import subprocess
import sys

page = pathlib.Path(__file__).resolve().parent.parent / "docs/layers.md"
check = sys.argv[1] == "--check"
*emulator, program = sys.argv[1 + check :]
command = [*emulator, pathlib.Path(program).resolve()]
text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
if not check:
    page.write_text(text)
elif page.read_text() != text:
    sys.exit(f"docs/layers.md is not what the table of ops says; write it again: {sys.argv[0]} {program}")
