"""embed.py OUTPUT NAME INPUT...: text files, one after the other, as a C array that ends
with a NUL. JavaScript modules are put together: their imports of each other vanish."""

import re
import sys

target, name, *sources = sys.argv[1:]
data = b""
for source in sources:
    with open(source, "rb") as f:
        text = f.read()
    if source.endswith(".js"):
        text = re.sub(rb"(?m)^import [^;]*;\n", b"", text)
        text = re.sub(rb"(?m)^export ", b"", text)
    data += text
data += b"\0"
with open(target, "w") as f:
    f.write("static const char %s[] = {\n" % name)
    for i in range(0, len(data), 16):
        f.write(" ".join("%d," % (b if b < 128 else b - 256) for b in data[i : i + 16]) + "\n")
    f.write("};\n")
