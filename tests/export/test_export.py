"""prof export: usage: test_export.py PROF."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import xml.dom.minidom

import fixtures
from pprof import Callgrind, go_cum

TOOL = sys.argv.pop(1)
HERE = os.path.dirname(os.path.abspath(__file__))


class ExportCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.dir)

    def save(self, profile, name="p"):
        return profile.save(os.path.join(self.dir, name + ".pb.gz"))

    def run_tool(self, *arguments):
        return subprocess.run([TOOL, "export", "-quiet", *arguments], capture_output=True)

    def export(self, form, *arguments):
        done = self.run_tool("--to", form, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode()  # which also says that it is UTF-8

    def refuse(self, *arguments):
        """The one line the tool refuses with."""
        done = self.run_tool(*arguments)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stdout, b"")
        text = done.stderr.decode()
        self.assertEqual(text.count("\n"), 1, text)
        return text

    def compare(self, form, *arguments):
        """Exports the comparison of two profiles that differ in known ways."""
        before = self.save(fixtures.change(3, "gone"), "before")
        after = self.save(fixtures.change(5, "come"), "after")
        return self.export(form, "--diff_base", before, *arguments, after)


class Callgrinds(ExportCase):
    def check_against_go(self, path, types):
        text = self.export("callgrind", path)
        parsed = Callgrind(text)
        self.assertEqual(parsed.summary, parsed.total)
        self.assertEqual(parsed.totals, parsed.total)
        for name, unit in types:
            expected = go_cum(path, name, unit)
            if expected is None:
                self.skipTest("no Go here to compare with")
            event = parsed.events.index(name)
            for function, (flat, cum) in expected.items():
                same = [v for (_, _, fn), v in parsed.self.items() if fn == function]
                self.assertEqual(sum(v[event] for v in same), flat, function)
                same = [v for (_, _, fn), v in parsed.incoming.items() if fn == function]
                self.assertEqual(sum(v[event] for v in same), cum, function)

    def test_cost_equals_pprof(self):
        path = self.save(fixtures.recursion())
        self.check_against_go(path, [("samples", "count"), ("cpu", "ns")])

    def test_large_equals_pprof(self):
        path = self.save(fixtures.large(500))
        self.check_against_go(path, [("alloc_objects", "count"), ("inuse_space", "B")])

    def test_annotate_agrees(self):
        if not shutil.which("callgrind_annotate"):
            self.skipTest("no callgrind_annotate here")
        out = os.path.join(self.dir, "callgrind.out.1")
        self.export("callgrind", "-o", out, self.save(fixtures.recursion()))
        done = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--tree=both",
                               "--threshold=100", out], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"98 \(100.0%\) 13 \(100.0%\)  PROGRAM TOTALS")
        # x and y call each other and x itself; both numbers are pprof's cum.
        self.assertRegex(done.stdout, r"71 \(72.45%\) .* \*  /src/app.c:x \[/src/app\]")
        self.assertRegex(done.stdout, r"41 \(41.84%\) .* \*  /src/lib.c:y \[/usr/lib/libw.so.1\]")

    def test_golden(self):
        with open(os.path.join(HERE, "recursion.callgrind")) as f:
            golden = f.read()
        text = self.export("callgrind", self.save(fixtures.recursion()))
        self.assertEqual(re.sub("creator: .*", "creator: libprof", text), golden)

    def test_odd_names(self):
        parsed = Callgrind(self.export("callgrind", self.save(fixtures.odd_names())))
        self.assertEqual(parsed.events[0], "inuse_space")
        self.assertEqual(len(parsed.bound), len(fixtures.ODD_NAMES) + 1)
        self.assertEqual({at[0] for at in parsed.bound.values()}, {'/odd "dir"/<app>&;', "???"})
        self.assertIn("semi;colon", {at[2] for at in parsed.bound.values()})
        # A program linked to run where it is keeps its addresses.
        self.assertIn(0x401000, {address for _, address, _ in parsed.lines})

    def test_namesakes_stay_apart(self):
        parsed = Callgrind(self.export("callgrind", self.save(fixtures.namesakes())))
        cpu = {file: v[0] for (_, file, _), v in parsed.incoming.items()}
        self.assertEqual(cpu, {"/one/x.c": 5, "/two/x.c": 12})
        names = {name for _, _, name in parsed.incoming}
        self.assertEqual(names, {"init", "init [2]"})

    def test_chosen_type_is_first(self):
        path = self.save(fixtures.odd_names())
        parsed = Callgrind(self.export("callgrind", "-sample_index", "alloc_space", path))
        self.assertEqual(parsed.events[0], "alloc_space")

    def test_comparison_is_refused(self):
        before = self.save(fixtures.change(9, "gone"), "before")
        after = self.save(fixtures.change(5, "come"), "after")
        for option in "--base", "--diff_base":
            text = self.refuse("--to", "callgrind", option, before, after)
            self.assertRegex(text, "negative values .*callgrind")


class Folded(ExportCase):
    def parse(self, text):
        result = {}
        for line in text.removesuffix("\n").split("\n"):
            stack, value = re.fullmatch(r"(.*) (\d+)", line).groups()
            self.assertNotIn(stack, result)
            result[stack] = int(value)
        return result

    def test_stacks(self):
        stacks = self.parse(self.export("folded", self.save(fixtures.recursion())))
        self.assertEqual(sum(stacks.values()), 98)
        self.assertEqual(stacks["main;x;x;x"], 30)
        self.assertEqual(stacks["main;y;x;inl"], 11)
        self.assertEqual(stacks["main;ns::work;[libc.so.6];[libc.so.6]"], 7)

    def test_odd_names(self):
        text = self.export("folded", "-sample_index=alloc_space", self.save(fixtures.odd_names()))
        stacks = self.parse(text)
        n = len(fixtures.ODD_NAMES)
        self.assertEqual(sum(stacks.values()), sum(100 + i for i in range(n)))
        self.assertEqual(sorted(s.count(";") for s in stacks), list(range(n)))

    def test_comparison(self):
        self.assertEqual(set(self.compare("folded").splitlines()),
                         {"main;hot 30 50", "main;gone 10 0", "main;come 0 10"})

    def test_several_files_add_up(self):
        path = self.save(fixtures.recursion())
        self.assertEqual(sum(self.parse(self.export("folded", path, path)).values()), 2 * 98)


def clean(name):
    """What a name becomes in JSON: the same text, with ill-formed bytes replaced."""
    if isinstance(name, str):
        return name
    return name.replace(b"\xff", b"").replace(b"\xc0", b"").decode()


class Json(ExportCase):
    def load(self, form, profile, *arguments):
        text = self.export(form, *arguments, self.save(profile))
        for forbidden in "<>&\u2028\u2029":  # may stand in a <script> element
            self.assertNotIn(forbidden, text)
        return json.loads(text)

    def check_names(self, names):
        cleaned = {n.replace("\ufffd", "") for n in names}
        self.assertEqual(cleaned, {clean(n) for n in fixtures.ODD_NAMES})

    def flatten(self, doc, values):
        """{stack: self value} of the flame tree."""
        names = [doc["strings"][i] for i in doc["frames"]["name"]]
        path, result = [], {}
        for frame, depth, value in zip(doc["nodes"]["frame"], doc["nodes"]["depth"], values):
            del path[max(depth - 1, 0) :]
            if frame >= 0:
                path.append(names[frame])
            self.assertEqual(len(path), depth)
            self.assertNotIn(tuple(path), result)
            result[tuple(path)] = value
        return result

    def test_flame_tree(self):
        doc = self.load("json", fixtures.recursion())
        self.assertEqual((doc["format"], doc["version"], doc["default"]), ("libprof-flame", 1, 1))
        self.assertEqual([sum(v) for v in doc["nodes"]["self"]], [13, 98])
        self.assertEqual(doc["time"], "2023-11-14T22:13:20Z")
        stacks = self.flatten(doc, doc["nodes"]["self"][1])
        self.assertEqual(stacks["main", "x", "x", "x"], 30)
        self.assertEqual(stacks["main", "ns::work", "[libc.so.6]", "[libc.so.6]"], 7)
        self.assertEqual(stacks[()], 1)
        inlined = self.flatten(doc, doc["nodes"]["inlined"])
        self.assertEqual([k for k, v in inlined.items() if v], [("main", "y", "x", "inl")])

    def test_flame_tree_odd_names(self):
        doc = self.load("json", fixtures.odd_names())
        self.check_names(doc["strings"][i] for i in doc["frames"]["name"])

    def test_flame_tree_comparison(self):
        doc = json.loads(self.compare("json"))
        self.assertTrue(doc["diff"])
        after = self.flatten(doc, doc["nodes"]["self"][1])
        before = self.flatten(doc, doc["nodes"]["base_self"][1])
        self.assertEqual((before["main", "hot"], after["main", "hot"]), (30, 50))
        self.assertEqual((before["main", "gone"], after["main", "gone"]), (10, 0))

    def test_flame_tree_difference_may_be_negative(self):
        before = self.save(fixtures.change(9, "gone"), "before")
        after = self.save(fixtures.change(5, "come"), "after")
        doc = json.loads(self.export("json", "-base", before, after))
        self.assertEqual(self.flatten(doc, doc["nodes"]["self"][1])["main", "hot"], -40)

    def test_speedscope(self):
        for profile, totals in (fixtures.recursion(), [13, 98]), (fixtures.odd_names(), None):
            doc = self.load("speedscope", profile)
            frames = doc["shared"]["frames"]
            for i, one in enumerate(doc["profiles"]):
                self.assertEqual(one["type"], "sampled")
                self.assertEqual(len(one["samples"]), len(one["weights"]))
                self.assertEqual(sum(one["weights"]), one["endValue"] - one["startValue"])
                self.assertTrue(all(0 <= f < len(frames) for s in one["samples"] for f in s))
                if totals:
                    self.assertEqual(one["endValue"], totals[i])
        self.check_names(f["name"] for f in frames)
        units = [one["unit"] for one in doc["profiles"]]
        self.assertEqual(units, ["none", "bytes", "none", "bytes"])
        self.assertEqual(doc["activeProfileIndex"], 3)

    def check_columns(self, table):
        for name, column in table.items():
            if isinstance(column, list):
                self.assertEqual(len(column), table["length"], name)

    def test_firefox(self):
        doc = self.load("firefox", fixtures.recursion())
        self.assertEqual(doc["meta"]["preprocessedProfileVersion"], 48)
        self.assertEqual([t["name"] for t in doc["threads"]], ["samples", "cpu"])
        for thread in doc["threads"]:
            for table in ("samples", "stackTable", "frameTable", "funcTable", "resourceTable",
                          "nativeSymbols", "markers"):
                self.check_columns(thread[table])
            stacks, strings = thread["stackTable"], thread["stringArray"]
            for i, prefix in enumerate(stacks["prefix"]):
                self.assertTrue(prefix is None or 0 <= prefix < i)
            self.assertTrue(all(0 <= n < len(strings) for n in thread["funcTable"]["name"]))
            self.assertTrue(all(-1 <= n < len(doc["libs"]) for n in thread["funcTable"]["resource"]))
        self.assertEqual(sum(doc["threads"][0]["samples"]["weight"]), 13)
        weights = doc["threads"][1]["samples"]["weight"]  # milliseconds
        self.assertEqual(round(sum(weights) * 1e6), 98)

    def test_firefox_odd_names(self):
        doc = self.load("firefox", fixtures.odd_names())
        thread = doc["threads"][0]
        self.check_names(thread["stringArray"][i] for i in thread["funcTable"]["name"])

    def test_chrome(self):
        doc = self.load("chrome", fixtures.recursion())
        events = [e for e in doc["traceEvents"] if e["ph"] == "X"]
        open_until = []
        for e in events:  # nested: none sticks out of the one it begins in
            ts, end = round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)
            while open_until and open_until[-1] <= ts:
                open_until.pop()
            if open_until:
                self.assertLessEqual(end, open_until[-1])
            open_until.append(end)
        self.assertEqual(sum(e["args"]["self"] for e in events), 97)  # all but the empty stack
        self.assertEqual(max(round(e["dur"] * 1000) for e in events if e["name"] == "main"), 95)

    def test_negative_values_are_refused(self):
        before = self.save(fixtures.change(9, "gone"), "before")
        after = self.save(fixtures.change(5, "come"), "after")
        for form in "speedscope", "chrome", "firefox":
            for option in "--base", "--diff_base":
                self.assertIn(form, self.refuse("--to", form, option, before, after))


class Pictures(ExportCase):
    """Structure and escaping; test_browser.py tries them out."""

    def svg_frames(self, text):
        """[(name, value line, x, width, depth, class)]"""
        root = xml.dom.minidom.parseString(text.encode()).documentElement
        self.assertEqual(root.getAttribute("viewBox").split()[2], "1200")
        result = []
        for g in root.getElementsByTagName("g"):
            if not g.hasAttribute("data-d"):
                continue
            rect = g.getElementsByTagName("rect")[0]
            name, value = g.getElementsByTagName("title")[0].firstChild.data.split("\n")[:2]
            result.append((name, value, float(rect.getAttribute("x")),
                           float(rect.getAttribute("width")), int(g.getAttribute("data-d")),
                           g.getAttribute("class")))
        return result

    def test_svg(self):
        frames = self.svg_frames(self.export("svg", self.save(fixtures.recursion())))
        self.assertEqual(frames[0][:4], ("all", "98ns,   100%", 0, 1200))
        at = {}
        for name, value, x, width, depth, _ in frames:
            at.setdefault((name, depth), []).append((value.split(",")[0], x, width))
            self.assertAlmostEqual(width, int(value.split("ns")[0]) * 1200 / 98, places=2)
        self.assertEqual([v for v, _, _ in at["main", 1]], ["95ns"])
        self.assertEqual(sorted(v for v, _, _ in at["x", 3]), ["11ns", "30ns"])
        row = sorted((x, width) for (_, d), all_ in at.items() if d == 2 for _, x, width in all_)
        for (x, width), (right, _) in zip(row, row[1:]):
            self.assertLessEqual(x + width, right + 0.01)

    def test_svg_odd_names(self):
        frames = self.svg_frames(self.export("svg", self.save(fixtures.odd_names())))
        names = {f[0] for f in frames}
        for plain in "<script>alert(1)</script>", "]]>", "&amp;", 'quo"te\'s', "  spaces  inside ":
            self.assertIn(plain, names)

    def test_svg_comparison(self):
        frames = {f[0]: f for f in self.svg_frames(self.compare("svg"))}
        self.assertIn("before 30ns", self.compare("svg"))
        self.assertEqual((frames["hot"][5][0], frames["come"][5][0]), ("g", "g"))

    def test_html(self):
        text = self.export("html", self.save(fixtures.odd_names()))
        scripts = re.findall(r"<script[^>]*>(.*?)</script>", text, re.S)
        self.assertEqual(len(scripts), 2)
        self.assertEqual(json.loads(scripts[0])["format"], "libprof-flame")
        self.assertNotRegex(text, r"(?i)(src|href)\s*=|url\(|@import|https?:")
        self.assertIn("default-src 'none'", text)

    def test_negative_values_are_refused(self):
        before = self.save(fixtures.change(9, "gone"), "before")
        after = self.save(fixtures.change(5, "come"), "after")
        for form in "svg", "html":
            self.assertIn("negative values", self.refuse("--to", form, "-base", before, after))


class Pb(ExportCase):
    def test_same_values_again(self):
        path = self.save(fixtures.recursion())
        again = os.path.join(self.dir, "again.pb.gz")
        self.export("pb", "-o", again, path)
        self.assertEqual(self.export("folded", again), self.export("folded", path))


class Text(ExportCase):
    def test_reads_back(self):
        path, again = self.save(fixtures.odd_names()), os.path.join(self.dir, "again.txt")
        self.export("text", "-o", again, path)
        with open(again, "rb") as f:  # the bytes of names as they are
            self.assertTrue(f.read().startswith(b"heap profile: "))
        doc = json.loads(self.export("json", "-no-symbols", again))
        n = len(fixtures.ODD_NAMES)
        self.assertEqual(sum(doc["nodes"]["self"][1]), sum(100 + i for i in range(n)))


class BadInput(ExportCase):
    def test_formats_are_listed(self):
        done = subprocess.run([TOOL, "export"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines()[1:]],
                         ["callgrind", "folded", "speedscope", "chrome", "firefox", "svg", "html",
                          "json", "text", "pb"])

    def test_one_clear_line(self):
        path = self.save(fixtures.recursion())
        heap = self.save(fixtures.odd_names(), "heap")
        empty = os.path.join(self.dir, "empty")
        open(empty, "w").close()
        for arguments, expected in [
            (["--to", "nothing", path], 'unknown format "nothing"; there are callgrind'),
            ([path], "--to FORMAT is missing"),
            (["--to", "folded"], "no profile named"),
            (["--to", "folded", empty], "empty"),
            (["--to", "folded", path, heap], "incompatible"),
            (["--to", "folded", "/nonexistent"], "/nonexistent: No such file"),
            (["--to", "folded", "-o", "/nonexistent/x", path], "/nonexistent/x: No such file"),
            (["--to", "folded", "-sample_index=moon", path], "moon"),
            (["--to", "folded", "-focus=(", path], "focus"),
        ]:
            self.assertIn(expected, self.refuse(*arguments))


class Edges(ExportCase):
    FORMATS = "callgrind folded speedscope chrome firefox svg html json text".split()

    def test_empty(self):
        path = self.save(fixtures.empty())
        texts = {form: self.export(form, path) for form in self.FORMATS}
        self.assertEqual(Callgrind(texts["callgrind"]).totals, [0, 0])
        self.assertEqual(texts["folded"], "")
        self.assertEqual(json.loads(texts["json"])["nodes"]["frame"], [-1])
        self.assertEqual(json.loads(texts["speedscope"])["profiles"][1]["samples"], [])

    def test_extremes(self):
        path = self.save(fixtures.extremes())
        texts = {form: self.export(form, path) for form in self.FORMATS}
        parsed = Callgrind(texts["callgrind"])
        self.assertEqual(parsed.totals[0], 2**63 - 1)  # stops at the end of the range
        for form in "speedscope", "chrome", "firefox", "json":
            json.loads(texts[form])
        xml.dom.minidom.parseString(texts["svg"].encode())
        self.assertEqual(max(json.loads(texts["json"])["nodes"]["depth"]), 3000)


class Speed(ExportCase):
    def test_50000_stacks(self):
        path = self.save(fixtures.large(50000))
        formats = os.environ.get("EXPORT_FORMATS", "callgrind folded speedscope chrome firefox json svg html text pb").split()
        for form in formats:
            start = time.monotonic()
            self.export(form, "-o", os.path.join(self.dir, "out"), path)
            took = time.monotonic() - start
            print(f"# 50,000 stacks to {form}: {took:.2f} s", file=sys.stderr)
            self.assertLess(took, 20)  # a second on an idle machine; this one may be shared


if __name__ == "__main__":
    unittest.main()
