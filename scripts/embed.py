"""Writes a C file that holds text files as constant arrays: embed.py OUT NAME=PATH ..."""
import sys

with open(sys.argv[1], "w") as out:
    out.write('#include "report/assets.h"\n')
    for item in sys.argv[2:]:
        name, path = item.split("=", 1)
        data = open(path, "rb").read()
        if b"</script" in data:
            sys.exit(f"embed: {path} would end the script element that it is put in")
        out.write(f"const char {name}[] = {{\n")
        for i in range(0, len(data), 24):
            out.write(",".join(str(b if b < 128 else b - 256) for b in data[i : i + 24]) + ",\n")
        out.write("0};\n")
