"""Reads a table with Python's csv module and writes what Glissade should make of it: usage csv_compare.py FILE OUT.

Column y is the target (texts), w the weight; other columns are numbers where their first value is one, else categories
in the order of their UTF-8 bytes. Writes one line an example: class, weight, features in C99 hexadecimal.
"""
import csv
import sys


def is_number(text):
    try:
        float(text)
        return True
    except ValueError:
        return False


with open(sys.argv[1], newline="", encoding="utf-8") as f:
    rows = list(csv.reader(f))
header, rows = rows[0], [row for row in rows[1:] if row]
classes = sorted({row[header.index("y")] for row in rows}, key=lambda s: s.encode())
columns = []
for j, name in enumerate(header):
    if name in ("y", "w"):
        continue
    values = [row[j] for row in rows]
    if is_number(values[0]):
        columns.append([[float(v)] for v in values])
    else:
        known = sorted(set(values), key=lambda s: s.encode())
        columns.append([[float(v == k) for k in known] for v in values])
with open(sys.argv[2], "w") as out:
    for i, row in enumerate(rows):
        features = [v.hex() for column in columns for v in column[i]]
        out.write(" ".join([str(classes.index(row[header.index("y")])), float(row[header.index("w")]).hex()] + features) + "\n")
