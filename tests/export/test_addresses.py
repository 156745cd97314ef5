"""Addresses in callgrind exports are those of objdump: usage: test_addresses.py PROF CC..."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from pprof import Callgrind, Profile

TOOL, *CC = sys.argv[1:]
del sys.argv[1:]

SOURCE = """
struct ops { long a; int (*near)(int); char gap[400]; int (*far)(int); };
int leaf(int n) { return n + 1; }
int direct(int n) { return leaf(n) + leaf(n + 1); }
int by_register(int (*f)(int), int n) { return f(n) + f(n + 1); }
int by_table(struct ops *o, int n) { return o->near(n) + o->far(n) + 1; }
int by_stack(volatile int (*const *f)(int), int n) { return f[0](n) + f[3](n) + 1; }
int main(int argc, char **argv)
{
    struct ops o = {0, leaf, "", leaf};
    return direct(argc) + by_register(leaf, argc) + by_table(&o, argc);
}
"""
LAYOUTS = {"pie": ["-fPIE", "-pie"], "fixed": ["-fno-pie", "-no-pie"],
           "shifted": ["-fPIE", "-pie", "-Wl,-z,separate-code,-Ttext-segment=0x7000000"],
           "packed": ["-fPIE", "-pie", "-Wl,-z,noseparate-code"]}


def disassemble(path):
    """{function: [(address, length, is a call)]} in link-time addresses."""
    text = subprocess.run(["objdump", "-d", "-w", path], check=True, capture_output=True,
                          text=True).stdout
    functions, at = {}, None
    for line in text.splitlines():
        name = re.match(r"[0-9a-f]+ <(\w+)>:$", line)
        code = re.match(r"\s+([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*(.*)", line)
        if name:
            at = functions.setdefault(name[1], [])
        elif code:
            is_call = re.match(r"(call|bl)r?\b", code[3]) is not None
            at.append((int(code[1], 16), len(code[2].split()), is_call))
    return functions


def text_segment(path):
    """(offset, link-time address, size), whole pages, of the executable segment."""
    text = subprocess.run(["readelf", "-lW", path], check=True, capture_output=True, text=True).stdout
    load = re.search(r"LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+) 0x\w+ R E", text)
    offset, address, size = (int(v, 16) for v in load.groups())
    slack = offset % 4096
    return offset - slack, address - slack, (size + slack + 4095) & ~4095


@unittest.skipUnless(shutil.which("objdump") and shutil.which("readelf"), "no binutils here")
class Addresses(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)

    def build(self, layout):
        source, out = os.path.join(self.dir, "a.c"), os.path.join(self.dir, layout)
        with open(source, "w") as f:
            f.write(SOURCE)
        subprocess.run([*CC, "-O1", "-g", "-w", "-fno-inline", "-fno-optimize-sibling-calls",
                        *LAYOUTS[layout], "-o", out, source], check=True)
        return out

    def check(self, layout):
        path = self.build(layout)
        offset, linked, size = text_segment(path)
        start = linked if layout == "fixed" else 0x555555554000 + offset
        functions = disassemble(path)
        p = Profile([("samples", "count"), ("cpu", "nanoseconds")])
        mapping = p.mapping(path, start, size, offset)
        calls, leaves = set(), set()
        top = p.location(mapping, functions["leaf"][0][0] - linked + start, [])
        leaves.add(functions["leaf"][0][0])
        for name in "direct", "by_register", "by_table", "by_stack", "main":
            for address, length, is_call in functions[name]:
                if is_call:
                    calls.add(address)
                    back = address + length - 1 - linked + start
                    p.sample([top, p.location(mapping, back, [])], [1, 10])
        self.assertGreater(len(calls), 8)
        saved = p.save(os.path.join(self.dir, "p.pb.gz"))
        out = subprocess.run([TOOL, "export", "-quiet", "-no-symbols", "--to", "callgrind", saved],
                             check=True, capture_output=True, text=True).stdout
        self.assertEqual({a for _, a, _ in Callgrind(out).lines}, leaves)
        sites = {int(line.split()[0], 16) for before, line in zip(out.split("\n"), out.split("\n")[1:])
                 if before.startswith("calls=")} - {0}
        self.assertEqual(sites, calls)

    def test_pie(self):
        self.check("pie")

    def test_fixed(self):
        self.check("fixed")

    def test_shifted(self):
        self.check("shifted")

    def test_packed(self):
        self.check("packed")


if __name__ == "__main__":
    unittest.main()
