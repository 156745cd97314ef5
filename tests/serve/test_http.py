"""net/http/pprof's contract, by status, headers and body, and with go tool pprof."""

import glob
import gzip
import json
import os
import shutil
import socket
import subprocess
import threading
import time

from serve import PROF, SERVED, Server, pprof, run_tests, values

server = Server()
app = server.run(SERVED, "work", "60", LIBPROF_BLOCK_RATE="100ns", LIBPROF_MUTEX_FRACTION="1")
server.wait_for(app.pid)
base = "/p/%d/debug/pprof/" % app.pid
OCTETS, TEXT = "application/octet-stream", "text/plain; charset=utf-8"


def check(path, status, content_type, body=None, disposition=None, method="GET"):
    answer = server.get(path, method)
    assert answer.status == status, (path, answer.status, answer.body)
    assert answer.headers["Content-Type"] == content_type, (path, answer.headers)
    assert answer.headers["X-Content-Type-Options"] == "nosniff", path
    assert answer.headers["Content-Disposition"] == disposition, (path, answer.headers)
    assert answer.headers["Access-Control-Allow-Origin"] is None
    if body is not None:
        assert answer.body == body, (path, answer.body)
    if status >= 400 and path.startswith(base):
        assert answer.headers["X-Go-Pprof"] == "1", path
    return answer


def test_profiles():
    for name in "heap allocs goroutine threadcreate block mutex threads".split():
        answer = check(base + name, 200, OCTETS, None, 'attachment; filename="%s"' % name)
        assert len(gzip.decompress(answer.body)) > 50
        for debug in "1", "2":
            answer = check(base + name + "?debug=" + debug, 200, TEXT)
        assert check(base + name + "?debug=abc", 200, OCTETS, None,
                     'attachment; filename="%s"' % name)
    assert server.get(base + "heap", "HEAD").status == 200
    check(base + "heap?gc=1", 200, OCTETS, None, 'attachment; filename="heap"')


def test_errors():
    seconds = b'invalid value for "seconds" - must be a positive integer\n'
    check(base + "nonesuch", 404, TEXT, b"Unknown profile\n")
    for bad in "0", "abc", "-1", "1.5", "99999999999999999999":
        check(base + "heap?seconds=" + bad, 400, TEXT, seconds)
    check(base + "heap?seconds=1&debug=1", 400, TEXT,
          b"seconds and debug params are incompatible\n")
    check(base + "heap?seconds=0&debug=1", 400, TEXT, seconds)
    check(base + "heap?seconds=999999", 400, TEXT,
          b"profile duration exceeds server's WriteTimeout\n")
    trace = check(base + "trace", 200, "application/x-protobuf", None,
                  'attachment; filename="served.%d.pftrace"' % app.pid)
    assert b"burn_cpu" in trace.body
    assert server.get("/p/1/debug/pprof/heap").status == 404
    assert server.get("/nothing").status == 404
    assert server.get("/ps", "POST").status == 405
    assert server.get("/ps", "DELETE").status == 405


def test_index_and_small_ones():
    answer = check(base, 200, "text/html; charset=utf-8")
    for name in b"allocs block cmdline goroutine heap mutex profile threadcreate trace".split():
        assert b"<a href='%s?debug=1'>%s</a>" % (name, name) in answer.body, name
    assert b'<a href="goroutine?debug=2">full goroutine stack dump</a>' in answer.body
    moved = server.get(base[:-1])
    assert (moved.status, moved.headers["Location"]) == (301, base)
    check(base + "cmdline", 200, TEXT, b"\0".join([SERVED.encode(), b"work", b"60"]))
    # one process: it is the default
    assert server.get("/debug/pprof/").status == 200
    sd = json.loads(server.get("/sd").body)
    assert sd[0]["targets"] == [server.address]
    assert sd[0]["labels"]["pid"] == str(app.pid) and sd[0]["labels"]["exe"] == SERVED
    assert sd[0]["labels"]["service_name"] == "served"
    assert sd[0]["labels"]["__profile_path_prefix__"] == "/p/%d" % app.pid


def test_symbols():
    text = server.get(base + "heap?debug=1").body.decode()
    addresses = [line.split("\t")[1] for line in text.splitlines() if "keep_block" in line]
    assert addresses, text
    answer = check(base + "symbol", 200, TEXT, None, None)
    assert answer.body == b"num_symbols: 1\n"
    asked = addresses[0] + "+0x10"
    body = server.get(base + "symbol", "POST", asked).body.decode().splitlines()
    assert body[0] == "num_symbols: 1"
    assert body[1] == addresses[0] + " keep_block", body
    assert len(body) == 2, body
    assert server.get(base + "symbol?" + asked).body.decode().splitlines() == body


def test_two_cpu_profiles_at_once():
    files = [None, None]

    def fetch(n):
        files[n] = server.fetch(base + "profile?seconds=5", "cpu%d.pb.gz" % n)

    before = os.times()
    with open("/proc/%d/stat" % app.pid) as file:
        ticks = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    threads = [threading.Thread(target=fetch, args=(n,)) for n in range(2)]
    start = time.time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.time() - start
    with open("/proc/%d/stat" % app.pid) as file:
        used = sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13])) - ticks
    used *= 1e9 / os.sysconf("SC_CLK_TCK")
    assert 4.9 < took < 20, took
    for file in files:
        cpu = values(file)["cpu"]
        assert 0.75 * used < cpu < 1.1 * used, (cpu, used)


# What is a sum over time in each profile.
SUMS = {"heap": ["alloc_objects", "alloc_space"], "profile": ["samples", "cpu"],
        "mutex": ["contentions", "delay"], "block": ["contentions", "delay"]}


def sums(kind, file):
    every = values(file)
    return [every[name] for name in SUMS[kind]]


def test_windows_sum_to_the_whole():
    """A program that works only within the windows: what /profile?seconds= and the
    other windows show adds up to exactly what its final profiles hold."""
    steps = subprocess.Popen([SERVED, "steps"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True, env=server.env(LIBPROF_BLOCK_RATE="1ns",
                                                       LIBPROF_MUTEX_FRACTION="1"))
    server.wait_for(steps.pid)
    where, seconds = "/p/%d/debug/pprof/" % steps.pid, 5

    def whole():
        """Of cpu there is no whole by HTTP (Go's is a window): from a dump, which has
        none while there are no samples."""
        subprocess.run([PROF, "dump", "--http", server.address, str(steps.pid)],
                       check=True, stdout=subprocess.DEVNULL)
        dumped = sorted(glob.glob("%s/served.%d.*.cpu.pb.gz" % (server.dir, steps.pid)))
        result = {kind: sums(kind, server.fetch(where + kind, "whole.pb.gz"))
                  for kind in SUMS if kind != "profile"}
        result["profile"] = sums("profile", dumped[-1]) if dumped else [0, 0]
        return result

    before = whole()
    total = {kind: [0] * len(names) for kind, names in SUMS.items()}
    for n in range(3):
        files = {}

        def window(kind):
            files[kind] = server.fetch("%s%s?seconds=%d" % (where, kind, seconds), kind + ".pb.gz")

        threads = [threading.Thread(target=window, args=(kind,)) for kind in SUMS]
        start = time.time()
        for thread in threads:
            thread.start()
        time.sleep(1)
        steps.stdin.write("go\n")
        steps.stdin.flush()
        assert steps.stdout.readline() == "done\n"
        assert time.time() - start < seconds - 0.5, "too slow a machine: the windows are too short"
        for thread in threads:
            thread.join()
        for kind in SUMS:
            part = sums(kind, files[kind])
            assert all(part) or kind in ("mutex", "block"), (kind, part)
            total[kind] = [a + b for a, b in zip(total[kind], part)]
    after = whole()
    for kind in SUMS:
        assert total[kind] == [b - a for a, b in zip(before[kind], after[kind])], \
            (kind, total[kind], before[kind], after[kind])
        assert all(total[kind]), (kind, total[kind])
    steps.stdin.close()
    assert steps.wait() == 0


def test_snapshots_telescope():
    """The same of a program that never rests: the differences of successive snapshots,
    by sample type and by stack, add up to the difference of the last and the first."""
    for kind in "heap", "mutex", "block":
        files = []
        for n in range(4):
            files.append(server.fetch(base + kind, "%s-%d.pb.gz" % (kind, n)))
            time.sleep(0.3)

        def delta(first, last):
            file = os.path.join(server.folder, "delta.pb.gz")
            subprocess.run([PROF, "merge", "-base", first, "-o", file, last], check=True,
                           stdout=subprocess.DEVNULL)
            counts = {}
            for sample in pprof.Profile(file).samples:
                key = (tuple(at for at, _, _ in sample.stack), tuple(sorted(sample.labels.items())))
                old = counts.get(key, [0] * len(sample.values))
                counts[key] = [a + b for a, b in zip(old, sample.values)]
            return counts

        added = {}
        for first, last in zip(files, files[1:]):
            for key, numbers in delta(first, last).items():
                old = added.get(key, [0] * len(numbers))
                added[key] = [a + b for a, b in zip(old, numbers)]
        added = {key: numbers for key, numbers in added.items() if any(numbers)}
        assert added and added == delta(files[0], files[-1]), kind


def test_go_tool():
    if not shutil.which("go"):
        return
    environment = dict(os.environ, PPROF_TMPDIR=server.folder)
    url = "http://" + server.address + base

    def go_pprof(*arguments):
        return subprocess.run(["go", "tool", "pprof", *arguments], env=environment, text=True,
                              capture_output=True, check=True).stdout

    assert "keep_block" in go_pprof("-top", "-alloc_space", url + "heap")
    assert "keep_block" in go_pprof("-top", "-sample_index=alloc_space", "-seconds", "1",
                                 url + "heap")
    assert "burn_cpu" in go_pprof("-top", "-seconds", "1", url + "profile")
    assert "burn_cpu" in go_pprof("-top", url + "mutex") or "work" in go_pprof("-top", url + "mutex")
    for name in "heap", "goroutine", "mutex", "block":
        file = os.path.join(server.folder, name + ".txt")
        with open(file, "wb") as out:
            out.write(server.get(base + name + "?debug=1").body)
        go_pprof("-top", file)


def test_rebinding():
    port = server.address.split(":")[1]
    for host, status in (("evil.example:" + port, 403), ("127.0.0.1.evil.example", 403),
                         ("localhost:" + port, 200), ("[::1]:" + port, 200),
                         ("10.1.2.3", 200), ("LOCALHOST.", 200), ("", 403)):
        assert server.get("/ps", headers={"Host": host}).status == status, host
    for origin, status in (("http://evil.example", 403), ("null", 403),
                           ("http://" + server.address, 200)):
        answer = server.get("/dump/%d" % app.pid, "POST", headers={"Origin": origin})
        assert answer.status == status, (origin, answer.status)


def test_hostile_requests():
    host, port = server.address.split(":")
    for text in (b"GET " + b"/" * 100000 + b" HTTP/1.1\r\n\r\n", b"\0\1\2\3\r\n\r\n",
                 b"GET /p/%00/debug/pprof/%ff%fe?seconds=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 b"POST /p/1/debug/pprof/symbol HTTP/1.1\r\nHost: localhost\r\n"
                 b"Content-Length: 99999999999\r\n\r\nx"):
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(text)
            connection.settimeout(0.5)
            try:
                connection.recv(100)
            except OSError:
                pass
    answer = server.get(base + "symbol", "POST", b"0x1+" * 2000000)
    assert answer.status == 413, answer.status
    # more connections than are served at a time: the rest is turned away, not lost
    many = [socket.create_connection((host, int(port))) for _ in range(200)]
    for connection in many:
        connection.close()
    time.sleep(0.3)
    assert server.get("/ps").status == 200


def test_client_that_leaves():
    """A window's thread ends when nobody waits for it any more."""
    host, port = server.address.split(":")
    tasks = "/proc/%d/task" % server.process.pid
    connections = []
    time.sleep(1)  # other tests' connections are gone
    rest = len(os.listdir(tasks))
    for _ in range(20):
        connections.append(socket.create_connection((host, int(port))))
        connections[-1].sendall(("GET %sprofile?seconds=600 HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                 % base).encode())

    def until(condition):
        end = time.time() + 10
        while not condition(len(os.listdir(tasks))) and time.time() < end:
            time.sleep(0.05)
        return condition(len(os.listdir(tasks)))

    assert until(lambda n: n >= rest + 20), (rest, os.listdir(tasks))
    time.sleep(1)
    assert len(os.listdir(tasks)) >= rest + 20, "windows end although somebody waits"
    for connection in connections:
        connection.close()
    assert until(lambda n: n <= rest), (rest, os.listdir(tasks))


try:
    run_tests(globals())
finally:
    app.kill()
    app.wait()
    server.stop()
shutil.rmtree(server.folder)
