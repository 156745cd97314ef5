"""scripts/bench locks [SERVER...] [--seconds N]: what the block and mutex profiles cost servers.

A server under load calls libprof's hooks of locks and the C library's own functions in turn, a
tenth of a second each (toggle.c), and counts its requests itself. One process, one load, one minute:
what differs between two processes (where their memory lies, who got which processor) doesn't count
here. Everything else of libprof is at work all the time. The row "nothing" changes between the C
library's functions and themselves.
"""
import argparse
import concurrent.futures
import math
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import bench
import modes
import servers

SLICE = 0.1  # seconds
SETTLE = 0.005  # of a slice: who waits in the other's function yet
UNDER = (('nothing (noise)', ''), ('libprof', modes.LIBPROF))


class Asked:
    """A connection by which a server is asked for its count of requests: the number behind `field`.
    is_whole: of what has come, is it the whole answer?"""

    def __init__(self, port, question, field, is_whole):
        self.socket = socket.create_connection(('127.0.0.1', int(port)), timeout=10)
        self.question, self.field, self.is_whole = question, field, is_whole

    def count(self):
        self.socket.sendall(self.question)
        text = b''
        while not self.is_whole(text):
            more = self.socket.recv(65536)
            if not more:
                raise OSError('the server is gone')
            text += more
        return int(text.split(self.field, 1)[1].split()[0])

    def close(self):
        self.socket.close()


class AskedInSql:
    def __init__(self, path):
        self.process = subprocess.Popen(
            ['mysql', '--no-defaults', '-N', '-n', '-S', path, '-u', 'root'], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def count(self):
        self.process.stdin.write("show global status like 'Com_commit';\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise OSError('the server is gone')
        return int(line.split()[1])

    def close(self):
        self.process.kill()
        self.process.communicate()


def is_whole_string(text):
    """Of Redis's protocol: $LENGTH, and so many bytes."""
    head, found, body = text.partition(b'\r\n')
    return bool(found) and len(body) >= int(head[1:]) + 2


COUNTERS = {
    'redis-io': lambda server: Asked(server.port, b'INFO stats\r\n', b'total_commands_processed:',
                                      is_whole_string),
    'memcached': lambda server: Asked(server.port, b'stats\r\n', b'STAT cmd_get ',
                                      lambda text: text.endswith(b'END\r\n')),
    'mariadb': lambda server: AskedInSql(f'{server.work}/s'),
}


class Toggle:
    """The file that toggle.c has mapped. '0': the C library's functions; '1': those preloaded."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, 'w+b', buffering=0)
        self.turn('0')

    def turn(self, how):
        os.pwrite(self.file.fileno(), how.encode(), 0)


def rates(counter, toggle, seconds, clients):
    """Pairs of requests a second, (direct, hooked), as long as the clients are at it."""
    found = []
    end = time.monotonic() + seconds
    while time.monotonic() < end and not clients.done():
        pair = {}
        for how in ('01', '10')[len(found) % 2]:
            toggle.turn(how)
            time.sleep(SETTLE)
            start, count = time.monotonic(), counter.count()
            time.sleep(SLICE)
            count = counter.count() - count
            pair[how] = count / (time.monotonic() - start)
        found.append((pair['0'], pair['1']))
    return found


def under_load(server, counter, toggle, seconds):
    """Keeps its clients at it while it is measured."""
    done = threading.Event()

    def load():
        while not done.is_set():
            server.load(server.ops)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        clients = pool.submit(load)
        try:
            time.sleep(0.5)
            found = rates(counter, toggle, seconds, clients)
        finally:
            done.set()
    clients.result()  # raises what they did
    return found


def end(server):
    try:
        server.stop()
    except (OSError, subprocess.SubprocessError):
        subprocess.run(['pkill', '-P', str(server.process.pid)])  # it is measure's child
        raise
    finally:
        modes.finish(server.process)


def measure(name, preload, seconds, directory):
    server = servers.SERVERS[name]
    server.check_needs()
    toggle = Toggle(f'{directory}/toggle')
    mode = modes.Mode('locks', '', preload=f'{modes.BIN}/libtoggle.so:{preload}',
                      env={'LIBPROF_DIR': '{dir}', 'TOGGLE': toggle.path})
    server.work = f'{directory}/{name}'
    server.begin(mode, f'{directory}/profiles')
    try:
        server.warm_up()
        counter = COUNTERS[name](server)
        try:
            return under_load(server, counter, toggle, seconds)
        finally:
            counter.close()
    finally:
        end(server)


def row(name, title, pairs):
    # A pair without requests is one between two runs of the clients.
    ratios = [math.log(hooked / direct) for direct, hooked in pairs if direct and hooked]
    sure = bench.interval(ratios)
    return [servers.SERVERS[name].title, title, f'{math.exp(statistics.median(ratios)):.4f}',
            '-'.join(f'{math.exp(x):.4f}' for x in sure), str(len(ratios))]


def main():
    parser = argparse.ArgumentParser(prog='scripts/bench locks',
                                     description=__doc__.split('\n')[0])
    parser.add_argument('server', nargs='*', default=list(COUNTERS),
                        help='of: ' + ' '.join(COUNTERS))
    parser.add_argument('--seconds', type=int, default=60, help='for each (60)')
    options = parser.parse_args()
    if unknown := set(options.server) - set(COUNTERS):
        parser.error(f'{unknown.pop()}: no such server')
    print(bench.machine() + '\n')
    rows = []
    for name in options.server:
        for title, preload in UNDER:
            with tempfile.TemporaryDirectory(prefix='libprof-bench-') as directory:
                try:
                    rows.append(row(name, title, measure(name, preload, options.seconds,
                                                         directory)))
                except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                    print(f'{name}: left out: {error}', file=sys.stderr)
                    break
    print(bench.markdown_table(['server', 'under', 'requests a second', '95 %', 'pairs'], rows))


main()
