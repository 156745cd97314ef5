"""The page in a headless Chromium against real programs: usage: test_web.py PROF LIBPROF.

Every view is reached by clicking from the index; numbers are compared with prof top's.
Set PROF_SHOTS to a folder to look at the pages."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

PROF, LIBRARY = (os.path.abspath(a) for a in (sys.argv.pop(1), sys.argv.pop(1)))
import browser  # noqa: E402
import fixtures  # noqa: E402
from webcase import EVIL, Collector, Page, Programs, free_port, prof_top  # noqa: E402

ENTER, ESCAPE, DOWN, RIGHT = "\ue007", "\ue00c", "\ue015", "\ue014"


class WebCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not browser.available():
            raise unittest.SkipTest("no chromium and chromedriver here")
        cls.dir = tempfile.mkdtemp(prefix="prof-web-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.env = dict(os.environ, XDG_CACHE_HOME=cls.dir + "/cache", TZ="UTC")

    @classmethod
    def serve(cls, *arguments):
        cls.collector = Collector(PROF, *arguments, env=cls.env)
        cls.addClassCleanup(cls.collector.close)
        cls.page = Page(cls.collector.url)
        cls.addClassCleanup(cls.page.close)

    def tearDown(self):
        shots = os.environ.get("PROF_SHOTS")
        for width in (1400, 400) if shots else ():
            for dark in False, True:
                self.page.size(width)
                self.page.dark(dark)
                time.sleep(0.3)
                self.page.screenshot(f"{shots}/{self.id()}-{width}-{'dark' if dark else 'light'}.png")
        self.page.size(1400)
        self.page.dark(False)
        self.assertEqual(self.page.errors(), [])
        self.assertIsNone(self.page.run("return window.hacked"))

    def save(self, view, query=""):
        """The profile behind a view, for prof."""
        path = os.path.join(self.dir, view + ".pb.gz")
        with open(path, "wb") as f:
            f.write(self.collector.get(f"/api/views/{view}/export/pb{query}"))
        return path

    def check_top(self, view, unit, sample_type, *arguments):
        """The rows on the screen are prof top's, all of them."""
        expected = prof_top(PROF, unit, "-sample_index", sample_type, *arguments, self.save(view))
        rows = self.page.rows()
        self.assertGreater(len(rows), 0)
        for name, (own, total) in rows.items():
            self.assertIn(name, expected)
            self.assertEqual((own, total), expected[name], name)
        return rows, expected


class Live(WebCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for tool in "g++", "cc", "objcopy", "redis-server", "redis-benchmark":
            if not shutil.which(tool):
                raise unittest.SkipTest(f"no {tool} here")
        path = cls.dir + "/socket"
        cls.serve("serve", "--socket", path, "--dir", cls.dir + "/out")
        cls.programs = Programs(LIBRARY, path, cls.dir)
        cls.addClassCleanup(cls.programs.close)
        start, build, port = cls.programs.start, cls.programs.build, str(free_port())
        start("redis", "redis-server", "--port", port, "--save", "")
        start("leaking", build("leaking"))
        start("deadlocked", build("deadlocked"))
        start("hostile", cls.programs.build_hostile(), "</script><script>hacked=1</script>", EVIL)
        start("dead", "sh", "-c", "kill -SEGV $$")
        cls.programs.load_redis(port)
        pids = cls.programs.pids
        end = time.monotonic() + 60
        while time.monotonic() < end:
            known = {p["id"]: p for p in cls.collector.json("/api/processes")["processes"]}
            if all(pid in known for pid in pids.values()) and \
               all(known[pids[n]]["cpu_ns"] > 3e8 for n in ("redis", "leaking", "hostile")):
                return
            time.sleep(0.2)
        raise AssertionError("the programs don't get going")

    def go(self, name, *clicks):
        """From the index by clicks: to a process, to one of its profiles, to a view of it."""
        page = self.page
        page.visit("/")
        page.wait("document.querySelector('#processes tr[data-id=\"' + arguments[0] + '\"] a')", self.programs.pids[name])
        page.run("document.querySelector('#processes tr[data-id=\"' + arguments[0] + '\"] a').click()", self.programs.pids[name])
        for i, text in enumerate(clicks):
            page.click_text("#profiles a" if i == 0 else ".tools [role=tab]", text)
            if i == 0 and text not in ("threads", "goroutine"):
                self.view = page.drawn()

    def test_index_and_process(self):
        page = self.page
        page.visit("/")
        text = page.wait("document.querySelectorAll('#processes tbody tr').length > 4 && document.querySelector('#processes').innerText")
        self.assertRegex(text, r"sh[^\n]*\n?.*killed by 11")
        self.assertRegex(text, r"(?s)leaking.*running")
        before = page.run("return document.querySelector('#processes').innerText")
        page.wait("document.querySelector('#processes').innerText !== arguments[0]", before)  # it lives
        self.go("leaking")
        rows = page.wait("""(() => { const r = [...document.querySelectorAll('#profiles tbody tr')];
            return r.length && r.map(t => [t.cells[1].textContent, +t.cells[0].textContent, t.cells[2].textContent]); })()""")
        names = [r[0] for r in rows]
        self.assertEqual(names, sorted(names))  # Go's order
        self.assertEqual({"allocs", "block", "cmdline", "goroutine", "heap", "mutex", "profile", "threadcreate", "trace"} - set(names), set())
        self.assertEqual(next(r for r in rows if r[0] == "threadcreate")[1], 1)
        page.wait("[...document.querySelectorAll('.chart .value')].every(v => /\\d/.test(v.textContent))")

    def test_top_equals_prof_top(self):
        self.go("redis", "heap", "Top")
        self.check_top(self.view, "B", "inuse_space")
        self.page.choose("#type", "alloc_objects")
        self.page.wait("document.querySelector('.functions') && new URLSearchParams(location.search).get('type')")
        self.check_top(self.view, "count", "alloc_objects")
        self.go("leaking", "profile", "Top")
        rows, _ = self.check_top(self.view, "ns", "cpu")
        self.assertEqual(max(rows, key=lambda name: rows[name][0]), "burn")
        page = self.page
        page.click_text(".functions .head button", "Function")
        names = list(page.rows())
        self.assertEqual(names, sorted(names))

    def test_flame_graph(self):
        self.go("leaking", "profile")
        page = self.page
        total = sum(flat for flat, _ in prof_top(PROF, "ns", self.save(self.view)).values())
        self.assertEqual(total, self.collector.json(f"/api/views/{self.view}")["sample_types"][1]["total"])
        page.run("document.querySelector('canvas.flame').focus()")
        page.press(DOWN, DOWN)
        name = page.run("return document.querySelector('#info strong').textContent")
        page.press(ENTER)
        self.assertIn("zoom", page.params())
        self.assertEqual(page.run("return document.querySelector('#info strong').textContent"), name)
        address = page.run("return location.href")
        page.press(ESCAPE)
        self.assertNotIn("zoom", page.params())
        page.open(address)  # as a colleague
        page.drawn()
        self.assertEqual(page.wait("document.querySelector('#info strong').textContent"), name)
        page.press(ESCAPE)
        # by the mouse: the third row in its middle
        page.drag("canvas.flame", 0.3, 0.3)
        page.wait("document.querySelector('canvas.flame')")
        page.click_text(".tools button", "Invert")
        page.run("document.querySelector('canvas.flame').focus()")
        page.press(DOWN)
        self.assertEqual(page.run("return document.querySelector('#info strong').textContent"), "burn")
        own = prof_top(PROF, "ns", self.save(self.view))["burn"][0]
        self.assertAlmostEqual(self.shown_share(), 100 * own / total, delta=0.06)

    def shown_share(self):
        return float(re.search(r"\(([\d.]+)%\)", self.page.status()).group(1))

    def test_search(self):
        self.go("leaking", "profile")
        page = self.page
        page.press("/")
        page.press(*"burn")
        found = page.wait("document.getElementById('found').textContent")
        top = prof_top(PROF, "ns", self.save(self.view))
        total = sum(flat for flat, _ in top.values())
        self.assertAlmostEqual(float(re.search(r"([\d.]+)%", found).group(1)), 100 * top["burn"][1] / total, delta=0.06)
        page.press("(")
        page.wait("document.getElementById('found').textContent === 'not a regular expression'")
        page.press(ESCAPE)
        page.wait("document.getElementById('found').textContent === ''")
        page.click_text(".tools [role=tab]", "Top")
        page.run("const i = document.getElementById('search'); i.value = '^work$'; i.dispatchEvent(new Event('input'))")
        page.wait("document.querySelectorAll('.functions .rows .row').length === 1")

    def test_call_tree_and_source(self):
        self.go("leaking", "profile", "Call tree")
        page = self.page
        page.click_text(".calltree .rows .name code", "burn")
        lines = page.wait("""(() => { const r = [...document.querySelectorAll('#source tr.costs')];
            return r.length && r.map(t => [...t.cells].map(c => c.querySelector('[title]') ? parseInt(c.querySelector('[title]').title) : c.textContent)); })()""")
        own = prof_top(PROF, "ns", self.save(self.view))["burn"][0]
        self.assertEqual(sum(row[0] or 0 for row in lines), own)
        self.assertTrue(any("1.0000001" in row[3] for row in lines), lines)
        page.click_text(".side [role=tab]", "Assembly")
        page.wait("[...document.querySelectorAll('#assembly tr.costs')].some(t => /mul|add|j/.test(t.textContent))")
        page.click_text(".side [role=tab]", "Callers & callees")
        callers = page.wait("document.querySelector('#callers') && document.querySelector('#callers').innerText")
        peek = subprocess.run([PROF, "peek", "-quiet", "-unit", "ns", "^burn$", self.save(self.view)], capture_output=True, text=True).stdout
        self.assertIn("work", callers)
        expected = [int(m.group(1)) for m in re.finditer(r"^\s+(\d+)ns\s+[\d.]+% \|\s+\S", peek, re.M)]
        shown = page.run("return [...document.querySelectorAll('#callers .bar')].map(b => +b.title)")
        self.assertEqual(sorted(shown), sorted(expected))

    def test_code_without_source(self):
        self.go("redis", "profile", "Top")
        page = self.page
        page.run("document.querySelectorAll('.functions .rows .row')[0].click()")
        page.wait("document.querySelector('#assembly tr.costs, #source tr, .side .empty')")

    def test_threads_of_a_profile(self):
        self.go("leaking", "profile", "Top")
        page = self.page
        page.choose("#threads", "thread worker")
        page.wait("new URLSearchParams(location.search).get('thread') === 'worker'")
        page.drawn()
        expected = prof_top(PROF, "ns", "-tagfocus=thread=^worker$", self.save(self.view))
        end = time.monotonic() + 20
        while page.rows().get("burn") != list(expected["burn"]) and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(page.rows()["burn"], list(expected["burn"]))
        page.choose("#threads", "group")
        page.click_text(".tools [role=tab]", "Flame graph")
        page.run("document.querySelector('canvas.flame').focus()")
        page.wait("new URLSearchParams(location.search).get('group') === 'thread' && document.getElementById('note').textContent === ''")
        page.press(DOWN)
        self.assertIn(page.run("return document.querySelector('#info strong').textContent"), ("worker", "leaking"))

    def test_record_window(self):
        self.go("leaking", "profile")
        page, first = self.page, self.view
        page.choose("#seconds", "1")
        page.wait("document.querySelector('progress')")
        page.wait("new URLSearchParams(location.search).get('view') !== arguments[0]", first)
        second = page.drawn()
        view = self.collector.json(f"/api/views/{second}")
        self.assertAlmostEqual((view["to_ns"] - view["from_ns"]) / 1e9, 1, delta=0.9)
        self.assertLess(view["sample_types"][1]["total"], 2.2e9)
        page.click_text(".tools [role=tab]", "Top")
        self.check_top(second, "ns", "cpu")

    def test_difference(self):
        self.go("leaking", "heap")
        first = self.view
        time.sleep(2)
        self.page.click_text(".tools button", "Now")
        self.page.wait("new URLSearchParams(location.search).get('view') !== arguments[0]", first)
        second = self.page.drawn()
        page = self.page
        page.choose("#base", first)
        page.click_text(".tools [role=tab]", "Top")
        page.wait("document.querySelector('.functions.compared')")
        change = page.run("""return Object.fromEntries([...document.querySelectorAll('.functions .rows .row')].map(r =>
            [r.querySelector('.name').textContent, [+r.querySelectorAll('.bar')[1].title, r.querySelector('.change').textContent]]))""")
        expected = prof_top(PROF, "B", "-base", self.save(first), self.save(second))
        now = prof_top(PROF, "B", self.save(second))
        self.assertGreater(expected["work"][1], 0)
        self.assertEqual(change["work"][0], now["work"][1])
        kilobytes = expected["work"][1] / 1024
        shown = f"+{kilobytes / 1024:.2f}MB" if kilobytes >= 1024 else f"+{kilobytes:.2f}kB"
        self.assertEqual(change["work"][1].replace(".00", ""), shown.replace(".00", ""))

    def test_window_of_the_past(self):
        pid = self.programs.pids["leaking"]
        end = time.monotonic() + 60
        while len(self.collector.json(f"/api/processes/{pid}")["marks"]) < 3 and time.monotonic() < end:
            time.sleep(0.5)
        self.go("leaking")
        page = self.page
        page.wait("[...document.querySelectorAll('.chart .value')].every(v => /\\d/.test(v.textContent))")
        page.drag(".chart canvas", 0.05, 0.95)
        page.wait("document.querySelector('.chosen .button')")
        self.assertIn("from", page.params())
        page.click_text(".chosen .button", "CPU")
        view = page.drawn()
        told = self.collector.json(f"/api/views/{view}")
        self.assertGreater(told["to_ns"], told["from_ns"])
        seconds = (told["to_ns"] - told["from_ns"]) / 1e9
        self.assertLess(told["sample_types"][1]["total"], 2.2e9 * seconds)
        page.click_text(".tools [role=tab]", "Top")
        self.check_top(view, "ns", "cpu")
        # and as what now is compared with
        page.click_text(".tools button", "Now")
        page.wait("new URLSearchParams(location.search).get('view') !== arguments[0]", view)
        page.drawn()
        page.click_text(".tools button", "Past…")
        page.wait("[...document.querySelectorAll('.past .value')].every(v => /\\d/.test(v.textContent))")
        page.drag(".past canvas", 0.1, 0.9)
        page.click_text(".past button", "Compare with this window")
        page.wait("new URLSearchParams(location.search).get('base') && document.querySelector('.functions.compared')")

    def test_deadlock(self):
        self.go("deadlocked", "threads")
        page = self.page
        text = page.wait("document.querySelectorAll('.group').length === 3 && document.getElementById('groups').innerText")
        for word in "take_left", "take_right", "pthread_mutex_lock", "left", "right", "deadlocked.c:":
            self.assertIn(word, text)
        rows = page.run("return [...document.querySelectorAll('.group tbody tr')].map(r => [...r.cells].map(c => c.textContent))")
        waits = {r[0]: r for r in rows}
        self.assertRegex(waits["left"][3], r"[\d.]+(ms|s|mins)")
        page.press("r")
        page.wait("document.querySelectorAll('.group').length === 3")
        page.press("/")
        page.press(*"take_left")
        page.wait("document.querySelectorAll('.group').length === 1")

    def test_hostile_names(self):
        page = self.page
        self.go("hostile", "profile", "Top")
        self.assertIn(EVIL, page.rows())
        page.run("[...document.querySelectorAll('.functions .rows .row')].find(r => r.querySelector('.name').textContent === arguments[0]).click()", EVIL)
        page.wait("document.querySelector('#assembly, .side .empty')")
        page.click_text(".side [role=tab]", "Callers & callees")
        page.wait("document.querySelector('#callers')")
        page.click_text(".tools [role=tab]", "Call tree")
        page.click_text(".tools [role=tab]", "Flame graph")
        page.drag("canvas.flame", 0.5, 0.5)
        self.assertIn("<b onclick=x()>", page.run("return document.getElementById('threads').innerText"))
        page.choose("#threads", "group")
        page.drawn()
        self.go("hostile", "threads")
        page.wait("document.querySelectorAll('.group').length === 2 && document.getElementById('groups').innerText.includes('<b onclick=x()>')")
        page.visit("/")
        page.wait("document.querySelector('#processes') && document.querySelector('#processes').innerText.includes('</script><script>hacked=1</script>')")
        self.assertEqual(page.run("return document.querySelectorAll('main img, main b, main script').length"), 0)
        page.visit("/p/" + self.programs.pids["hostile"] + "/%3Cimg%20src=x%20onerror=hacked=1%3E")
        page.wait("document.querySelector('.empty')")
        page.errors()  # the 400 of that

    def test_requests_of_foreign_pages(self):
        import urllib.error
        import urllib.request
        pid = self.programs.pids["leaking"]
        request = urllib.request.Request(f"{self.collector.url}/api/processes/{pid}/views", b'{"profile":"heap"}',
                                         {"Content-Type": "text/plain"})
        with self.assertRaises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(request)
        self.assertEqual(told.exception.code, 415)
        reply = urllib.request.urlopen(self.collector.url + "/")
        policy = reply.headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)


class Files(WebCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.paths = [fixtures.recursion().save(cls.dir + "/recursion.pb.gz"),
                     fixtures.large(50000).save(cls.dir + "/large.pb.gz"),
                     fixtures.odd_names().save(cls.dir + "/odd.pb.gz")]
        if shutil.which("go"):
            source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "made_by_go.go")
            env = dict(cls.env, GO111MODULE="off", GOCACHE=cls.dir + "/go", HOME=cls.dir)
            subprocess.run(["go", "run", source, cls.dir + "/go.pb.gz"], check=True, env=env)
            cls.paths.append(cls.dir + "/go.pb.gz")
        cls.serve("web", "--no-cache", *cls.paths)

    def open_file(self, name):
        self.page.visit("/")
        self.page.click_text("#files a", name)
        self.page.wait("location.pathname.startsWith('/v/')")
        self.page.wait("performance.getEntriesByName('profile drawn').length && document.getElementById('note').textContent === ''")
        return self.page.run("return location.pathname.slice(3)")

    def test_recursion(self):
        self.open_file("recursion.pb.gz")
        self.page.click_text(".tools [role=tab]", "Top")
        rows = self.page.rows()
        expected = prof_top(PROF, "ns", self.paths[0])
        self.assertEqual({n: tuple(v) for n, v in rows.items()}, expected)

    def test_odd_names(self):
        self.open_file("odd.pb.gz")
        self.page.click_text(".tools [role=tab]", "Top")
        self.assertIn("<script>alert(1)</script>", self.page.rows())
        self.page.click_text(".tools [role=tab]", "Call tree")

    def test_made_by_go(self):
        if len(self.paths) < 4:
            self.skipTest("no go here")
        self.open_file("go.pb.gz")
        self.page.click_text(".tools [role=tab]", "Top")
        rows, expected = self.page.rows(), prof_top(PROF, "B", self.paths[3])
        self.assertIn("main.grow", rows)
        for name, values in rows.items():
            self.assertEqual(tuple(values), expected[name])

    def test_large(self):
        """50,000 stacks: first paint within a second, zoom within 100 ms, of a machine that has
        nothing else to do: the best of some tries, by the share of a CPU that we get."""
        view = self.open_file("large.pb.gz")
        page, paints, zooms = self.page, [], []
        slowdown = cpu_wait()
        for _ in range(4):
            page.visit("/v/" + view)
            paints.append(page.wait("(performance.getEntriesByName('profile drawn')[0] || {}).startTime"))
        for _ in range(5):
            zooms.append(page.run("""const c = document.querySelector('canvas.flame'); c.focus();
                const key = k => c.dispatchEvent(new KeyboardEvent('keydown', {key: k, bubbles: true}));
                key('ArrowDown'); key('ArrowDown'); const start = performance.now(); key('Enter');
                const took = performance.now() - start; key('Escape'); return took"""))
        slowdown = max(slowdown, cpu_wait())
        print(f"# 50,000 stacks: first paint {min(paints):.0f} ms, zoom {min(zooms):.1f} ms, "
              f"while a CPU second took {slowdown:.1f} s", file=sys.stderr)
        self.assertLess(min(paints), 1000 * slowdown)
        self.assertLess(min(zooms), 100 * slowdown)


def cpu_wait():
    """How many seconds pass here while one second is computed; 1 on an idle machine."""
    wall, cpu = time.perf_counter(), time.process_time()
    while time.process_time() - cpu < 0.3:
        pass
    return max(1, (time.perf_counter() - wall) / 0.3)


if __name__ == "__main__":
    unittest.main()
