#!/usr/bin/env python3
"""redis-server's heap, sampled, against what redis itself says it uses.

redis asks for a block's usable size, and gives back by realloc what it doesn't need: a sampler
that changes what it sees changes what it does. Over each allocator, behind libprof and before it.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import LIBPROF, LONG, environment, plain, skip, tests  # noqa: E402
import allocators  # noqa: E402
import pprof  # noqa: E402


def serve(preload, requests, keys, **settings):
    """One server's life: (bytes in use by its profile, by its own account)."""
    with tempfile.TemporaryDirectory() as directory:
        socket = f'{directory}/redis.sock'
        server = subprocess.Popen(
            ['redis-server', '--port', '0', '--unixsocket', socket, '--save', ''],
            env=environment(directory, preload, cpu_hz=0, **settings), cwd=directory,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.time() + 20
            while (plain(['redis-cli', '-s', socket, 'ping']).stdout != 'PONG\n'
                   and time.time() < deadline):
                time.sleep(0.02)
            done = plain(['redis-benchmark', '-s', socket, '-q', '-n', str(requests),
                          '-r', str(keys), '-d', '300', '-t', 'set', '-P', '16'])
            assert done.returncode == 0, done.stderr
            info = plain(['redis-cli', '-s', socket, 'info', 'memory']).stdout
        finally:
            server.terminate()
            out, err = server.communicate(timeout=60)
        assert server.returncode == 0, (server.returncode, out + err)
        used = int(info.split('used_memory:')[1].split()[0])
        files = [f for f in os.listdir(directory) if f.endswith('.heap.pb.gz')]
        assert len(files) == 1, (files, out + err)
        return pprof.Profile(f'{directory}/{files[0]}').total('inuse_space'), used


def over_every_allocator():
    yield "redis' own jemalloc", LIBPROF
    for name, preload, _ in [*allocators.glibc_over_all(), *allocators.arrangements()]:
        if name != 'glibc':
            yield name, preload


def mean(name, preload, runs, requests, keys, **settings):
    shares = []
    for n in range(1, runs + 1):
        # seeds of its own: the same seed draws nearly the same in every arrangement
        seed = zlib.crc32(name.encode()) % 100000 * 100 + n
        inuse, used = serve(preload, requests, keys, seed=seed, **settings)
        shares.append(inuse / used)
    print(f'{name}: {sum(shares) / runs:.3f} of used_memory, '
          f'{min(shares):.2f} to {max(shares):.2f} in {runs} runs', flush=True)
    return sum(shares) / runs


def against_exact_mode(name, preload, allowed, *arguments, **settings):
    """allowed: how far the mean may be off, four standard deviations."""
    inuse, used = serve(preload, *arguments[1:], heap_rate=1)
    # redis also counts what an allocator gives beyond the request (2 to 4 %), and what it had
    # allocated before it counted.
    assert 0.9 < inuse / used < 1, f'{name}: {inuse / used:.3f} of used_memory in exact mode'
    share = mean(name, preload, *arguments, **settings) * used / inuse
    print(f'{name}: {share:.3f} of exact mode', flush=True)
    assert abs(share - 1) < allowed, f'{name}: {share:.3f} of exact mode'


def in_use_is_what_redis_uses():
    # 19,000 keys of 8.5 MB; a sample each 8 KiB: a standard deviation of 3 % a run
    for name, preload in over_every_allocator():
        against_exact_mode(name, preload, 0.09, 2, 30000, 30000, heap_rate='8k')


def twenty_seeds_at_the_default_rate_are_unbiased():
    if not LONG:
        return
    # about 110 samples: a standard deviation of 9.5 % a run
    for name, preload in over_every_allocator():
        against_exact_mode(name, preload, 0.085, 20, 200000, 300000)


if not shutil.which('redis-server'):
    skip('redis-server is not installed')
tests(in_use_is_what_redis_uses, twenty_seeds_at_the_default_rate_are_unbiased)
