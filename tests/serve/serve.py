"""A collector for a test: prof serve on a private socket and a port of its own."""

import atexit
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import pprof  # noqa: E402

PROF, LIBPROF, SERVED = (os.path.abspath(path) for path in sys.argv[1:4])


class Server:
    def __init__(self, *options, folder=None, socket=None, prefix=()):
        self.folder = folder or tempfile.mkdtemp(prefix="serve-test-")
        self.socket = socket or os.path.join(self.folder, "private", "socket")
        self.dir = os.path.join(self.folder, "out")
        self.log = open(os.path.join(self.folder, "log"), "a+")
        start = self.log.tell()
        self.process = subprocess.Popen(
            [*prefix, PROF, "serve", "--http", "127.0.0.1:0", "--socket", self.socket,
             "--dir", self.dir, *options],
            stderr=self.log, stdin=subprocess.DEVNULL)
        atexit.register(self.process.kill)
        self.address = None
        for _ in range(100):
            self.log.seek(start)
            found = re.search(r"serving http://([0-9.:]+)/", self.log.read())
            if found:
                self.address = found.group(1)
                break
            time.sleep(0.05)
        assert self.address, "prof serve does not start"

    def env(self, **more):
        return dict(os.environ, LD_PRELOAD=LIBPROF, LIBPROF_SOCKET=self.socket,
                    LIBPROF_DIR=os.path.join(self.folder, "fallback"), **more)

    def run(self, *command, **more):
        """The program under libprof, not waited for."""
        process = subprocess.Popen(command, env=self.env(**more), stdin=subprocess.DEVNULL)
        atexit.register(process.kill)
        return process

    def get(self, path, method="GET", body=None, headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.body = answer.read()
        connection.close()
        return answer

    def ps(self):
        """id -> fields of /ps."""
        names = "id state start samples cpu inuse peak alloc threads exe name".split()
        lines = self.get("/ps").body.decode().splitlines()
        return {line.split("\t")[0]: dict(zip(names, line.split("\t"))) for line in lines}

    def wait(self, condition, seconds=10):
        """Until condition(ps) is true; its value."""
        end = time.time() + seconds
        while time.time() < end:
            value = condition(self.ps())
            if value:
                return value
            time.sleep(0.05)
        raise AssertionError("it did not happen: " + repr(self.ps()))

    def wait_for(self, pid, seconds=10):
        return self.wait(lambda ps: ps.get(str(pid)), seconds)

    def fetch(self, path, name):
        file = os.path.join(self.folder, name)
        answer = self.get(path)
        assert answer.status == 200, (path, answer.status, answer.body)
        with open(file, "wb") as out:
            out.write(answer.body)
        return file

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0




def values(file, where=lambda sample: True):
    """The sums over the samples of a profile, by sample type."""
    profile = pprof.Profile(file)
    return {name: profile.total(name, where) for name in profile.types}


def run_tests(namespace):
    """Runs every test_* function, prints its name; the first failure ends it."""
    only = sys.argv[4:]
    for name, function in list(namespace.items()):
        if name.startswith("test_") and callable(function) and (not only or name in only):
            start = time.time()
            function()
            print("%-40s ok %.1f s" % (name, time.time() - start), flush=True)
