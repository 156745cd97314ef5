"""prof export's svg and html in a headless Chromium: usage: test_browser.py PROF.

Set PROF_SHOTS to a folder to look at the pages."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import browser
import fixtures

TOOL = sys.argv.pop(1)
UP, DOWN, LEFT, RIGHT, ENTER, ESCAPE = "\ue013", "\ue015", "\ue012", "\ue014", "\ue007", "\ue00c"

# Where the frames of that name are on the screen now.
SVG_FRAMES = """return [...document.querySelectorAll('#frames > g')].filter(g =>
    g.style.display !== 'none' && g.querySelector('title').textContent.split('\\n')[0] === arguments[0])
    .map(g => +g.querySelector('rect').getAttribute('width'))"""
TEXT = "return document.getElementById(arguments[0]).textContent"


class BrowserCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not browser.available():
            raise unittest.SkipTest("no chromium and chromedriver here")
        cls.dir = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.dir)
        cls.browser = browser.Browser()
        cls.addClassCleanup(cls.browser.close)

    def open(self, form, profile, *arguments):
        path, out = os.path.join(self.dir, "p.pb.gz"), os.path.join(self.dir, "p." + form)
        subprocess.run([TOOL, "export", "-quiet", "--to", form, "-o", out, *arguments,
                        profile.save(path)], check=True)
        self.browser.open("file://" + out)

    def tearDown(self):
        shots = os.environ.get("PROF_SHOTS")
        if shots:
            for dark in False, True:
                self.browser.dark(dark)
                self.browser.screenshot(f"{shots}/{self.id()}-{'dark' if dark else 'light'}.png")
        self.browser.dark(False)
        self.assertEqual(self.browser.errors(), [])

    def text(self, element):
        return self.browser.run(TEXT, element)


class Svg(BrowserCase):
    def test_search(self):
        self.open("svg", fixtures.recursion())
        self.browser.press("/", "^", "x")
        self.assertEqual(self.text("found"), "5 frames, 72.4%")  # pprof's cum of x
        self.browser.press("(")
        self.assertEqual(self.text("found"), "not a regular expression")
        self.browser.press(ESCAPE)
        self.assertEqual(self.text("found"), "")

    def test_zoom_by_keys(self):
        self.open("svg", fixtures.recursion())
        self.browser.run("document.querySelector('#frames > g').focus()")
        self.browser.press(DOWN, DOWN, RIGHT)
        self.assertTrue(self.text("info").startswith("ns::work"))
        self.browser.press(ENTER)
        self.assertIn(1200, self.browser.run(SVG_FRAMES, "ns::work"))
        self.assertEqual(self.browser.run(SVG_FRAMES, "main"), [1200])  # its caller stays
        self.assertEqual(self.browser.run(SVG_FRAMES, "x"), [])
        self.browser.press(ESCAPE)
        self.assertEqual(len(self.browser.run(SVG_FRAMES, "x")), 5)

    def test_zoom_by_mouse(self):
        self.open("svg", fixtures.recursion())
        self.browser.click("#frames > g:nth-child(3)")
        self.assertEqual(self.browser.run(SVG_FRAMES, "<unknown>"), [1200])
        self.browser.click("#reset rect")
        self.assertEqual(len(self.browser.run(SVG_FRAMES, "x")), 5)

    def test_odd_names_do_nothing(self):
        self.browser.open("about:blank")
        self.open("svg", fixtures.odd_names())
        self.browser.press("/", "a", "l", "e", "r", "t")
        self.assertTrue(self.text("found").startswith("1 frames"))


class Html(BrowserCase):
    def rows(self):
        return self.browser.run("return [...document.querySelectorAll('#rows tr')].map(r => "
                                "[...r.cells].map(c => c.textContent))")

    def test_table_equals_pprof(self):
        self.open("html", fixtures.recursion())
        self.browser.click("th button[data-by=total]")
        table = {r[4].split(" ")[0]: (r[0], r[2]) for r in self.rows()}
        self.assertEqual(table["main"], ("0ns", "95ns"))
        self.assertEqual(table["x"], ("50ns", "71ns"))
        self.assertEqual(table["y"], ("10ns", "41ns"))
        self.assertEqual(table["[libc.so.6]"], ("12ns", "12ns"))
        self.assertEqual(self.rows()[0][4], "main app")
        self.browser.click("th button[data-by=name]")
        self.assertEqual(self.rows()[0][4], "<unknown> ")

    def test_type_switch(self):
        self.open("html", fixtures.odd_names())
        self.assertTrue(self.text("info").startswith("all   190B"))
        self.browser.run("const t = document.getElementById('type'); t.value = 1;"
                         "t.dispatchEvent(new Event('change'))")
        self.assertTrue(self.text("info").startswith("all   2.14kB"), self.text("info"))

    def test_search(self):
        self.open("html", fixtures.recursion())
        self.browser.press("/", "^", "x", "$")
        self.assertEqual(self.text("found"), "5 frames, 72.45%")
        self.assertEqual(len(self.rows()), 1)
        self.browser.press(ESCAPE)
        self.assertEqual(len(self.rows()), 7)

    def test_zoom_by_keys(self):
        self.open("html", fixtures.recursion())
        self.browser.run("document.querySelector('#flame canvas').focus()")
        self.browser.press(DOWN, DOWN, RIGHT, ENTER, DOWN)
        self.assertTrue(self.text("info").startswith("[libc.so.6]   12ns"), self.text("info"))
        self.browser.press(LEFT, UP, UP)
        self.assertTrue(self.text("info").startswith("main   95ns"), self.text("info"))
        self.browser.press(ESCAPE)
        self.assertTrue(self.text("info").startswith("all   98ns"), self.text("info"))

    def test_comparison(self):
        base = fixtures.change(9, "gone").save(os.path.join(self.dir, "base.pb.gz"))
        self.open("html", fixtures.change(5, "come"), "-diff_base", base)
        self.browser.click("th button[data-by=change]")
        rows = {r[6]: r[4:6] for r in self.rows()}
        self.assertEqual(rows["hot app"], ["90ns", "-40ns"])
        self.assertEqual(rows["come app"], ["0ns", "+10ns"])


if __name__ == "__main__":
    unittest.main()
