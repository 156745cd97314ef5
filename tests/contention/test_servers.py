#!/usr/bin/env python3
"""Real servers: the profiles name the lock that their threads are known to wait for."""
import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import LIBPROF, Run, environment, skip, tests  # noqa: E402

CONNECTIONS = 30


class Served:
    """with Served(command, is_ready) as server: ... Afterwards server.done is its Run."""

    def __init__(self, command, is_ready, **settings):
        self.directory = tempfile.TemporaryDirectory()
        self.command = [word.format(dir=self.directory.name) for word in command]
        self.is_ready, self.settings = is_ready, settings

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def __enter__(self):
        env = environment(self.directory.name, LIBPROF, **self.settings)
        self.process = subprocess.Popen(self.command, env=env, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        for _ in range(600):
            if self.is_ready(self) or self.process.poll() is not None:
                break
            time.sleep(0.1)
        return self

    def __exit__(self, *error):
        self.process.terminate()
        out, err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, (self.process.returncode, out, err)
        self.done = Run(subprocess.CompletedProcess([], 0, out, err), self.directory)


def names_of(profile, sample):
    """With debug information, libc's aliases have one name more."""
    return {name.lstrip('_') for name in profile.functions(sample)}


def samples_with(done, name, *functions):
    """Those of all the server's processes, and the profile of the last one that has any."""
    last, found = None, []
    for path in done.files(name):
        profile = done.read(path, symbolize=True)
        more = [s for s in profile.samples if set(functions) <= names_of(profile, s)]
        last = profile if more or not found else last
        found += more
    return last, found


def serve_redis(address, seconds):
    """A client with many connections at once, or the io-threads have nothing to do."""
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(CONNECTIONS)]
    for connection in sockets:
        connection.connect(address)
    end = time.monotonic() + seconds
    turns = 0
    while time.monotonic() < end or turns < 20:
        for connection in sockets:
            connection.sendall(b'SET key value\r\nGET key\r\n' * 8)
        for connection in sockets:
            got = b''
            while got.count(b'\r\n') < 8 * 3:
                got += connection.recv(65536)
            assert got == b'+OK\r\n$5\r\nvalue\r\n' * 8, got
        turns += 1
        time.sleep(0.002)  # the threads are parked when there is little to do
    for connection in sockets:
        connection.close()


def redis_names_its_parking_lock():
    command = ['redis-server', '--port', '0', '--unixsocket', '{dir}/socket', '--io-threads', '3',
               '--io-threads-do-reads', 'yes', '--save', '', '--dir', '{dir}']
    with Served(command, lambda server: os.path.exists(server.path('socket')), block_rate=1,
                mutex_fraction=1) as server:
        serve_redis(server.path('socket'), 2)
    block, parked = samples_with(server.done, 'block', 'IOThreadMain', 'pthread_mutex_lock')
    assert parked and all(s.labels['lock'] == 'mutex' for s in parked), block.names()
    # The main thread unlocks what they are parked on.
    mutex, unlocks = samples_with(server.done, 'mutex', 'pthread_mutex_unlock', 'main')
    assert unlocks, mutex and mutex.names()


def memcached_names_its_workers_lock():
    """All workers want the lock of one item, from within libevent's loop."""
    def client(address):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        for _ in range(300):
            connection.sendall(b'set key 0 0 5\r\nvalue\r\nget key\r\n' * 20)
            got = b''
            while got.count(b'\r\n') < 20 * 4:
                got += connection.recv(65536)
            assert got == b'STORED\r\nVALUE key 0 5\r\nvalue\r\nEND\r\n' * 20, got

    command = ['memcached', '-u', 'root', '-t', '4', '-s', '{dir}/socket']
    with Served(command, lambda server: os.path.exists(server.path('socket')), block_rate=1,
                mutex_fraction=1) as server:
        threads = [threading.Thread(target=client, args=(server.path('socket'),))
                   for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for name, function in (('block', 'pthread_mutex_lock'), ('mutex', 'pthread_mutex_unlock')):
        profile, found = samples_with(server.done, name, 'event_base_loop', function)
        assert found, (name, profile and profile.names())


def mariadb_names_its_row_lock():
    """One client holds a row for a second, another one updates it: InnoDB's wait for a row."""
    def client(server, *statements):
        return subprocess.run(['mysql', '-S', server.path('s'), '-u', 'root', '-e',
                               '; '.join(statements)], capture_output=True, text=True, check=True)

    def is_ready(server):
        return 'alive' in subprocess.run(['mysqladmin', '-S', server.path('s'), '-u', 'root', 'ping'],
                                         capture_output=True, text=True).stdout

    command = ['mariadbd', '--no-defaults', '--datadir={dir}/data', '--user=root',
               '--socket={dir}/s', '--skip-networking', '--pid-file={dir}/pid',
               '--log-error={dir}/log']
    served = Served(command, is_ready)
    subprocess.run(['mariadb-install-db', '--no-defaults', f'--datadir={served.path("data")}',
                    '--user=root', '--auth-root-authentication-method=normal', '--skip-test-db'],
                   capture_output=True, check=True)
    with served as server:
        client(server, 'create database d', 'use d', 'create table t(id int primary key, n int)',
               'insert into t values(1, 0)')
        holder = threading.Thread(target=client, args=(
            server, 'begin', 'update d.t set n = n + 1', 'select sleep(2)', 'commit'))
        holder.start()
        time.sleep(0.7)
        start = time.monotonic()
        client(server, 'update d.t set n = n + 1')
        waited = time.monotonic() - start
        holder.join()
    block, rows = samples_with(server.done, 'block', 'mysql_update', 'pthread_cond_timedwait64')
    rows = rows or samples_with(server.done, 'block', 'mysql_update', 'pthread_cond_timedwait')[1]
    delay = sum(s.values[block.types.index('delay')] for s in rows) / 1e9
    assert rows and all(s.labels['lock'] == 'condition' for s in rows), block.names()
    assert waited / 2 < delay <= waited, (delay, waited)


def postgresql_names_its_log_lock():
    """Who commits waits for the one that writes the log (WALWriteLock), on a semaphore that
    processes share."""
    other = [] if os.getuid() else ['setpriv', '--reuid=postgres', '--regid=postgres',
                                    '--clear-groups']  # it refuses to be root

    def client(server, program, *arguments):
        return subprocess.run([POSTGRESQL + program, '-h', server.path(''), '-U', 'postgres',
                               *arguments], capture_output=True, text=True)

    served = Served([*other, POSTGRESQL + 'postgres', '-D', '{dir}/data', '-k', '{dir}', '-c',
                     'listen_addresses='],
                    lambda server: client(server, 'pg_isready').returncode == 0, block_rate=1)
    if other:
        shutil.chown(served.path(''), 'postgres')
    subprocess.run([*other, POSTGRESQL + 'initdb', '-D', served.path('data'), '-A', 'trust', '-U',
                    'postgres'], capture_output=True, check=True)
    with served as server:
        client(server, 'pgbench', '-i', '-q', 'postgres').check_returncode()
        start = time.monotonic()
        client(server, 'pgbench', '-n', '-N', '-c', '8', '-t', '500', 'postgres').check_returncode()
        seconds = time.monotonic() - start
    block, waits = samples_with(server.done, 'block', 'XLogFlush', 'LWLockAcquireOrWait')
    assert waits and all(s.labels['lock'] == 'semaphore' for s in waits), block and block.names()
    delay = sum(s.values[block.types.index('delay')] for s in waits) / 1e9
    assert 0.05 * seconds < delay < 8 * seconds, (delay, seconds)


POSTGRESQL = ''.join(sorted(glob.glob('/usr/lib/postgresql/*/bin/'))[-1:])
WANTED = [(redis_names_its_parking_lock, ['redis-server']),
          (memcached_names_its_workers_lock, ['memcached']),
          (mariadb_names_its_row_lock, ['mariadbd', 'mariadb-install-db', 'mysql']),
          (postgresql_names_its_log_lock, [POSTGRESQL + name for name in ('postgres', 'initdb', 'pgbench')])]
# Debian puts servers where only root looks.
os.environ['PATH'] += ':/usr/sbin'
here = [test for test, programs in WANTED if all(map(shutil.which, programs))]
if not here:
    skip('none of the servers is installed')
tests(*here)
