"""A collector that is started again finds the processes that still run, with all they recorded."""

import glob
import os
import shutil
import signal
import subprocess
import tempfile
import time

from serve import LIBPROF, SERVED, Server, run_tests, values

SIZE = 1999


def of_size(sample):
    return sample.labels.get("bytes") == SIZE


def killed(server):
    server.process.kill()
    server.process.wait()


def final_heap(server, pid):
    files = sorted(glob.glob("%s/python3.%d.*.heap.pb.gz" % (server.dir, pid)))
    assert files, os.listdir(server.dir) if os.path.exists(server.dir) else "no directory"
    return values(files[-1], of_size)


def check_restart(prefix=(), **more):
    """Whichever way the collector ends and the process ends, nothing is missing."""
    server = Server(prefix=prefix, **more)
    command = [*prefix, "/usr/bin/python3", "-c",
               "import ctypes,sys,time\nmalloc = ctypes.CDLL(None).malloc\n"
               "for line in sys.stdin:\n for _ in range(int(line)): malloc(%d)\n print('ok', flush=True)" % SIZE]
    apps = [subprocess.Popen(command, env=server.env(LIBPROF_HEAP_RATE="1"), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True, cwd="/") for _ in range(2)]

    def allocate(count):
        for app in apps:
            app.stdin.write("%d\n" % count)
            app.stdin.flush()
            assert app.stdout.readline() == "ok\n"

    allocate(100)
    for app in apps:
        server.wait_for(app.pid)
    for end in killed, Server.stop:
        end(server)
        allocate(100)
        server = Server(folder=server.folder, socket=server.socket, prefix=prefix)
        for app in apps:
            entry = server.wait_for(app.pid)
            assert entry["state"] == "running" and int(entry["samples"]) > 200, entry
            assert os.path.basename(entry["exe"]).startswith("python3"), entry
    allocate(100)
    for app in apps:
        heap = values(server.fetch("/p/%d/debug/pprof/heap" % app.pid, "heap.pb.gz"), of_size)
        assert heap["alloc_objects"] == 400 and heap["inuse_space"] == 400 * SIZE, heap
    time.sleep(2.5)  # a copy is as old as the last second's numbers
    apps[0].kill()
    apps[1].stdin.close()
    for app in apps:
        app.wait(20)
        server.wait(lambda ps: ps[str(app.pid)]["state"] not in ("running", "ended") or
                    (prefix and ps[str(app.pid)]["state"] == "ended"))
        heap = final_heap(server, app.pid)
        assert heap["alloc_objects"] == 400, heap
    assert sum("python3" in e["exe"] for e in server.ps().values()) == 2, server.ps()
    server.stop()
    shutil.rmtree(server.folder)


def test_the_same_user():
    check_restart()


def test_an_ordinary_user():
    """Who may not open other processes' mappings copies them."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        print("not run: this is an ordinary user already, or there is no setpriv")
        return
    folder = tempfile.mkdtemp(prefix="serve-test-")
    os.chmod(folder, 0o777)
    check_restart(("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"), folder=folder)


def test_started_before_any_collector():
    """And one that reports to another collector is left to it."""
    folder = tempfile.mkdtemp(prefix="serve-test-")
    path = folder + "/private/socket"
    env = dict(os.environ, LD_PRELOAD=LIBPROF, LIBPROF_SOCKET=path, LIBPROF_DIR=folder + "/fallback")
    early = subprocess.Popen([SERVED, "work", "30"], env=env)
    other = subprocess.Popen([SERVED, "work", "30"], env=dict(env, LIBPROF_SOCKET=path + "2"))
    time.sleep(0.5)
    server = Server(folder=folder, socket=path)
    entry = server.wait_for(early.pid)
    assert int(entry["samples"]) > 0, entry
    assert str(other.pid) not in server.ps()
    early.kill()
    early.wait()
    server.wait(lambda ps: ps[str(early.pid)]["state"] == "killed by 9")
    assert glob.glob("%s/*.%d.*.cpu.pb.gz" % (server.dir, early.pid))
    other.kill()
    other.wait()
    server.stop()
    shutil.rmtree(folder)


def test_threads_and_orphans_of_other_users():
    """root's collector knows by its token whom an earlier one had taken."""
    if os.geteuid() != 0:
        print("not run: only root's collector has to do with other users")
        return
    server = Server()
    os.chmod(server.folder, 0o755)
    code = ("import os,time\nif os.fork():\n os._exit(0)\nos.setsid()\nos.setgid(65534)\nos.setuid(65534)\n"
            "kept = bytearray(9000000)\nprint(os.getpid(), flush=True)\ntime.sleep(60)")
    done = subprocess.Popen(["/usr/bin/python3", "-c", code], env=server.env(), stdout=subprocess.PIPE, text=True,
                            stdin=subprocess.DEVNULL)
    orphan = int(done.stdout.readline())
    done.wait()
    server.wait_for(orphan)
    killed(server)
    server = Server(folder=server.folder, socket=server.socket)
    server.wait_for(orphan)
    assert b"profile: total 1\n" in server.get("/p/%d/debug/pprof/goroutine?debug=1" % orphan).body
    os.kill(orphan, signal.SIGKILL)
    server.wait(lambda ps: ps[str(orphan)]["state"] != "running")
    server.stop()
    shutil.rmtree(server.folder)


run_tests(globals())
