#!/usr/bin/env python3
"""The threads profile against gdb's backtraces of the same moment: every thread waits, so
both see the same stacks. Each frame of the stack must be in ours under gdb's name, in the
same order, and nothing besides. Compared are the frames that exist: not gdb's guesses at tail
calls (no frame stands behind one) and not what either takes for inlined. libprof's own
frames, which gdb shows and we don't, are left out of gdb's; a name that one side doesn't know
is not compared.

Arguments: prof, libprof.so, then programs that print "ready". redis-server is
tried as well where it is installed. Skips (77) without gdb."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

prof, library = map(os.path.abspath, sys.argv[1:3])
# gdb names the alias that was found first, prof the one with fewest underscores or none
PREFIX = re.compile(r"^(_+GI_+|_+|redis-)|(64|_impl)?(@.*)?$")


def plain(name):
    return PREFIX.sub("", name)


def ours(profile):
    """{tid: [function]} of a debug=2 text; None for a frame without a name."""
    text = subprocess.run([prof, "text", "--debug", "2", profile], capture_output=True, text=True,
                          check=True).stdout
    found = {}
    for block in text.strip().split("\n\n"):
        # an inlined call has no offset behind its line
        names = re.findall(r"^(.+)\(\.\.\.\)\n\t.* \+0x[0-9a-f]+$", block, re.M)
        found[int(re.match(r"goroutine (\d+) ", block)[1])] = [
            None if "+0x" in name or name.startswith("0x") else plain(name) for name in names]
    return found


GDB = """
import gdb
for thread in gdb.selected_inferior().threads():
    thread.switch()
    frame = gdb.newest_frame()
    while frame:
        if frame.type() not in (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME):
            print("frame", thread.ptid[1], gdb.solib_name(frame.pc()), frame.name())
        frame = frame.older()
"""


def gdbs(pid):
    """The same by gdb, without libprof's frames."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(GDB)
        script.flush()
        text = subprocess.run(
            ["gdb", "-p", str(pid), "-batch", "-nx", "-ex", "set backtrace past-main on", "-x",
             script.name], capture_output=True, text=True, timeout=240,
            env={**os.environ, "DEBUGINFOD_URLS": ""}).stdout
    found = {}
    for tid, file, name in re.findall(r"^frame (\d+) (\S+) (.+)$", text, re.M):
        stack = found.setdefault(int(tid), [])
        if not file.endswith("/libprof.so"):
            stack.append(None if name == "None" else plain(name))
    return found


def same(mine, theirs):
    return len(mine) == len(theirs) and all(a is None or b is None or a == b
                                            for a, b in zip(mine, theirs))


def dump(process, directory):
    process.send_signal(12)
    for _ in range(600):
        time.sleep(0.1)
        found = glob.glob(directory + "/*.threads.pb.gz")
        if found:
            return found[0]
    raise TimeoutError("no dump of the threads")


def compare(command, ready):
    with tempfile.TemporaryDirectory() as directory:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LIBPROF_")}
        environment.update(LD_PRELOAD=library, LIBPROF_DIR=directory, LIBPROF_AT_EXIT="0",
                           LIBPROF_PROFILES="threads")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, cwd=directory)
        try:
            ready(process)
            mine = ours(dump(process, directory))
            theirs = gdbs(process.pid)
        finally:
            process.kill()
            process.wait()
    name = os.path.basename(command[0])
    wrong = [tid for tid in theirs if not same(mine.get(tid, []), theirs[tid])]
    print(f"{name}: {len(mine)} threads, {len(theirs)} of gdb's, {len(theirs) - len(wrong)} equal, "
          f"{sum(map(len, theirs.values()))} frames")
    for tid in wrong[:3]:
        print(f"  {tid}: ours {mine.get(tid)}\n  {' ' * len(str(tid))}  gdb  {theirs[tid]}")
    return len(theirs) > 1 and set(mine) == set(theirs) and not wrong


def says_ready(process):
    assert process.stdout.readline() == b"ready\n"
    time.sleep(0.2)


def answers(process):
    for line in process.stdout:
        if b"eady to accept" in line:
            break
    time.sleep(1)


if not shutil.which("gdb"):
    print("skipped: no gdb")
    sys.exit(77)
good = [compare([os.path.abspath(program)], says_ready) for program in sys.argv[3:]]
if shutil.which("redis-server"):
    good.append(compare(["redis-server", "--port", "0", "--unixsocket", "socket", "--io-threads", "4",
                         "--save", ""], answers))
sys.exit(not all(good))
