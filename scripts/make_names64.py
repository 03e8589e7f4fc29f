"""Writes glissade64.h: the double-precision face of the library, every exported function renamed gls64_..."""
import re
import sys

out, headers = sys.argv[1], sys.argv[2:]
names = set()
for header in headers:
    text = re.sub(r"/\*.*?\*/", "", open(header).read(), flags=re.S)
    names.update(re.findall(r"^GLS_API\b[^;{(]*?\b(gls_\w+)\s*\(", text, flags=re.M))
with open(out, "w") as f:
    f.write("/* Made from the public headers: include this in place of glissade.h and link glissade64. */\n")
    f.write("#ifndef GLISSADE64_H\n#define GLISSADE64_H\n#ifndef GLS_DOUBLE\n#define GLS_DOUBLE\n#endif\n")
    for name in sorted(names):
        f.write(f"#define {name} gls64_{name[4:]}\n")
    f.write("#ifndef GLS_NAMES_ONLY\n#include <glissade/glissade.h>\n#endif\n#endif\n")
