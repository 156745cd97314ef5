"""What the report tests share: the program under test, a scratch folder, runs."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

PROF = os.path.abspath(sys.argv.pop(1))
HERE = os.path.dirname(os.path.abspath(__file__))
# The pprof to compare with is the one of Debian's Go: a newer one in PATH writes some reports in
# another form (of 1.26: the time, sums of labels, lines without columns).
GO = "/usr/bin/go" if os.path.exists("/usr/bin/go") else shutil.which("go")
if GO:
    print("compared with", subprocess.run([GO, "version"], capture_output=True, text=True).stdout.strip())


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="prof-report-")
        # Nothing of the user's may matter: caches, servers, time zone.
        cls.env = dict(os.environ, HOME=cls.dir, XDG_CACHE_HOME=cls.dir + "/cache", TZ="UTC",
                       PPROF_TMPDIR=cls.dir, GOFLAGS="-mod=mod", GO111MODULE="off",
                       GOCACHE=cls.dir + "/gocache", LC_ALL="C.UTF-8")
        cls.env.pop("DEBUGINFOD_URLS", None)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def run_it(self, *command, **kwargs):
        return subprocess.run(command, capture_output=True, text=True, env=self.env, cwd=self.dir,
                              timeout=300, **kwargs)

    def prof(self, *arguments):
        return self.run_it(PROF, *arguments)

    def prof_ok(self, *arguments):
        done = self.prof(*arguments)
        self.assertEqual(done.returncode, 0, f"{arguments}: {done.stderr}")
        return done.stdout
