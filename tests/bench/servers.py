"""Servers with threads, each under load from its own clients on this machine.

A server is measured as the loops are (workloads.py): its CPU, and beside it the requests a second
that its clients counted. What it is asked for is always the same, so its CPU is what a request costs.
"""
import os
import re
import shutil
import socket
import subprocess
import time

import modes


class Server:
    """A workload: the interface of workloads.Workload. needs: programs."""
    only, unit, env = ('none', 'default'), 'request', {}
    needs = ()

    def start(self, mode, directory):
        """-> the server, measured."""
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def load(self):
        """Asks self.ops times; -> {'rps': ..., ...}"""
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def run(self, mode, directory):
        for need in self.needs:
            if not shutil.which(need):
                raise OSError(f'{need} is not installed')
        self.work = os.path.dirname(directory)
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = str(probe.getsockname()[1])
        server = self.start(mode, directory)
        for _ in range(600):
            if self.is_ready() or server.poll() is not None:
                break
            time.sleep(0.05)
        more = self.load()
        self.stop()
        result = modes.finish(server)
        result.more.update(more)
        return result


def _text(command, **more):
    return subprocess.run(command, capture_output=True, text=True, **more).stdout


class Redis(Server):
    """redis-benchmark: requests a second, p99."""

    needs = ('redis-server', 'redis-benchmark', 'redis-cli')

    def __init__(self, title, options=(), load=('-n', '60000', '-c', '20'), requests=120000,
                 only=Server.only):
        self.title, self.ops, self.options, self.clients = title, requests, options, load
        self.only = only

    def start(self, mode, directory):
        return modes.start(['redis-server', '--port', self.port, '--bind', '127.0.0.1', '--save', '',
                            '--dir', self.work, *self.options], mode, directory)

    def client(self, *arguments):
        return _text(['redis-cli', '-p', self.port, *arguments])

    def is_ready(self):
        return 'PONG' in self.client('ping')

    def load(self):
        out = _text(['redis-benchmark', '-p', self.port, '-t', 'set,get', *self.clients, '-r', '20000',
                     '-d', '200', '--csv'], check=True)
        rows = [line.replace('"', '').split(',') for line in out.splitlines()]
        column = {name: n for n, name in enumerate(rows[0])}
        rows = [row for row in rows if row[0] in ('SET', 'GET')]
        p99 = next(n for name, n in column.items() if name.startswith('p99'))
        return {'rps': sum(float(row[column['rps']]) for row in rows) / len(rows),
                'p99': sum(float(row[p99]) for row in rows) / len(rows)}

    def stop(self):
        self.client('shutdown', 'nosave')


class Memcached(Server):
    """memcaslap: a tenth set, the rest get, of 1 KiB each."""

    title, ops, needs = 'memcached -t 4', 150000, ('memcached', 'memcaslap')

    def start(self, mode, directory):
        return modes.start(['memcached', '-A', '-u', 'root', '-l', '127.0.0.1', '-p', self.port,
                            '-t', '4', '-m', '64'], mode, directory)

    def say(self, line):
        with socket.create_connection(('127.0.0.1', int(self.port)), timeout=10) as connection:
            connection.sendall(line)
            return connection.recv(100)

    def is_ready(self):
        try:
            return self.say(b'version\r\n').startswith(b'VERSION')
        except OSError:
            return False

    def load(self):
        out = _text(['memcaslap', '-s', f'127.0.0.1:{self.port}', '-T', '2', '-c', '32', '-x',
                     str(self.ops)], check=True)
        return {'rps': float(re.search(r'TPS: (\d+)', out).group(1))}

    def stop(self):
        self.say(b'shutdown\r\n')


class MariaDB(Server):
    """sysbench: transactions of reads and writes on two tables."""

    title, unit, needs = 'mariadbd, sysbench oltp_read_write', 'transaction', (
        'mariadbd', 'mariadb-install-db', 'sysbench', 'mysqladmin')
    ops = 3000

    def sysbench(self, what, threads=4):
        return _text(['sysbench', 'oltp_read_write', f'--mysql-socket={self.work}/s',
                      '--mysql-user=root', '--mysql-db=bench', '--tables=2', '--table-size=2000',
                      f'--threads={threads}', f'--events={self.ops}', '--time=0', '--rand-seed=1',
                      '--db-driver=mysql', what], check=True)

    def admin(self, *arguments):
        return _text(['mysqladmin', '-S', f'{self.work}/s', '-u', 'root', *arguments])

    def start(self, mode, directory):
        data = f'{self.work}/data'
        if not os.path.exists(data):
            _text(['mariadb-install-db', '--no-defaults', f'--datadir={data}', '--user=root',
                   '--auth-root-authentication-method=normal', '--skip-test-db'], check=True)
        return modes.start(['mariadbd', '--no-defaults', f'--datadir={data}', '--user=root',
                            f'--socket={self.work}/s', '--skip-networking',
                            f'--log-error={self.work}/mariadb.log', f'--pid-file={self.work}/mp',
                            '--innodb-flush-log-at-trx-commit=0'], mode, directory)

    def is_ready(self):
        return 'alive' in self.admin('ping')

    def load(self):
        self.admin('create', 'bench')
        self.sysbench('prepare', 1)
        out = self.sysbench('run')
        self.sysbench('cleanup', 1)
        return {'rps': float(re.search(r'transactions: +\d+ +\(([\d.]+) per', out).group(1))}

    def stop(self):
        self.admin('shutdown')


# More than the processors would spend their time waiting for each other (redis.conf).
IO_THREADS = max(2, min(4, os.cpu_count()))

SERVERS = {
    'redis': Redis('redis-server (jemalloc), 2 x 60,000 requests', only=None),
    'redis-io': Redis(f'redis-server, {IO_THREADS} io-threads that read', (
        '--io-threads', str(IO_THREADS), '--io-threads-do-reads', 'yes'),
        ('-n', '60000', '-c', '40', '-P', '16'), 120000),
    'memcached': Memcached(),
    'mariadb': MariaDB(),
}
