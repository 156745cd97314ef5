"""What the tests of prof attach share: a collector, attaching and detaching, slots."""
import os
import re
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
from run import LONG, PROF, skip  # noqa: E402

FOLDER = tempfile.mkdtemp(prefix='attach-test-')
SOCKET = FOLDER + '/socket'
CYCLES = 1000 if LONG else 12


def prof(*arguments, **more):
    return subprocess.run([PROF, *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          **more)


class Collector:
    """A prof serve that takes the processes."""

    def __enter__(self):
        self.process = subprocess.Popen([PROF, 'serve', '-q', '--socket', SOCKET, '--http', '127.0.0.1:0',
                                         '--dir', FOLDER + '/served'])
        end = time.time() + 10
        while not os.path.exists(SOCKET) and time.time() < end:
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


started = []


def start(*command):
    """A program that says 'ready' in its first line."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    started.append(process)
    assert process.stdout.readline() == 'ready\n'
    return process


def attach(pid, *options):
    done = prof('attach', '--socket', SOCKET, *options, pid)
    assert done.returncode == 0, done.stderr
    return float(re.search(r'still for ([0-9.]+) ms', done.stderr)[1])


def detach(pid):
    done = prof('detach', pid)
    assert done.returncode == 0, done.stderr


def slots(pid):
    """What the relocated words of every object hold, read from outside."""
    found = {}
    with open(f'/proc/{pid}/maps') as maps, open(f'/proc/{pid}/mem', 'rb', 0) as memory:
        bases = {}
        for line in maps:
            fields = line.split()
            if len(fields) > 5 and fields[5].startswith('/') and 'memfd' not in fields[5]:
                bases.setdefault(fields[5], int(fields[0].split('-')[0], 16))
        for path, base in bases.items():
            table = subprocess.run(['readelf', '-rW', path], capture_output=True, text=True).stdout
            dynamic = 'DYN' in subprocess.run(['readelf', '-hW', path], capture_output=True,
                                              text=True).stdout
            for row in re.findall(r'^([0-9a-f]{16}) .*R_X86_64_(?:JUMP_SLO\w*|GLOB_DAT|64) ', table, re.M):
                address = int(row, 16) + (base if dynamic else 0)
                memory.seek(address)
                word = memory.read(8)
                if len(word) == 8:  # not in an object that is being unloaded
                    found[path, row] = struct.unpack('<Q', word)[0]
    assert len(found) > 100, len(found)
    return found


def check_permission():
    """Skips the test where nothing can be attached to."""
    if os.uname().machine != 'x86_64':
        skip('prof attach is for x86-64 so far')
    with open('/proc/sys/kernel/yama/ptrace_scope') if os.path.exists(
            '/proc/sys/kernel/yama/ptrace_scope') else open('/dev/null') as scope:
        if os.geteuid() != 0 and scope.read().strip() not in ('', '0'):
            skip('Yama lets only root trace processes that are not children')
