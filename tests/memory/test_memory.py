"""prof memory: an owner for every resident byte, against programs with known answers."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
from run import LIBPROF, PROF, target, tests  # noqa: E402

MIB = 1 << 20
UNITS = {'B': 1, 'kB': 1024, 'MB': MIB, 'GB': MIB << 10}


def size(text):
    number, unit = re.match(r'([\d.]+)(\w*)$', text).groups()
    return float(number) * UNITS[unit or 'B']


def memory(pid, *options):
    """The rows by owner, bytes; and the whole text."""
    done = subprocess.run([PROF, 'memory', *options, str(pid)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    rows = {}
    for line in done.stdout.split('owner\n')[1].splitlines():
        row = re.match(r' *(\S+) +(?:\S+ +)?\S+%  (.*?)(?: \(\d+ mappings\))?$', line)
        if not row:
            break
        rows[row[2]] = size(row[1])
    return rows, done.stdout


def resident(pid):
    with open(f'/proc/{pid}/status') as file:
        return int(re.search(r'VmRSS:\s*(\d+)', file.read())[1]) * 1024


class Program:
    def __init__(self, *command, **more):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)

    def __enter__(self):
        assert self.process.stdout.readline() == 'ready\n'
        return self.process.pid

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Server:
    def __enter__(self):
        self.folder = tempfile.mkdtemp()
        self.socket = self.folder + '/socket'
        self.process = subprocess.Popen([PROF, 'serve', '--socket', self.socket, '--http', '127.0.0.1:0',
                                         '--dir', self.folder + '/out'], stderr=subprocess.PIPE, text=True)
        self.address = None
        while not self.address:
            found = re.search(r'serving http://([0-9.:]+)/', self.process.stderr.readline())
            self.address = found and found[1]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)

    def env(self, **settings):
        return {**os.environ, 'LD_PRELOAD': LIBPROF, 'LIBPROF_SOCKET': self.socket,
                **{'LIBPROF_' + key.upper(): str(value) for key, value in settings.items()}}


def near(found, wanted, part=0.02):
    assert abs(found - wanted) <= part * wanted, (found / MIB, wanted / MIB)


def known_answers():
    with Program(target('resident')) as pid:
        rows, text = memory(pid)
        near(sum(rows.values()), resident(pid))
    near(rows['malloc (glibc), main heap'], 64.3 * MIB, 0.03)
    near(rows['shared memory'], 32 * MIB)
    near(rows['anonymous memory, owner unknown'], 64 * MIB, 0.03)
    near(rows['stacks of threads'], 40 * 106 * 1024, 0.1)
    assert re.search(r'\n +64MB of +128MB  [0-9a-f]+-[0-9a-f]+ rw-p\n', text), text
    assert re.search(r'explained: +6\d\.\d+%', text), text


def a_heap_profile_divides_mallocs_part():
    with Server() as server:
        with Program(target('resident'), env=server.env(heap_rate=1)) as pid:
            _, text = memory(pid, '--http', server.address)
    held, used, rest = re.search(r'malloc holds (\S+): (\S+) in use by the heap profile, (\S+) free', text).groups()
    near(size(used), 16384 * 1000, 0.03)
    near(size(held), size(used) + size(rest))
    assert size(rest) > 44 * MIB, text
    assert '~' not in text and 'In use, by stack' in text and ' main' in text, text


def redis_is_explained():
    if not shutil.which('redis-server'):
        print('not tried: redis-server is not installed')
        return
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = str(free.getsockname()[1])
    with Server() as server:
        redis = subprocess.Popen(['redis-server', '--port', port, '--save', ''], env=server.env(),
                                 stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                if subprocess.run(['redis-cli', '-p', port, 'ping'], capture_output=True).stdout == b'PONG\n':
                    break
                time.sleep(0.05)
            subprocess.run(['redis-benchmark', '-p', port, '-n', '50000', '-r', '100000', '-d', '300', '-t',
                            'set', '-q'], stdout=subprocess.DEVNULL, check=True)
            rows, text = memory(redis.pid, '--http', server.address)
        finally:
            redis.kill()
            redis.wait()
    assert float(re.search(r'explained: +([\d.]+)%', text)[1]) >= 95, text
    assert rows['jemalloc'] > 10 * MIB, rows
    assert 'jemalloc' in text and re.search(r'malloc holds .*: ~', text), text


def refusals():
    done = subprocess.run([PROF, 'memory', '999999'], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == 'prof: 999999: no such process\n', done
    assert subprocess.run([PROF, 'memory'], capture_output=True).returncode == 2
    kernel = subprocess.run(['pgrep', '-x', 'kthreadd'], capture_output=True, text=True).stdout.strip()
    if kernel:
        done = subprocess.run([PROF, 'memory', kernel], capture_output=True, text=True)
        assert done.returncode == 1 and done.stderr.count('\n') == 1, done


tests(known_answers, a_heap_profile_divides_mallocs_part, redis_is_explained, refusals)
