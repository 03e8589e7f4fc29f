"""Writes names64.h: every exported function renamed gls64_..., so that both precisions fit into one program."""
import re
import sys

out, headers = sys.argv[1], sys.argv[2:]
names = set()
for header in headers:
    text = re.sub(r"/\*.*?\*/", "", open(header).read(), flags=re.S)
    names.update(re.findall(r"^GLS_API\b[^;{(]*?\b(gls_\w+)\s*\(", text, flags=re.M))
with open(out, "w") as f:
    f.write("/* Made from the public headers: the exports of glissade64. */\n")
    f.write("#ifndef GLISSADE_NAMES64_H\n#define GLISSADE_NAMES64_H\n")
    for name in sorted(names):
        f.write(f"#define {name} gls64_{name[4:]}\n")
    f.write("#endif\n")
