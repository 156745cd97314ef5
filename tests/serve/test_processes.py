"""Processes that report: how they end, what they leave, how many there may be."""

import glob
import os
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

from serve import LIBPROF, PROF, SERVED, Server, run_tests, values

COUNT, SIZE = 1000, 1999


def ended(server, pid, state=None, seconds=15):
    def check(ps):
        entry = ps.get(str(pid))
        return entry and entry["state"] not in ("running", "ended") and entry

    entry = server.wait(check, seconds)
    assert state is None or entry["state"] == state, entry
    return entry


def final(server, name, pid, kind):
    files = sorted(glob.glob("%s/%s.%d.*.%s.pb.gz" % (server.dir, name, pid, kind)))
    assert files, os.listdir(server.dir)
    return files[-1]


def of_size(size):
    return lambda sample: sample.labels.get("bytes") == size


def test_every_end():
    """However a process ends, its profile holds all it allocated, to the byte."""
    server = Server()
    for signo, state in ((9, "killed by 9"), (11, "killed by 11"), (6, "killed by 6"),
                         (15, "killed by 15"), (0, "exited 3")):
        app = server.run(SERVED, "alloc", str(COUNT), str(SIZE), str(signo), LIBPROF_HEAP_RATE="1")
        app.wait()
        ended(server, app.pid, state)
        heap = values(final(server, "served", app.pid, "heap"), of_size(SIZE))
        assert heap["alloc_objects"] == COUNT and heap["alloc_space"] == COUNT * SIZE, heap
        assert heap["inuse_objects"] == COUNT // 2, heap
        # and it stays on show
        file = server.fetch("/p/%d/debug/pprof/heap" % app.pid, "heap.pb.gz")
        assert values(file, of_size(SIZE)) == heap
    assert not os.path.exists(os.path.join(server.folder, "fallback"))
    server.stop()


def test_threads_are_counted():
    """Those that run, whether something was recorded of them or not."""
    server = Server()
    idle, busy = server.run("sleep", "20"), server.run(SERVED, "work", "3")
    server.wait(lambda ps: all(ps.get(str(app.pid), {}).get("threads") == number
                               for app, number in ((idle, "1"), (busy, "2"))))
    idle.kill()
    idle.wait()
    busy.wait()
    server.stop()


def test_the_dead_have_no_threads():
    """None that were never seen anywhere; where they were when somebody asked stays on show."""
    server = Server()
    for ask in False, True:
        app = server.run(SERVED, "work", "30")
        server.wait(lambda ps: ps.get(str(app.pid), {}).get("threads") == "2")
        path = "/p/%d/debug/pprof/goroutine" % app.pid
        if ask:
            assert b"profile: total 2\n" in server.get(path + "?debug=1").body
        app.kill()
        app.wait()
        assert ended(server, app.pid)["threads"] == "0"
        answer = server.get(path + "?debug=1").body
        assert b"the process has ended" in answer, answer
        assert b"profile: total %d\n" % (2 * ask) in answer and b"[no stack]" not in answer, answer
    server.stop()


def test_memory_limit():
    """A process that runs against a limit and dies leaves its heap."""
    server = Server()
    code = "import ctypes\na=[]\nwhile 1: a.append(bytearray(1000003))"
    app = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL,
                           env=server.env(PYTHONMALLOC="malloc"),
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS,
                                                                 (1 << 30, 1 << 30)))
    app.wait()
    entry = ended(server, app.pid, "exited 1")
    assert int(entry["peak"]) > 300 << 20, entry
    server.stop()


def test_exec_and_children():
    server = Server()
    app = server.run("/bin/sh", "-c",
                     "%s alloc 10 10 0; exec %s alloc 10 10 0" % (SERVED, SERVED))
    app.wait()
    ended(server, app.pid, "exited 3")
    ps = server.ps()
    names = sorted((entry["id"].partition(".")[2], os.path.basename(entry["exe"]), entry["state"])
                   for entry in ps.values())
    assert names[-1][0] == "1" and names[-1][2] == "execed", names
    assert [n[1] for n in names[:-1]] == ["served", "served"], names
    server.stop()


def test_dump_signal():
    server = Server()
    app = server.run(SERVED, "work", "30")
    server.wait_for(app.pid)
    time.sleep(0.5)
    for n in (1, 2):
        app.send_signal(signal.SIGUSR2)
        server.wait(lambda ps: glob.glob("%s/served.%d.%04d.threads.pb.gz"
                                         % (server.dir, app.pid, n)))
    assert values(final(server, "served", app.pid, "threads"))["goroutine"] == 2
    app.kill()
    app.wait()
    ended(server, app.pid)
    assert not os.path.exists(os.path.join(server.folder, "fallback"))
    server.stop()


def test_interval():
    server = Server()
    app = server.run(SERVED, "work", "30", LIBPROF_INTERVAL="300ms")
    server.wait(lambda ps: glob.glob("%s/served.%d.0003.heap.pb.gz" % (server.dir, app.pid)))
    app.kill()
    app.wait()
    server.stop()


def test_frames():
    """Where the memory can't be passed (no memfd under this limit) dumps are streamed."""
    server = Server()
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))  # noqa: E731
    app = subprocess.Popen([SERVED, "work", "30"], env=server.env(), preexec_fn=limit)
    server.wait_for(app.pid)
    app.send_signal(signal.SIGUSR2)
    server.wait(lambda ps: glob.glob("%s/served.%d.0001.heap.pb.gz" % (server.dir, app.pid)))
    time.sleep(0.3)
    file = server.fetch("/p/%d/debug/pprof/heap" % app.pid, "heap.pb.gz")
    assert values(file)["alloc_space"] > 0
    app.terminate()
    app.wait()
    ended(server, app.pid, "killed by 15")
    assert not glob.glob(server.dir + "/.*"), "half files are left"
    server.stop()


def test_collector_replaced():
    """kill -9 of the collector: the process goes on; a new collector gets the new
    processes, and the old one's profiles in full at its end."""
    server = Server()
    app = server.run(SERVED, "work", "6")
    server.wait_for(app.pid)
    server.process.kill()
    server.process.wait()
    time.sleep(0.5)
    assert app.poll() is None
    second = Server(folder=server.folder, socket=server.socket)
    other = second.run(SERVED, "alloc", "10", "10", "0")
    assert other.wait() == 3
    ended(second, other.pid, "exited 3")
    assert app.wait() == 0
    second.wait(lambda ps: glob.glob("%s/served.%d.*.heap.pb.gz" % (second.dir, app.pid)))
    second.stop()


def test_directory_when_nobody_is_there():
    server = Server()
    server.stop()
    app = server.run(SERVED, "work", "2")
    app.wait()
    assert glob.glob("%s/fallback/served.%d.0001.heap.pb.gz" % (server.folder, app.pid))
    shutil.rmtree(server.folder)


def resident(pid):
    with open("/proc/%d/status" % pid) as file:
        return int(file.read().split("VmRSS:")[1].split()[0])


def test_200_at_once():
    server = Server()
    script = "i=0; while [ $i -lt 200 ]; do %s work 4 & i=$((i+1)); done; wait" % SERVED
    app = server.run("/bin/sh", "-c", script, LIBPROF_HEAP_RATE="1")
    server.wait(lambda ps: sum(e["exe"] == SERVED for e in ps.values()) == 200, 60)
    kib = resident(server.process.pid)
    assert app.wait() == 0
    server.wait(lambda ps: sum(e["exe"] == SERVED and e["state"] == "exited 0"
                               for e in ps.values()) == 200, 60)
    files = glob.glob(server.dir + "/served.*.heap.pb.gz")
    print("200 processes: collector %d MiB, after them %d MiB; %d heap profiles"
          % (kib >> 10, resident(server.process.pid) >> 10, len(files)))
    assert len(files) == 200, len(files)
    assert kib < 400 << 10, kib
    server.stop()


def many_short(server, command):
    start = time.time()
    app = server.run("/bin/sh", "-c",
                     "i=0; while [ $i -lt 1000 ]; do %s; i=$((i+1)); done; :" % command,
                     LIBPROF_HEAP_RATE="1")
    assert app.wait() == 0
    return time.time() - start


def report_short(server, took, ps):
    files = os.listdir(server.dir)
    print("1000 processes in %.1f s: %d known, collector %d MiB, %d files"
          % (took, len(ps), resident(server.process.pid) >> 10, len(files)))
    return files


def test_short_processes():
    """1000 short ones: every one is known with how it ended and its heap profile."""
    server = Server("--keep", "2000")
    took = many_short(server, SERVED + " alloc 10 1999 0")

    def all_ended(ps):
        ends = [entry["state"] for entry in ps.values() if entry["exe"] == SERVED]
        return ends.count("exited 3") == 1000 and ps

    ps = server.wait(all_ended, 60)
    report_short(server, took, ps)
    for entry in ps.values():
        if entry["exe"] == SERVED:
            heap = values(final(server, "served", int(entry["id"]), "heap"), of_size(1999))
            assert heap["alloc_objects"] == 10 and heap["inuse_objects"] == 5, (entry, heap)
    server.stop()


def test_oldest_are_forgotten():
    """And their files and descriptors with them."""
    server = Server("--keep", "100")
    took = many_short(server, SERVED + " alloc 10 1999 0")
    ps = server.wait(lambda ps: len(ps) <= 102 and all(e["state"] != "running" for e in ps.values())
                     and ps, 60)
    files = report_short(server, took, ps)
    assert 50 < len(files) <= 102 * 7, len(files)
    server.wait(lambda ps: len(os.listdir("/proc/%d/fd" % server.process.pid)) < 150)
    server.stop()


def hello(magic=0x48465250, version=1, kind=1, body=b"", length=None):
    return struct.pack("<IHHII", magic, version, kind, len(body) if length is None else length, 0) + body


def test_hostile_socket():
    server = Server()
    # root's is for workers that became other users; who they are is asked at each connection
    assert os.stat(server.socket).st_mode & 0o777 == (0o600 if os.geteuid() else 0o666)
    assert os.stat(os.path.dirname(server.socket)).st_mode & 0o777 == (0o700 if os.geteuid() else 0o711)
    memfd = os.memfd_create("x", os.MFD_ALLOW_SEALING)
    os.ftruncate(memfd, 1 << 20)
    body = struct.pack("<IIQQ", 1, 12, 0, 1 << 20) + b"/bin/x"
    name = b"x.1.0001.heap.pb.gz"
    for data, fds in ((hello(magic=1), []), (hello(version=9), []), (hello(length=1 << 31), []),
                      (hello(kind=77), []), (hello(kind=3, body=name), []),
                      (hello(body=body), []), (hello(body=body), [memfd]),
                      (hello(body=body), [os.open("/dev/null", os.O_RDONLY)]),
                      (hello(body=body[:10]), []), (b"", [memfd] * 4), (b"\xff" * 100000, []),
                      (hello(body=struct.pack("<IIQQ", 1, 12, 0, 0) + b"/bin/x")
                       + hello(kind=3, body=b"../../x.1.0001.heap.pb.gz"), []),
                      (hello(body=struct.pack("<IIQQ", 1, 12, 0, 0) + b"/bin/x")
                       + hello(kind=3, body=name) + hello(kind=4, body=b"abc"), [])):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(server.socket)
            try:
                socket.send_fds(connection, [data or b"\0"], fds)
                connection.settimeout(0.1)
                connection.recv(1)
            except OSError:
                pass
    assert server.get("/ps").status == 200
    assert not glob.glob(server.dir + "/*heap*") and not glob.glob(server.folder + "/*.gz")
    server.stop()


def test_workers_that_gave_up_root():
    """As nginx's and php-fpm's: root's collector takes them, and no other user's process."""
    if os.geteuid() != 0:
        return
    server = Server()
    os.chmod(server.folder, 0o755)
    code = ("import os,sys,time\nif os.fork():\n os.wait()\nelse:\n os.setgid(65534)\n"
            " os.setuid(65534)\n kept = bytearray(9000000)\n print(os.getpid(), flush=True)\n"
            " time.sleep(30)")
    master = subprocess.Popen(["/usr/bin/python3", "-c", code], env=server.env(),
                              stdout=subprocess.PIPE, text=True)
    worker = int(master.stdout.readline())
    server.wait_for(worker)
    heap = server.fetch("/p/%d/debug/pprof/heap" % worker, "worker.pb.gz")
    assert values(heap)["inuse_space"] >= 9000000
    stranger = subprocess.Popen(["setpriv", "--reuid=65534", "env", "LD_PRELOAD=" + LIBPROF,
                                 "LIBPROF_SOCKET=" + server.socket, SERVED, "work", "2"],
                                stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    stranger.wait()
    assert str(stranger.pid) not in server.ps()
    os.kill(worker, signal.SIGKILL)
    master.wait()
    server.stop()


run_tests(globals())
