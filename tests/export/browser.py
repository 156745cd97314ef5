"""A headless Chromium driven over WebDriver, without other packages."""

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--window-size=1280,900"]


def available():
    return shutil.which("chromium") and shutil.which("chromedriver")


class Browser:
    def __init__(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.dir = tempfile.mkdtemp()
        self.driver = subprocess.Popen([shutil.which("chromedriver"), f"--port={port}"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}/session"
        options = {"args": FLAGS + [f"--user-data-dir={self.dir}"],
                   "binary": shutil.which("chromium")}
        capabilities = {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options,
                                        "goog:loggingPrefs": {"browser": "ALL"}}}
        for attempt in range(100):
            try:
                reply = self.call("", capabilities=capabilities)
                break
            except urllib.error.URLError as e:
                if isinstance(e, urllib.error.HTTPError) or attempt == 99:
                    self.close()
                    raise
                time.sleep(0.1)
        self.base += "/" + reply["sessionId"]

    def call(self, path, **body):
        request = urllib.request.Request(self.base + path, json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]

    def open(self, url):
        self.call("/url", url=url)

    def run(self, script, *arguments):
        return self.call("/execute/sync", script=script, args=list(arguments))

    def find(self, selector):
        return self.call("/element", using="css selector", value=selector)[ELEMENT]

    def click(self, selector):
        self.call(f"/element/{self.find(selector)}/click")

    def type(self, selector, text):
        self.call(f"/element/{self.find(selector)}/value", text=text)

    def press(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.call("/actions", actions=[{"type": "key", "id": "k", "actions": actions}])

    def errors(self):
        return [e["message"] for e in self.call("/se/log", type="browser") if e["level"] == "SEVERE"]

    def dark(self, on):
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.call("/goog/cdp/execute", cmd="Emulation.setEmulatedMedia",
                  params={"features": [feature]})

    def screenshot(self, path):
        with urllib.request.urlopen(self.base + "/screenshot", timeout=60) as reply:
            data = json.load(reply)["value"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def close(self):
        try:
            urllib.request.urlopen(urllib.request.Request(self.base, method="DELETE"), timeout=20)
        except OSError:
            pass
        self.driver.terminate()
        self.driver.wait()
        shutil.rmtree(self.dir, ignore_errors=True)
