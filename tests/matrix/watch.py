"""What the matrix watches from outside while a program runs: its processes, what
they have open, the signals it sends them, and whatever is left when it has ended."""
import ctypes
import os
import re
import signal
import subprocess
import threading
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """Whatever a program leaves behind becomes this process's child (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ''


def descendants(root=None):
    """Pids of all living processes below root (this process)."""
    root = root or os.getpid()
    children = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            stat = _read(f'/proc/{name}/stat').rpartition(')')[2].split()
            if len(stat) > 2 and stat[0] != 'Z':
                children.setdefault(int(stat[1]), []).append(int(name))
    found, todo = [], [root]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def catches(pid, signo):
    """Has the process a handler for it? The default action would be its death."""
    match = re.search(r'^SigCgt:\s*(\w+)', _read(f'/proc/{pid}/status'), re.M)
    return bool(match and int(match[1], 16) >> (signo - 1) & 1)


def single_user(pid):
    """Not in the middle of vfork or exec: its program and start are these."""
    try:
        return os.readlink(f'/proc/{pid}/exe'), _read(f'/proc/{pid}/stat').rpartition(')')[2].split()[19]
    except (OSError, IndexError):
        return None


def open_files(pid):
    found = []
    try:
        for fd in os.listdir(f'/proc/{pid}/fd'):
            try:
                found.append(os.readlink(f'/proc/{pid}/fd/{fd}'))
            except OSError:
                pass
    except OSError:
        pass
    return found


def threads(pid):
    try:
        return len(os.listdir(f'/proc/{pid}/task'))
    except OSError:
        return 0


STEADY = 2.0  # seconds: a server's pools have let their idle threads go, a dump is long over
STEADY_LATEST = 15.0


def steady(look):
    """What look() says once it has said the same for a while; the least of the last while
    for what never rests."""
    begin = since = time.monotonic()
    seen = [look()]
    while time.monotonic() - since < STEADY:
        time.sleep(0.05)
        now = look()
        if now != seen[-1] and time.monotonic() - begin < STEADY_LATEST:
            seen, since = [], time.monotonic()
        seen.append(now)
    return min(seen)


def backtraces(pids):
    text = []
    for pid in pids[:4]:
        done = subprocess.run(['timeout', '20', 'gdb', '-p', str(pid), '-batch', '-ex',
                               'thread apply all bt 25'], capture_output=True, text=True,
                              env={**os.environ, 'DEBUGINFOD_URLS': ''})
        text.append(f'{pid} {_read(f"/proc/{pid}/comm").strip()}\n{done.stdout[-6000:]}')
    return '\n'.join(text)


class Watch(threading.Thread):
    """Looks at all processes below this one, ten times a second.

    storm: the signal that each of them gets each time, once it has had a handler
    for it in the same program for two looks: a signal that meets a program between
    exec and its first constructor ends it, with libprof or without.
    """

    def __init__(self, directory, storm=None):
        super().__init__(daemon=True)
        self.directory, self.storm, self.ended = directory, storm, threading.Event()
        self.sent, self.foreign, self.own_usr2 = 0, set(), False
        self.sending = threading.Lock()
        self.start()

    def calm(self):
        """As a context: no signal is sent meanwhile."""
        return self.sending

    def run(self):
        known = {}
        while not self.ended.wait(0.1):
            seen = {}
            for pid in descendants():
                if _read(f'/proc/{pid}/comm').strip() in ('gdb', 'timeout'):
                    continue
                if catches(pid, signal.SIGUSR2):
                    self.own_usr2 = True
                for path in open_files(pid):
                    # a dump's descriptors are in a table of its own; the ledger's is open
                    # while the ledger is made, a few system calls long: not twice
                    ours = path.startswith(self.directory)
                    if 'memfd:libprof' in path:
                        time.sleep(0.05)
                        ours = path in open_files(pid)
                    if ours:
                        self.foreign.add(re.sub(r'\d+', 'N', os.path.basename(path)))
                if self.storm and catches(pid, self.storm):
                    seen[pid] = single_user(pid)
                    if seen[pid] and known.get(pid) == seen[pid] and self.sending.acquire(False):
                        try:
                            os.kill(pid, self.storm)
                            self.sent += 1
                        except OSError:
                            pass
                        finally:
                            self.sending.release()
            known = seen

    def stop(self):
        self.ended.set()
        self.join()


def end_left_over(patience=3):
    """Waits for what is left below this process, then ends it. Returns its names."""
    deadline = time.time() + patience
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        left = descendants()
        if not left or time.time() > deadline:
            break
        time.sleep(0.05)
    names = [_read(f'/proc/{pid}/comm').strip() for pid in left]
    for pid in left:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return names
