"""embed.py INPUT OUTPUT NAME: a text file as a C array, NUL-terminated."""

import sys

source, target, name = sys.argv[1:]
with open(source, "rb") as f:
    data = f.read() + b"\0"
with open(target, "w") as f:
    f.write("static const char %s[] = {\n" % name)
    for i in range(0, len(data), 16):
        f.write(" ".join("%d," % (b if b < 128 else b - 256) for b in data[i : i + 16]) + "\n")
    f.write("};\n")
