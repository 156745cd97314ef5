#!/usr/bin/env python3
"""A real server: redis with io-threads names the lock that its threads are parked on."""
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import LIBPROF, Run, environment, skip, tests  # noqa: E402

if not shutil.which('redis-server'):
    skip('redis-server is not installed')

CONNECTIONS = 30


def serve(address, seconds):
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
    directory = tempfile.TemporaryDirectory()
    address = os.path.join(directory.name, 'socket')
    env = environment(directory.name, LIBPROF, block_rate=1, mutex_fraction=1)
    server = subprocess.Popen(
        ['redis-server', '--port', '0', '--unixsocket', address, '--io-threads', '3',
         '--io-threads-do-reads', 'yes', '--save', '', '--dir', directory.name],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(300):
            if os.path.exists(address) or server.poll() is not None:
                break
            time.sleep(0.1)
        serve(address, 2)
    finally:
        server.terminate()
        out, err = server.communicate(timeout=60)
    assert server.returncode == 0, (server.returncode, out, err)
    done = Run(subprocess.CompletedProcess([], server.returncode, out, err), directory)
    block = done.profile('block', symbolize=True)
    parked = [s for s in block.samples
              if {'IOThreadMain', 'pthread_mutex_lock'} <= names_of(block, s)]
    assert parked and all(s.labels['lock'] == 'mutex' for s in parked), block.names()


def names_of(profile, sample):
    """With debug information, libc's aliases have one name more."""
    return {name.lstrip('_') for name in profile.functions(sample)}


tests(redis_names_its_parking_lock)
