"""Servers, each under load from its own clients on this machine.

Those of a pair run side by side and are asked in turn, A B, B A, ..., a quarter of a second each, so
that what else the machine does meets both. Each pair is started anew, for where things come to lie in
memory makes a difference, too. Measured are a server's CPU and the requests a second that its
clients counted. What it is asked for is always the same, so its CPU is what a request costs. Neither
its start nor its end counts, and it is warmed up first.
"""
import copy
import glob
import os
import re
import shutil
import socket
import statistics
import subprocess
import time

import modes


def _tree_cpu(root):
    """Seconds of CPU of a process, its descendants, and what they have waited for, in steps of
    10 ms (proc(5))."""
    parents, seconds = {}, {}
    for path in glob.glob('/proc/[0-9]*/stat'):
        try:
            with open(path) as file:
                fields = file.read().rpartition(')')[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(path.split('/')[2])
        parents[pid] = int(fields[1])
        seconds[pid] = sum(map(int, fields[11:15])) / os.sysconf('SC_CLK_TCK')
    tree = {root}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return sum(seconds[pid] for pid in tree)


SLICES = 16  # of a run


class Server:
    """A workload: the interface of workloads.Workload. needs: programs.

    Copies of it are the servers of a pair: work is a directory of its own, which the next pair finds
    as it was left, port a free one.
    """
    only, unit, env = ('none', 'default'), 'request', {}
    needs = ()

    def start(self, mode, directory):
        """-> the server, measured."""
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def prepare(self):
        """What it needs before it can be asked."""

    def load(self, requests):
        """Asks so often; -> {'rps': ..., ...}"""
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def check_needs(self):
        for need in self.needs:
            if not shutil.which(need):
                raise OSError(f'{need} is not installed')

    def run_pair(self, pair, directory):
        self.check_needs()
        servers = []
        try:
            for number, mode in enumerate(pair):
                server = copy.copy(self)
                server.work = f'{os.path.dirname(directory)}/server{number}'
                server.begin(mode, f'{directory}{number}')
                servers.append(server)
            for server in servers:
                server.warm_up()
            for turn in range(SLICES):
                for server in reversed(servers) if turn % 2 else servers:
                    server.slice()
            for server in servers:
                server.cpu = _tree_cpu(server.process.pid) - server.cpu
        finally:
            for server in servers:
                server.stop()
        return [server.result() for server in servers]

    def begin(self, mode, directory):
        os.makedirs(self.work, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = str(probe.getsockname()[1])
        self.process = self.start(mode, directory)

    def warm_up(self):
        for _ in range(600):
            if self.is_ready() or self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.prepare()
        self.load(self.ops // SLICES)
        self.loads, self.wall, self.cpu = [], 0, _tree_cpu(self.process.pid)

    def slice(self):
        start = time.monotonic()
        self.loads.append(self.load(self.ops // SLICES))
        self.wall += time.monotonic() - start

    def result(self):
        result = modes.finish(self.process)
        result.cpu, result.wall = self.cpu, self.wall
        result.more = {key: statistics.median(load[key] for load in self.loads)
                       for key in self.loads[0]}
        return result


def _text(command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **more).stdout


class Redis(Server):
    """redis-benchmark: requests a second, p99."""

    needs = ('redis-server', 'redis-benchmark', 'redis-cli')

    def __init__(self, title, requests, options=(), load=('-c', '20'), only=Server.only):
        self.title, self.ops, self.options, self.clients = title, requests, options, load
        self.only = only

    def start(self, mode, directory):
        return modes.start(['redis-server', '--port', self.port, '--bind', '127.0.0.1', '--save', '',
                            '--dir', self.work, *self.options], mode, directory)

    def client(self, *arguments):
        return _text(['redis-cli', '-p', self.port, *arguments])

    def is_ready(self):
        return 'PONG' in self.client('ping')

    def load(self, requests):
        out = _text(['redis-benchmark', '-p', self.port, '-t', 'set,get', '-n', str(requests // 2),
                     *self.clients, '-r', '20000', '-d', '200', '--csv'], check=True)
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

    title, ops, needs = 'memcached -t 4', 400000, ('memcached', 'memcaslap')

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

    def load(self, requests):
        out = _text(['memcaslap', '-s', f'127.0.0.1:{self.port}', '-T', '2', '-c', '32', '-x',
                     str(requests)], check=True)
        return {'rps': float(re.search(r'TPS: (\d+)', out).group(1))}

    def stop(self):
        self.say(b'shutdown\r\n')


class MariaDB(Server):
    """sysbench: transactions of reads and writes on two tables."""

    title, unit, needs = 'mariadbd, sysbench oltp_read_write', 'transaction', (
        'mariadbd', 'mariadb-install-db', 'sysbench', 'mysqladmin', 'mysql')
    ops = 6000

    def sysbench(self, what, threads=1, events=0):
        return _text(['sysbench', 'oltp_read_write', f'--mysql-socket={self.work}/s',
                      '--mysql-user=root', '--mysql-db=bench', '--tables=2', '--table-size=2000',
                      f'--threads={threads}', f'--events={events}', '--time=0', '--rand-seed=1',
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

    def prepare(self):
        self.admin('create', 'bench')
        self.sysbench('prepare')

    def load(self, requests):
        out = self.sysbench('run', 4, requests)
        return {'rps': float(re.search(r'transactions: +\d+ +\(([\d.]+) per', out).group(1))}

    def stop(self):
        try:
            self.sysbench('cleanup')
        finally:
            self.admin('shutdown')


class PostgreSQL(Server):
    """pgbench: its own mix of reads and writes, 4 clients. The server refuses to be root."""

    title, unit, ops = 'postgres, pgbench', 'transaction', 24000
    user = 'postgres'

    def command(self, program, *arguments):
        found = glob.glob(f'/usr/lib/postgresql/*/bin/{program}')
        if not found:
            raise OSError('PostgreSQL is not installed')
        other = ['setpriv', f'--reuid={self.user}', f'--regid={self.user}', '--clear-groups']
        return [*(other if os.getuid() == 0 else []), found[-1], *arguments]

    def client(self, program, *arguments, **more):
        return _text(self.command(program, '-h', self.data, '-p', self.port, *arguments), **more)

    def start(self, mode, directory):
        self.data = f'{self.work}/postgresql'
        for made in (self.data, directory):
            os.makedirs(made, 0o700, exist_ok=True)
            if os.getuid() == 0:
                shutil.chown(made, self.user)
        os.chmod(os.path.dirname(directory), 0o711)
        if not os.listdir(self.data):
            _text(self.command('initdb', '-D', self.data, '-A', 'trust', '-N'), check=True)
        return modes.start(self.command(
            'postgres', '-D', self.data, '-k', self.data, '-p', self.port, '-c', 'listen_addresses=',
            '-c', 'fsync=off', '-c', 'autovacuum=off', '-c', 'max_wal_size=4GB'), mode, directory)

    def is_ready(self):
        return 'accepting' in self.client('pg_isready')

    def prepare(self):
        self.client('pgbench', '-i', '-q', '-s', '5', 'postgres', check=True)

    def load(self, requests):
        out = self.client('pgbench', '-n', '-c', '4', '-j', '2', '-t', str(requests // 4), 'postgres',
                          check=True)
        return {'rps': float(re.search(r'tps = ([\d.]+)', out).group(1))}

    def stop(self):
        _text(self.command('pg_ctl', 'stop', '-D', self.data, '-m', 'fast'), check=True)


# More than the processors would spend their time waiting for each other (redis.conf).
IO_THREADS = max(2, min(4, os.cpu_count()))

SERVERS = {
    'redis': Redis('redis-server (jemalloc)', 320000, only=None),
    'redis-io': Redis(f'redis-server, {IO_THREADS} io-threads that read', 1600000, (
        '--io-threads', str(IO_THREADS), '--io-threads-do-reads', 'yes'), ('-c', '40', '-P', '16')),
    'memcached': Memcached(),
    'mariadb': MariaDB(),
    'postgresql': PostgreSQL(),
}
