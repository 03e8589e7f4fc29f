"""Runs the theory checks at full length and writes their figures into docs/theory.md.

usage: theory.py BUILD [DOCUMENT]      (BUILD holds tests/test_theory_*64; the document's tables are replaced)
"""
import os
import re
import subprocess
import sys

TITLES = {
    "diversity": "Gradient diversity [D]",
    "batch_limits": "Batches at their limit [D]",
    "conflicts": "What data and mechanisms guarantee [D]",
    "stability": "Stability and generalisation [D]",
    "sngm": "Normalised gradients with momentum [N]",
    "heavy": "Clipping under heavy tails [A], [T] chapter 4",
    "heavy_rates": "Rates without convexity, [T] table 4.1",
    "relaxed": "Acceleration and relaxed smoothness, [T] chapters 2 and 3",
    "nonsmooth": "Non-smooth functions, [T] chapter 5",
    "rates": "Gradients against accuracy, [T] table 5.1",
    "invariant": "Descent that does not converge, [T] chapter 6",
    "draggers": "Micro-batch clipping and draggers [M]",
    "lemmas": "Lemmas that theorems stand on [M], [N], [T]",
}
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def lines_of(build, name):
    program = os.path.join(build, "tests", f"test_theory_{name}64")
    environment = dict(os.environ, GLS_THEORY="full", CMOCKA_MESSAGE_OUTPUT="TAP", OMP_WAIT_POLICY="passive")
    output = subprocess.run([program], env=environment, stdout=subprocess.PIPE, text=True).stdout
    return [line[len("# theory: "):] for line in output.splitlines() if line.startswith("# theory: ")]


def table(lines):
    rows = ["| statement | measured | predicted | repetitions | verdict |", "|---|---|---|---|---|"]
    for line in lines:
        # statements may hold bars of their own ("E|grad F|"); the four fields behind do so too, but with no space inside
        fields = re.split(r" \| ", line)
        rows.append("| " + " | ".join(field.replace("|", "\\|") for field in fields) + " |")
    return "\n".join(rows)


def main():
    build, document = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "docs/theory.md"
    parts, failed = [], 0
    for name, title in TITLES.items():
        lines = lines_of(build, name)
        failed += sum(line.endswith("| fails") for line in lines)
        parts.append(f"### {title}\n\n{table(lines)}\n")
    text = open(document).read()
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    with open(document, "w") as out:
        out.write(head + BEGIN + "\n\n" + "\n".join(parts) + "\n" + END + tail)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
