"""What the page's tests share: a collector with programs to look at, and a browser."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import browser  # tests/export's

HERE = os.path.dirname(os.path.abspath(__file__))

PATIENCE = 60  # seconds; the machine may be busy
EVIL = "<img src=x onerror=hacked=1>"


class Collector:
    """prof serve or prof web on a port of its own."""

    def __init__(self, prof, *arguments, env=None):
        self.process = subprocess.Popen([prof, *arguments, "--http", "127.0.0.1:0"],
                                        stderr=subprocess.PIPE, text=True, env=env)
        told = ""
        for line in self.process.stderr:
            told += line
            found = re.search(r"http://[\d.:]+", line)
            if found:
                break
        else:
            raise RuntimeError(told)
        self.url = found.group(0)

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as reply:
            return reply.read()

    def json(self, path):
        return json.loads(self.get(path))

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)
        self.process.stderr.close()


class Programs:
    """Builds and starts the programs; self.pids tells them by name."""

    def __init__(self, library, socket_path, folder):
        self.env = dict(os.environ, LD_PRELOAD=os.path.abspath(library), LIBPROF_SOCKET=socket_path)
        self.folder, self.running, self.pids = folder, [], {}

    def build(self, name, *arguments):
        source = next(f for f in (name + ".c", name + ".cc") if os.path.exists(os.path.join(HERE, f)))
        compiler = "g++" if source.endswith(".cc") else "cc"
        out = os.path.join(self.folder, name)
        copy = shutil.copy(os.path.join(HERE, source), self.folder)
        subprocess.run([compiler, "-g", "-O1", "-fno-omit-frame-pointer", *arguments, "-o", out, copy,
                        "-pthread"], check=True, cwd=self.folder)
        return out

    def build_hostile(self):
        out = self.build("hostile", "-c")
        subprocess.run(["objcopy", "--strip-debug", f"--redefine-sym=innocent={EVIL}", out, out + ".o"],
                       check=True)
        subprocess.run(["cc", "-o", out, out + ".o", "-pthread"], check=True)
        return out

    def start(self, name, *command, **kwargs):
        self.running.append(subprocess.Popen(command, env=self.env, stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL, cwd=self.folder, **kwargs))
        self.pids[name] = str(self.running[-1].pid)

    def load_redis(self, port):
        script = f"while redis-benchmark -p {port} -q -n 5000 -r 50000 -d 300 -t set,lpush; do sleep 0.3; done"
        self.running.append(subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL))

    def close(self):
        for process in reversed(self.running):
            process.kill()
            process.wait()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Page(browser.Browser):
    """A browser that waits for what it looks for."""

    def __init__(self, url):
        super().__init__()
        self.site = url

    def visit(self, path):
        self.open(self.site + path)

    def wait(self, script, *arguments):
        """Until the script returns something true, which is returned."""
        end = time.monotonic() + PATIENCE
        while True:
            value = self.run("return " + script, *arguments)
            if value:
                return value
            if time.monotonic() > end:
                raise AssertionError(f"{script} {arguments}: never; the page says: "
                                     + self.run("return document.body.innerText"))
            time.sleep(0.05)

    def click_text(self, selector, text):
        """Clicks the element with exactly this text."""
        self.wait("[...document.querySelectorAll(arguments[0])].some(e => e.textContent === arguments[1])",
                  selector, text)
        self.run("const e = [...document.querySelectorAll(arguments[0])].find(e => e.textContent === arguments[1]);"
                 "e.scrollIntoView({block: 'center'}); e.click()", selector, text)

    def choose(self, selector, value):
        self.wait("document.querySelector(arguments[0])", selector)
        self.run("const e = document.querySelector(arguments[0]); e.value = arguments[1];"
                 "e.dispatchEvent(new Event('change'))", selector, value)

    def params(self):
        query = urllib.parse.urlsplit(self.run("return location.href")).query
        return dict(urllib.parse.parse_qsl(query))

    def drawn(self):
        """Until a profile stands on the page; its view's id."""
        self.wait("document.querySelector('.panes') && performance.getEntriesByName('profile drawn').length"
                  " && new URLSearchParams(location.search).get('view') !== null"
                  " && document.getElementById('note').textContent === ''")
        return self.params()["view"]

    def rows(self):
        """The top table's rows on the screen: {function: [exact numbers of its bars]}."""
        return self.wait("""(() => { const rows = [...document.querySelectorAll('.functions .rows .row')];
            return rows.length && Object.fromEntries(rows.map(r =>
              [r.querySelector('.name').textContent, [...r.querySelectorAll('.bar')].map(b => +b.title)])); })()""")

    def status(self):
        return self.run("return document.getElementById('info').textContent")

    def drag(self, selector, start, end):
        """From one part of an element's width to another."""
        box = self.run("const e = document.querySelector(arguments[0]); e.scrollIntoView({block: 'center'});"
                       "const b = e.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]", selector)
        y = int(box[1] + box[3] / 2)
        move = lambda part: {"type": "pointerMove", "duration": 50, "x": int(box[0] + box[2] * part), "y": y}
        self.call("/actions", actions=[{"type": "pointer", "id": "m", "parameters": {"pointerType": "mouse"},
            "actions": [move(start), {"type": "pointerDown", "button": 0}, move((start + end) / 2), move(end),
                        {"type": "pointerUp", "button": 0}]}])

    def size(self, width, height=900):
        self.call("/goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride",
                  params={"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})


def prof_top(prof, unit, *arguments):
    """{function: (flat, cum)} in that unit, as prof top prints them."""
    text = subprocess.run([prof, "top", "-quiet", "-nodefraction=0", "-unit", unit, *arguments],
                          capture_output=True, text=True, check=True).stdout
    rows = {}
    for line in text.splitlines():
        found = re.match(r"\s*(-?[\d.]+)\S*\s+\S+%\s+\S+%\s+(-?[\d.]+)\S*\s+\S+%\s+(.*)", line)
        if found:
            name = re.sub(r" \((partial-)?inline\)$", "", found.group(3))
            rows[name] = (float(found.group(1)), float(found.group(2)))
    return rows
