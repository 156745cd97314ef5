"""embed.py OUTPUT FILE...: the page's files as C arrays, for files.h."""

import hashlib
import os
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

target, *sources = sys.argv[1:]
with open(target, "w") as out:
    out.write('#include "web/files.h"\n')
    rows = []
    for i, source in enumerate(sources):
        with open(source, "rb") as f:
            data = f.read()
        name = os.path.basename(source)
        tag = hashlib.sha256(data).hexdigest()[:16]
        out.write("static const unsigned char file_%d[] = {\n" % i)
        for at in range(0, len(data), 32):
            out.write(",".join(map(str, data[at : at + 32])) + ",\n")
        out.write("};\n")
        rows.append('    {"%s", "%s", "\\"%s\\"", file_%d, sizeof file_%d},\n'
                    % (name, TYPES[os.path.splitext(name)[1]], tag, i, i))
    out.write("const struct web_file web_files[] = {\n%s    {0},\n};\n" % "".join(rows))
