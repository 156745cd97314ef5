"""prof run: statuses, signals, programs that can't be profiled."""

import glob
import os
import pty
import resource
import shutil
import signal
import subprocess
import tempfile
import time

from serve import PROF, SERVED, run_tests, values

folder = tempfile.mkdtemp(prefix="run-test-")
os.chdir(folder)


def run(*arguments, **more):
    return subprocess.run([PROF, "run", *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, **more)


def test_statuses():
    for signo, expected in ((0, 3), (9, -9), (15, -15), (11, -11)):
        done = run("-o", "o%d" % signo, "--exact", SERVED, "alloc", "100", "1999", str(signo))
        assert done.returncode == expected, (signo, done)
        assert ("killed by %d" % signo if signo else "exited 3") in done.stderr, done.stderr
        assert done.stdout == ""
        file, = glob.glob("o%d/served.*.heap.pb.gz" % signo)
        heap = values(file, lambda sample: sample.labels.get("bytes") == 1999)
        assert heap["alloc_objects"] == 100 and heap["inuse_space"] == 50 * 1999, heap
    assert run("-o", "q", "--quiet", "/bin/true").stderr == ""
    assert run("nonesuch").returncode == 127
    assert run("/etc/passwd").returncode == 126
    assert run().returncode == 2
    # its own options end at the program
    assert run("-o", "e", "/bin/echo", "-o", "--help").stdout == "-o --help\n"


def test_what_cannot_be_profiled():
    def refused(path, word):
        done = run(path)
        lines = done.stderr.splitlines()
        assert done.returncode == 126 and len(lines) == 1 and word in lines[0], done

    with open("static.c", "w") as file:
        file.write("int main(void){return 0;}")
    if subprocess.run(["cc", "-static", "-o", "static", "static.c"]).returncode == 0:
        refused("./static", "statically linked")
        with open("script", "w") as file:
            file.write("#! %s/static -x\n" % folder)
        os.chmod("script", 0o755)
        refused("./script", "statically linked")
    subprocess.run(["cc", "-o", "musl", "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1",
                    "static.c"], check=True)
    refused("./musl", "musl")
    with open("/bin/true", "rb") as file:
        elf = bytearray(file.read())
    elf[4] = 1
    with open("narrow", "wb") as file:
        file.write(elf)
    os.chmod("narrow", 0o755)
    refused("./narrow", "32-bit")
    if os.geteuid() == 0:
        shutil.copy("/bin/true", "setuid")
        os.chown("setuid", 65534, 65534)
        os.chmod("setuid", 0o4755)
        refused("./setuid", "setuid")


def test_signals_pass():
    app = subprocess.Popen([PROF, "run", "-o", "sig", "--", "/bin/sh", "-c",
                            "trap 'echo got usr1; exit 7' USR1; echo up; while :; do sleep 0.1; done"],
                           stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
    assert app.stdout.readline() == "up\n"
    app.send_signal(signal.SIGUSR1)
    assert app.stdout.read() == "got usr1\n"
    assert app.wait(10) == 7


def test_ctrl_c():
    """A terminal's Ctrl-C ends the program; the summary still comes."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(PROF, [PROF, "run", "-o", "tty", SERVED, "work", "30"])
    time.sleep(1.5)
    os.write(terminal, b"\x03")
    text = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        text += part
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, (status, text)
    assert b"killed by 2" in text, text
    assert glob.glob("tty/served.*.cpu.pb.gz"), text


def test_http_while_it_runs():
    app = subprocess.Popen([PROF, "run", "--http", "127.0.0.1:0", "-o", "h", SERVED, "work", "8"],
                           stderr=subprocess.PIPE, text=True)
    line = app.stderr.readline()
    address = line.split("http://")[1].split("/")[0]
    time.sleep(0.5)
    ps = subprocess.run([PROF, "ps", "--http", address], capture_output=True, text=True)
    assert "running" in ps.stdout and "served" in ps.stdout, ps
    pid = ps.stdout.splitlines()[1].split()[0]
    done = subprocess.run([PROF, "cpu", "--http", address, "--seconds", "1", "-o", "c.pb.gz", pid])
    assert done.returncode == 0 and values("c.pb.gz")["cpu"] > 0
    done = subprocess.run([PROF, "dump", "--http", address, "--profile", "heap,threads", "-o", "d",
                           pid], capture_output=True, text=True)
    assert done.returncode == 0 and len(done.stdout.split()) == 2, done
    live = subprocess.run([PROF, "live", "--http", address, "--seconds", "1", pid],
                          capture_output=True, text=True)
    assert "Heap in use" in live.stdout, live
    app.stderr.read()
    assert app.wait(20) == 0


try:
    run_tests(globals())
finally:
    os.chdir("/")
    shutil.rmtree(folder)
