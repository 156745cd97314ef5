#!/usr/bin/env python3
"""What a program sees of its blocks is what it would see without libprof, however many are
sampled: sizes, addresses, what realloc moves, the allocator's own account."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import plain, run, target, tests  # noqa: E402
import allocators  # noqa: E402


def lines(text):
    return dict(enumerate(text.splitlines()))


def view(preload, seed):
    command = ['env', *([f'LD_PRELOAD={preload}'] if preload else []), target('alloc_view'),
               str(seed)]
    done = plain(command)
    assert done.returncode == 0, done.stderr
    return lines(done.stdout)


def blocks_look_the_same():
    for name, preload, without in allocators.arrangements():
        # Some say is random without libprof, too: free lists that are encoded, locks' addresses.
        first, *others = (view(without, 1) for _ in range(3))
        steady = {n: line for n, line in first.items() if all(o.get(n) == line for o in others)}
        if name.endswith('before'):
            # libprof asks such an allocator for two blocks at the start: addresses differ by them.
            steady = {n: line for n, line in steady.items()
                      if line.split()[0] not in ('low_bits', 'distances')}
        names = {line.split()[0] for line in steady.values()}
        assert {'usable', 'trimmed', 'moves', 'in_place', 'contents'} <= names, (name, first)
        if name == 'glibc':
            assert {'low_bits', 'distances', 'arena', 'in_use', 'free_chunks'} <= names, first
        for rate in ('512', '512k', '1'):
            done = run([target('alloc_view'), '1'], preload=preload, heap_rate=rate, cpu_hz=0)
            assert (done.status, done.err) == (0, ''), f'{name}: {done.status} {done.err}'
            seen = lines(done.out)
            for n, line in steady.items():
                assert seen.get(n) == line, f'{name} at {rate}: {seen.get(n)} instead of {line}'
            if rate == '512':
                assert len(done.profile('heap').samples) > 1000


def large_buffers_take_no_more_memory():
    # sampled one in ten, one in four, nearly all; more than libprof itself takes by default
    for size, count, turns in ((50000, 600, 200000), (100000, 300, 200000), (200000, 300, 100000),
                               (1000000, 50, 20000)):
        command = [target('alloc_churn'), str(size), str(count), str(turns)]
        without, with_ = int(plain(command).stdout), int(run(command).out)
        print(f'{count} buffers of {size} to {2 * size} bytes: {without} KiB, {with_}', flush=True)
        assert with_ - without < 4096, f'{with_ - without} KiB more'


tests(blocks_look_the_same, large_buffers_take_no_more_memory)
