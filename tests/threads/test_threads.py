#!/usr/bin/env python3
"""The threads profile against what the program is known to do: by a dump of the
preloaded library, by `prof threads PID` on the same program without it, and on
its core file; and against gdb's word where gdb is there.

Arguments: prof, libprof.so, the sleepers target."""
import glob
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

prof, library, target = map(os.path.abspath, sys.argv[1:4])
EXPECTED = {  # thread's name: (its function, the state it shows)
    "poller": ("wait_in_poll", "poll"),
    "sleeper": ("wait_in_sleep", "sleep"),
    "waiter": ("wait_in_semaphore", "futex"),
    "sleepers": ("main", "futex"),
}
failures = []


def check(condition, text):
    if not condition:
        failures.append(text)
        print("FAILED:", text)


def start(extra, directory):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LIBPROF_")}
    environment.update(extra)
    child = subprocess.Popen([target], stdout=subprocess.PIPE, env=environment, cwd=directory)
    assert child.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    return child


def threads_of(text):
    """{tid: (state, name, [functions])} of a debug=2 text."""
    found = {}
    for block in text.strip().split("\n\n"):
        lines = block.split("\n")
        head = re.match(r"goroutine (\d+) \[([^(,\]]*?)(?: \(([^)]*)\))?(?:, \d+ minutes)?\]:$", lines[0])
        check(head, f"head: {lines[0]}")
        if head:
            functions = [line[:-5] for line in lines[1:] if line.endswith("(...)")]
            found[int(head[1])] = (head[2], head[3], functions)
    return found


def compare(found, where, names=True):
    check(len(found) == 4, f"{where}: {len(found)} threads")
    for name, (function, state) in EXPECTED.items():
        hits = [t for t in found.values() if function in t[2]]
        check(len(hits) == 1, f"{where}: {function} in {len(hits)} threads")
        if hits and names:
            check(hits[0][:2] == (state, name), f"{where}: {function}: {hits[0][:2]}")


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    check(done.returncode == 0, f"{command}: {done.returncode}: {done.stderr}")
    return done.stdout


def gdb_functions(pid):
    text = subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "set width 0",
                           "-ex", "thread apply all bt"], capture_output=True, text=True).stdout
    found = {}
    for block in re.split(r"\nThread \d+ ", text)[1:]:
        tid = re.search(r"LWP (\d+)", block)
        found[int(tid[1])] = re.findall(r"^#\d+ +(?:0x[0-9a-f]+ in )?([\w.@]+)", block, re.M)
    return found


def same_order(ours, theirs):
    """Every function of gdb's list that is the program's own, in the same order."""
    own = [f for f in theirs if f.startswith("wait_in") or f == "main"]
    return [f for f in ours if f in own] == own


with tempfile.TemporaryDirectory() as directory:
    child = start({"LD_PRELOAD": library, "LIBPROF_DIR": directory, "LIBPROF_AT_EXIT": "0"}, directory)
    child.send_signal(signal.SIGUSR2)
    for _ in range(50):
        time.sleep(0.1)
        dumps = glob.glob(directory + "/*.threads.pb.gz")
        if dumps:
            break
    check(dumps, "no dump of the threads")
    if dumps:
        found = threads_of(run(prof, "text", "--debug", "2", dumps[0]))
        compare(found, "dump")
        if shutil.which("gdb"):
            for tid, functions in gdb_functions(child.pid).items():
                check(tid in found and same_order(found[tid][2], functions), f"gdb: {tid}: {functions}")
    child.kill()
    child.wait()

    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    child = start({}, directory)
    compare(threads_of(run(prof, "threads", str(child.pid))), "prof threads PID")
    written = os.path.join(directory, "written.pb.gz")
    run(prof, "threads", "-o", written, str(child.pid))
    # having been traced a moment ago, waits show as restarted
    compare(threads_of(run(prof, "text", "--debug", "2", written)), "prof threads -o", names=False)
    child.send_signal(signal.SIGABRT)
    child.wait()
    cores = glob.glob(directory + "/core*")
    if cores:  # where core_pattern leads elsewhere there is none
        compare(threads_of(run(prof, "threads", cores[0])), "core", names=False)

for argument in ("999999999", "/bin/true", "/nonexistent"):
    done = subprocess.run([prof, "threads", argument], capture_output=True, text=True)
    check(done.returncode == 1 and done.stderr.count("\n") == 1, f"{argument}: {done.stderr}")
sys.exit(1 if failures else 0)
