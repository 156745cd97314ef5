"""Processes in other pid namespaces than the collector's: below its own, and beside it."""

import os
import shutil
import signal
import subprocess

from serve import PROF, SERVED, Server, run_tests, values

SIZE = 1999
UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
if subprocess.run(UNSHARE + ["true"], capture_output=True).returncode:
    print("not run: this user may make no pid namespace")
    raise SystemExit(77)


def of_size(sample):
    return sample.labels.get("bytes") == SIZE


def kernel():
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


def finish(server):
    server.process.kill()  # unshare's: its child goes with it
    server.process.wait()
    shutil.rmtree(server.folder)


def test_below():
    """It has a number here, whatever it calls itself."""
    server = Server()
    app = subprocess.Popen(UNSHARE + [SERVED, "alloc", "100", str(SIZE), "0"],
                           env=server.env(LIBPROF_HEAP_RATE="1"))
    assert app.wait(20) == 3
    entry, = server.wait(lambda ps: [e for e in ps.values() if e["exe"] == SERVED and
                                     e["state"] == "exited 3"])
    assert int(entry["id"]) > 10, entry
    server.stop()
    shutil.rmtree(server.folder)


def test_beside():
    """A collector in a container, a process outside of it: seen, and its end as well."""
    server = Server(prefix=UNSHARE)
    if kernel() < (6, 5):
        app = server.run(SERVED, "alloc", "100", str(SIZE), "0", LIBPROF_HEAP_RATE="1")
        app.wait(20)
        assert os.listdir(server.folder + "/fallback")
        assert "pid namespace" in open(server.folder + "/log").read()
        finish(server)
        return
    for signo in "0", "9":
        app = server.run(SERVED, "alloc", "100", str(SIZE), signo, LIBPROF_HEAP_RATE="1")
        app.wait(20)
        ours = lambda ps: [e for e in ps.values() if e["id"].startswith("%d@" % app.pid)]  # noqa: E731
        server.wait(lambda ps: ours(ps) and ours(ps)[0]["state"] != "running")
        entry, = ours(server.ps())
        assert entry["exe"] == SERVED and entry["name"] == "served", entry
        heap = values(server.fetch("/p/%s/debug/pprof/heap" % entry["id"], "heap.pb.gz"), of_size)
        assert heap["alloc_objects"] == 100, heap
        top = subprocess.run([PROF, "top", "--http", server.address, "-profile", "heap", entry["id"]],
                             capture_output=True, text=True, timeout=60)
        assert top.returncode == 0 and "flat" in top.stdout, top
        assert any(name.startswith("served.%d." % app.pid) for name in os.listdir(server.dir))
    # many at a time are told apart
    apps = [server.run(SERVED, "work", "20") for _ in range(3)]
    server.wait(lambda ps: sum(e["state"] == "running" for e in ps.values()) == 3)
    asked = server.get("/p/%s/debug/pprof/goroutine" % next(
        e["id"] for e in server.ps().values() if e["state"] == "running"))
    assert asked.status == 500 and b"pid namespace" in asked.body, (asked.status, asked.body)
    apps[0].kill()
    apps[0].wait()
    server.wait(lambda ps: sum(e["state"] == "running" for e in ps.values()) == 2 and
                all(e["state"] != "running" for e in ps.values() if e["id"].startswith("%d@" % apps[0].pid)))
    apps[1].send_signal(signal.SIGUSR2)  # its dumps are its own
    server.wait(lambda ps: any(name.startswith("served.%d.0001.threads" % apps[1].pid)
                               for name in os.listdir(server.dir)))
    for app in apps[1:]:
        app.kill()
        app.wait()
    page = server.get("/api/processes").body.decode()
    assert '"id":"%d@' % apps[2].pid in page, page
    assert not os.path.exists(server.folder + "/fallback")
    finish(server)


run_tests(globals())
