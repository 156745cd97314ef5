"""Makes pprof files for the tests, and reads callgrind ones, independently of the C code."""

import gzip
import os
import re
import shutil
import subprocess


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value) if value else b""


def blob(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def packed(field, values):
    return blob(field, b"".join(varint(v) for v in values))


class Profile:
    """Functions are (name, file, start line), locations (mapping, address, [(function, line)])."""

    def __init__(self, types, default=None):
        self.strings = {b"": 0}
        self.types = types
        self.default = default
        self.mappings, self.locations, self.functions, self.samples = [], [], {}, []
        self.known_locations = {}

    def text(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        return self.strings.setdefault(data, len(self.strings))

    def mapping(self, file, start, size=0x1000000, offset=0, flags=True):
        fields = number(1, len(self.mappings) + 1) + number(2, start) + number(3, start + size)
        fields += number(4, offset) + number(5, self.text(file))
        fields += b"".join(number(n, int(flags)) for n in (7, 8, 9, 10))
        self.mappings.append(fields)
        return len(self.mappings)

    def function(self, name, file="", line=0):
        key = (name, file, line)
        if key not in self.functions:
            self.functions[key] = len(self.functions) + 1
        return self.functions[key]

    def location(self, mapping, address, lines):
        key = (mapping, address)
        if key not in self.known_locations:
            fields = number(1, len(self.locations) + 1) + number(2, mapping) + number(3, address)
            for function, line in lines:
                fields += blob(4, number(1, function) + number(2, line))
            self.locations.append(fields)
            self.known_locations[key] = len(self.locations)
        return self.known_locations[key]

    def sample(self, stack_leaf_first, values, labels=()):
        fields = packed(1, stack_leaf_first) + packed(2, values)
        for key, value in labels:
            if isinstance(value, int):
                fields += blob(3, number(1, self.text(key)) + number(3, value))
            else:
                fields += blob(3, number(1, self.text(key)) + number(2, self.text(value)))
        self.samples.append(fields)

    def encode(self):
        def type_of(name, unit):
            return number(1, self.text(name)) + number(2, self.text(unit))

        out = b"".join(blob(1, type_of(*t)) for t in self.types)
        out += b"".join(blob(2, s) for s in self.samples)
        out += b"".join(blob(3, m) for m in self.mappings)
        out += b"".join(blob(4, at) for at in self.locations)
        for (name, file, line), index in self.functions.items():
            fields = number(1, index) + number(2, self.text(name)) + number(3, self.text(name))
            out += blob(5, fields + number(4, self.text(file)) + number(5, line))
        out += blob(11, type_of("cpu", "nanoseconds")) + number(12, 1) + number(9, 1700000000 * 10**9)
        if self.default:
            out += number(14, self.text(self.default))
        return out + b"".join(blob(6, s) for s in self.strings)

    def save(self, path):
        with open(path, "wb") as f:
            f.write(gzip.compress(self.encode()))
        return path


def go_tool(*arguments):
    """Output of go tool pprof, None if there is no Go here."""
    if not shutil.which("go"):
        return None
    return subprocess.run(["go", "tool", "pprof", *arguments], check=True, capture_output=True,
                          env={**os.environ, "HOME": os.environ.get("HOME", "/nonexistent")}).stdout.decode("utf-8", "replace")


def go_cum(path, sample_type, unit):
    """{function: (flat, cum)} of go tool pprof -top, None without Go."""
    text = go_tool("-top", "-nodecount=0", "-nodefraction=0", "-edgefraction=0", "-symbolize=none",
                   f"-sample_index={sample_type}", f"-unit={unit}", path)
    if text is None:
        return None
    result = {}
    for line in text[text.index("flat%") :].splitlines()[1:]:
        flat, _, _, cum, _, name = line.strip().split(None, 5)
        amounts = [int(re.match(r"-?\d+", v).group()) for v in (flat, cum)]
        result[name.removesuffix(" (inline)").removesuffix(" (partial-inline)")] = tuple(amounts)
    return result


class Callgrind:
    """A callgrind file as KCachegrind reads it: numbers bound at their first appearance."""

    def __init__(self, text):
        self.names = {"ob": {}, "fl": {}, "fn": {}}
        self.bound = {}  # fn number -> (object, file, name)
        self.self, self.incoming, self.edges = {}, {}, {}
        self.events = self.summary = self.totals = None
        self.lines = {}
        kind = {"cob": "ob", "cfi": "fl", "cfl": "fl", "cfn": "fn", "fi": "fl", "fe": "fl"}
        now, call, expect = {"ob": "", "fl": "", "fn": ""}, {}, None
        lines = text.split("\n")
        assert lines[0] == "# callgrind format"
        for line in lines[1:]:
            if not line or line.startswith("#"):
                continue
            header = re.match(r"(\w+): ?(.*)", line)
            spec = re.match(r"(ob|fl|fi|fe|fn|cob|cfi|cfl|cfn)=\((\d+)\)(?: (.+))?$", line)
            if header:
                self.header(*header.groups())
            elif spec:
                key, number_, name = spec.groups()
                space = kind.get(key, key)
                if name is not None:
                    assert number_ not in self.names[space], "defined twice: " + line
                    self.names[space][number_] = name
                name = self.names[space][number_]
                target = call if key.startswith("c") else now
                target[space] = name
                if space == "fn":
                    ob, fl = (target.get(k, now[k]) for k in ("ob", "fl"))
                    place = self.bound.setdefault(number_, (ob, fl, name))
                    assert place == (ob, fl, name), f"{place} is used as {(ob, fl, name)}"
                    target["id"] = number_
            elif line.startswith("calls="):
                expect = int(line[6:].split()[0])
                assert expect >= 1
            else:
                self.cost(line.split(), self.bound[now["id"]], call, expect)
                if expect:
                    call, expect = {}, None

    def header(self, key, value):
        if key == "events":
            self.events = value.split()
            self.total = [0] * len(self.events)
        elif key in ("summary", "totals"):
            assert self.events, key + " before events"
            setattr(self, key, [int(v) for v in value.split()])

    def cost(self, words, place, call, calls):
        values = [int(v) for v in words[2:]]
        assert len(values) == len(self.events) and min(values) >= 0
        address, line = int(words[0], 16), int(words[1])
        assert 0 <= line < 1 << 31 and address < 1 << 64
        if calls:
            callee = self.bound[call["id"]]
            self.add(self.incoming, callee, values)
            self.add(self.edges, (place, callee), values)
        else:
            self.add(self.self, place, values)
            self.add(self.lines, (place, address, line), values)
            self.total = [a + b for a, b in zip(self.total, values)]

    @staticmethod
    def add(table, key, values):
        old = table.get(key, [0] * len(values))
        table[key] = [a + b for a, b in zip(old, values)]
