"""Turns the headers' plain comments into Doxygen's, and links between guides into references. Usage: doxygen_filter.py FILE."""
import pathlib
import re
import sys

path = sys.argv[1]
text = open(path).read()


def escaped(comment):
    """What Doxygen would take for a command, a tag or a list."""
    comment = re.sub(r"([\\@<>#&%])", r"\\\1", comment)
    return re.sub(r"^(\s*\*?\s*)- ", r"\1- ", comment, flags=re.M)


def header(text):
    out, at = [], 0
    for match in re.finditer(r"/\*(.*?)\*/", text, flags=re.S):
        line = text[text.rfind("\n", 0, match.start()) + 1:match.start()]
        body = escaped(match[1])
        if match.start() == 0:
            new = "/** @file\n" + body + "*/"
        elif re.match(r"\s*(----|====)", match[1]):
            new = match[0]
        else:
            new = ("/**<" if line.strip() else "/**") + body + "*/"
        out += [text[at:match.start()], new]
        at = match.end()
    return "".join(out) + text[at:]


def anchor(stem, heading):
    """The name that a heading has in links, made one of the whole site."""
    return stem.lower() + "-" + re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def guide(text, stem):
    parts = re.split(r"(^```.*?^```|^(?:    .*\n)+)", text, flags=re.M | re.S)
    for i in range(0, len(parts), 2):  # the others are code
        parts[i] = re.sub(r"^(#{2,6} )(.*?)$", lambda m: f"{m[1]}{m[2]} {{#{anchor(stem, m[2])}}}", parts[i], flags=re.M)
        parts[i] = re.sub(r"\]\(#([^)]*)\)", lambda m: f"](#{stem.lower()}-{m[1]})", parts[i])
        parts[i] = re.sub(r"\]\((?:docs/)?([\w-]+)\.md#([^)]*)\)", lambda m: f"](#{m[1].lower()}-{m[2]})", parts[i])
    return "".join(parts)


sys.stdout.write(header(text) if path.endswith(".h") else guide(text, pathlib.Path(path).stem))
