"""prof run: statuses, signals, programs that can't be profiled."""

import glob
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import time

from serve import LIBPROF, PROF, SERVED, pprof, run_tests, values

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
    # a sampled figure is shown as one, with its standard error; an exact one as it is
    assert "~" not in done.stderr, done.stderr
    done = run("-o", "sampled", SERVED, "alloc", "1000", "19999", "0")
    assert re.search(r"exited 3", done.stderr) and re.search(
        r"~[\d.]+ \wi?B \+-[\d.]+ .*~[\d.]+ \w+ .*~[\d.]+ \w+ \+-[\d.]+ ", done.stderr), done.stderr
    assert run("-o", "q", "--quiet", "/bin/true").stderr == ""
    assert run("nonesuch").returncode == 127
    assert run("/etc/passwd").returncode == 126
    assert run().returncode == 2
    # its own options end at the program
    assert run("-o", "e", "/bin/echo", "-o", "--help").stdout == "-o --help\n"


def test_runs_of_a_directory_are_told_apart():
    for size in ("1999", "2999"):
        assert run("-q", "-o", "runs", "--exact", SERVED, "alloc", "100", size, "0").returncode == 3

    def total(*options):
        done = subprocess.run([PROF, "raw", "-q", "--no-symbols", "-profile", "heap", *options, "runs"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        return "bytes:[1999 " in done.stdout, "bytes:[2999 " in done.stdout

    assert total() == (False, True)
    assert total("--run", "1") == (True, False)
    assert total("--run", "-1") == (True, False)
    assert total("--run", "all") == (True, True)
    listed = subprocess.run([PROF, "runs", "runs"], capture_output=True, text=True, timeout=60)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == ["run", "1", "2"], listed
    compared = subprocess.run([PROF, "diff", "-q", "--no-symbols", "-profile", "heap", "-sample",
                               "inuse_space", "-unit", "B", "runs"],
                              capture_output=True, text=True, timeout=60)
    assert "50000B" in compared.stdout, compared
    missing = subprocess.run([PROF, "top", "--run", "7", "runs"], capture_output=True, text=True,
                             timeout=60)
    assert missing.returncode == 1 and "no run '7'" in missing.stderr, missing


DAEMON = r"""
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **arguments)
{
    if (daemon(1, 1) != 0)
        return 2;
    int known = count > 1; /* prof run takes note of it, or is gone before */
    if (known)
        ((volatile char *)malloc(100000))[0] = 1;
    usleep(500000);
    for (volatile int i = known; i < 100; i++)
        ((volatile char *)malloc(100000))[0] = 1;
    sleep(1);
    return 0;
}
"""


def test_daemon_outlives_us():
    """What it does once prof run has ended is written to the same folder at its end."""
    with open("daemon.c", "w") as file:
        file.write(DAEMON)
    subprocess.run(["cc", "-w", "-O1", "daemon.c", "-o", "daemon"], check=True)
    for n, command in enumerate((["./daemon"], ["sh", "-c", "./daemon late; sleep 0.2"])):
        out = f"daemon-{n}"
        done = run("-o", out, "--exact", *command)
        assert done.returncode == 0, done
        assert n == 0 or "still runs" in done.stderr, done.stderr
        end = time.monotonic() + 30
        total = 0
        while total != 10000000 and time.monotonic() < end:
            time.sleep(0.1)
            files = sorted(glob.glob(f"{out}/daemon.*.heap.pb.gz"))
            total = values(files[-1], lambda sample: sample.labels.get("bytes") == 100000)[
                "alloc_space"] if files else 0
        assert total == 10000000, (out, total, done)
        listed = subprocess.run([PROF, "raw", "-q", "--no-symbols", "-profile", "heap",
                                 "-program", "daemon", out], capture_output=True, text=True)
        assert "bytes:[100000 " in listed.stdout, listed
    assert not os.path.exists("libprof.out")


def test_folders_with_odd_names():
    """LD_PRELOAD separates names by spaces and colons; file names need not be UTF-8."""
    odd = os.fsencode("a b:c 'd' ") + b"caf\xe9"
    os.mkdir(odd)
    for path in PROF, LIBPROF, SERVED:
        shutil.copy(os.fsencode(path), odd)
    out = odd + b"/o:1 2"
    done = subprocess.run([odd + b"/prof", "run", "-o", out, "--exact", odd + b"/served", "alloc",
                           "100", "1999", "0"], capture_output=True, timeout=60)
    assert done.returncode == 3, done
    file, = glob.glob(out + b"/served.*.heap.pb.gz")
    heap = values(file, lambda sample: sample.labels.get("bytes") == 1999)
    assert heap["inuse_space"] == 50 * 1999, heap
    hint = done.stderr.split(b"begin with: ")[1].splitlines()[0]
    shown = subprocess.run(["sh", "-c", hint.replace(b"prof ", PROF.encode() + b" ", 1)],
                           capture_output=True, timeout=60)
    assert shown.returncode == 0 and b"In use at the end" in shown.stdout, (hint, shown)


def test_a_run_at_a_glance():
    """prof report: programs with what they took, and the heaviest stacks of each kind."""
    done = run("-o", "glance", "--exact", "sh", "-c",
               f"{SERVED} alloc 100 1999 0; {SERVED} alloc 200 2999 0; exit 0")
    assert "begin with: prof report glance" in done.stderr, done.stderr
    report = subprocess.run([PROF, "report", "glance"], capture_output=True, text=True, timeout=60)
    assert report.returncode == 0, report
    row, = [line.split() for line in report.stdout.splitlines() if line.startswith("served ")]
    assert row[1] == "2", row  # processes
    stacks = report.stdout.split("In use at the end: ")[1].splitlines()
    assert "keep_block < alloc < main" in stacks[1], stacks
    assert "~" not in report.stdout, report.stdout  # all of them recorded
    one = subprocess.run([PROF, "report", "--program", "nonesuch", "glance"], capture_output=True, text=True)
    assert one.returncode == 1 and one.stderr.startswith("prof: glance: no dump"), one


def test_many_processes_are_a_row_a_program():
    done = run("-o", "crowd", "--exact", "sh", "-c",
               f"for n in $(seq 25); do {SERVED} alloc 10 1999 0; done; exit 0")
    row, = [line for line in done.stderr.splitlines() if re.search(r" served ", line)]
    assert re.match(r"prof: +25 served ", row), done.stderr


def test_programs_go_by_the_name_they_were_started_by():
    os.symlink(SERVED, "another-name")
    assert run("-q", "-o", "named", "--exact", "./another-name", "alloc", "100", "1999", "0").returncode == 3
    assert run("-q", "-o", "named", "--exact", SERVED, "alloc", "100", "1999", "0").returncode == 3

    def heading(*options):
        done = subprocess.run([PROF, "top", "-q", *options, "named"], capture_output=True, text=True)
        return done.stdout.splitlines()[0]
    assert heading("--run", "1") == "File: another-name"
    assert heading("--run", "2") == "File: served"
    assert heading("--run", "all") == "Programs: another-name and served"


def test_ignored_signals_are_handed_down():
    """As nohup, a shell's background job, or a careless parent start us."""
    report = ["sh", "-c", "grep SigIgn /proc/self/status"]

    def ignore():
        for signo in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1,
                      signal.SIGUSR2, signal.SIGCHLD):
            signal.signal(signo, signal.SIG_IGN)

    plain = subprocess.run(report, capture_output=True, text=True, preexec_fn=ignore)
    under = run("-q", "-o", "i", *report, preexec_fn=ignore)
    assert plain.stdout == under.stdout != "", (plain, under)
    # a status is not lost where SIGCHLD is ignored
    assert run("-q", "-o", "i", "sh", "-c", "exit 7", preexec_fn=ignore).returncode == 7
    assert run("-q", "-o", "i", "sh", "-c", "kill -9 $$", preexec_fn=ignore).returncode == -9


def test_first_process_of_a_container_reaps_orphans():
    command = ["unshare", "--pid", "--fork", "--mount-proc", PROF, "run", "-q", "-o", "c", "sh", "-c",
               "sh -c 'sleep 0.1 & exit'; sleep 0.5; grep -l '^State:.Z' /proc/[0-9]*/status; exit 4"]
    if subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode:
        print("not run: this user may make no pid namespace")
        return
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (4, ""), done


def test_checking_allocator_keeps_checking():
    with open("over.c", "w") as file:
        file.write("""#include <stdlib.h>
#include <string.h>
int main(void) { char *volatile p = malloc(24); memset(p, 1, 24); p[24] = 7; free(p); return 0; }""")
    subprocess.run(["cc", "-O0", "-w", "-o", "over", "over.c"], check=True)
    checking = dict(os.environ, LD_PRELOAD="libc_malloc_debug.so.0",
                    GLIBC_TUNABLES="glibc.malloc.check=3")
    plain = subprocess.run(["./over"], capture_output=True, env=checking)
    if plain.returncode == 0:
        print("not run: this C library has no checking allocator")
        return
    assert run("-q", "-o", "k", "./over", env=checking).returncode == plain.returncode


def test_http_serves_the_page():
    import urllib.request
    process = subprocess.Popen([PROF, "run", "--http", "127.0.0.1:0", "-o", "h", "sleep", "30"],
                               stderr=subprocess.PIPE, text=True)
    try:
        address = process.stderr.readline().split()[-1]
        page = urllib.request.urlopen(address, timeout=10).read()
        assert b"<html" in page and b"libprof" in page, page[:300]
    finally:
        process.terminate()
        process.communicate(timeout=20)


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


def test_signals_pass_from_the_first_moment():
    """Before the program is there, and whichever of prof's threads the kernel takes."""
    for number in range(20):
        app = subprocess.Popen([PROF, "run", "--http", "127.0.0.1:0", "-o", "early", "sleep", "60"],
                               stderr=subprocess.PIPE, text=True)
        app.stderr.readline()  # from here on it runs on
        time.sleep(number / 4000)
        app.terminate()
        app.communicate(timeout=20)
        assert app.returncode == -signal.SIGTERM, app.returncode


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


def grown(folder, size):
    """What the newest heap profile of served holds in blocks of a size."""
    files = sorted(glob.glob(folder + "/served.*.heap.pb.gz"))
    assert files, os.listdir(folder)
    return values(files[-1], lambda sample: sample.labels.get("bytes") == size)


def test_out_of_memory():
    """The heap at the moment when there is no more (RLIMIT_AS; a memory cgroup kills as
    below): what was allocated to the byte. Of what is in use the last blocks may be
    missing: their places are noted in memory too, which is given by 4 MiB of heap."""
    size = 100003
    done = run("--exact", "-o", "limit", "/bin/sh", "-c",
               "ulimit -v 500000; exec %s grow %d" % (SERVED, size))
    assert done.returncode == 4, done
    heap, blocks = grown("limit", size), done.stdout.count(".")
    assert blocks > 500, blocks
    assert (heap["alloc_objects"], heap["alloc_space"]) == (blocks, blocks * size), (heap, blocks)
    assert 0 <= blocks * size - heap["inuse_space"] <= 4 << 20, (heap, blocks)
    print("%d MiB allocated, %d KiB of them not known as in use" % (
        blocks * size >> 20, blocks * size - heap["inuse_space"] >> 10))


def test_killed_from_outside():
    """As the kernel's out-of-memory killer does it: SIGKILL while it allocates."""
    size = 100003
    app = subprocess.Popen([PROF, "run", "--exact", "-o", "kill", SERVED, "grow", str(size)],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    blocks = len(app.stdout.read(500))
    with open("/proc/%d/task/%d/children" % (app.pid, app.pid)) as children:
        os.kill(int(children.read()), signal.SIGKILL)
    blocks += len(app.stdout.read())
    assert app.wait(20) == -9
    heap = grown("kill", size)
    assert blocks <= heap["inuse_objects"] <= blocks + 1, (heap, blocks)
    assert heap["inuse_space"] == heap["inuse_objects"] * size


def test_dump_without_a_collector():
    """prof dump of a process that reports to nobody: by its signal, from its directory."""
    def start(*command, **more):
        process = subprocess.Popen(command or [SERVED, "work", "30"],
                                   env=dict(os.environ, LD_PRELOAD=LIBPROF, **more))
        started.append(process)
        time.sleep(0.7)
        return process

    def dump(pid, *options):
        return subprocess.run([PROF, "dump", *options, str(pid)], capture_output=True, text=True)

    started = []
    app = start(LIBPROF_DIR="of-%e/%p")
    for sequence in 1, 2:
        done = dump(app.pid)
        names = done.stdout.split()
        assert done.returncode == 0 and len(names) > 3, done
        where = "%s/of-served/%d/served.%d.%04d." % (folder, app.pid, app.pid, sequence)
        assert all(name.startswith(where) for name in names), names
    done = dump(app.pid, "-o", "copy", "--profile", "heap,threads")
    assert sorted(name.split(".")[-3] for name in done.stdout.split()) == ["heap", "threads"], done
    heap, = glob.glob("copy/*.heap.pb.gz")
    assert "keep_block" in pprof.Profile(heap).names()
    # LIBPROF_SIGNAL has nothing to do with it: the program may have taken it for itself
    deaf = start(LIBPROF_SIGNAL="none", LIBPROF_DIR="deaf")
    done = dump(deaf.pid)
    assert done.returncode == 0 and "/deaf/" in done.stdout, done
    # what can't be asked is left alone
    plain, young = subprocess.Popen([SERVED, "work", "30"]), start(
        "sleep", "30", LIBPROF_CPU_HZ="0", LIBPROF_HEAP_RATE="1g")
    started.append(plain)
    for process, words in (plain, "without libprof"), (young, "recorded nothing yet"):
        done = dump(process.pid)
        assert done.returncode == 1 and words in done.stderr and not done.stdout, done
        assert process.poll() is None
    assert "no such process" in dump(999999999).stderr
    for process in started:
        process.kill()
        process.wait()


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


def test_live_charges_who_called_new():
    """As the other reports: frames that drop_frames names are nobody's places."""
    with open("new.cc", "w") as file:
        file.write("#include <string>\n#include <unistd.h>\nstd::string *kept;\n"
                   "__attribute__((noinline)) void keep() { kept = new std::string(9000000, 'x'); }\n"
                   "int main() { keep(); sleep(8); }\n")
    subprocess.run(["c++", "-g", "-o", "new", "new.cc"], check=True)
    app = subprocess.Popen([PROF, "run", "--http", "127.0.0.1:0", "-o", "n", "./new"],
                           stderr=subprocess.PIPE, text=True)
    address = app.stderr.readline().split("http://")[1].split("/")[0]
    time.sleep(0.5)
    ps = subprocess.run([PROF, "ps", "--http", address], capture_output=True, text=True)
    pid = ps.stdout.splitlines()[1].split()[0]
    live = subprocess.run([PROF, "live", "--http", address, "--seconds", "1", pid],
                          capture_output=True, text=True)
    assert "keep" in live.stdout and "operator new" not in live.stdout, live
    os.kill(int(pid), signal.SIGKILL)
    app.wait(20)


try:
    run_tests(globals())
finally:
    os.chdir("/")
    shutil.rmtree(folder)
