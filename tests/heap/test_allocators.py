#!/usr/bin/env python3
"""Whatever allocator stands behind libprof, or before it: the same totals."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import plain, run, target, tests  # noqa: E402
from allocators import arrangements  # noqa: E402


def by_size(heap, sizes):
    return {size: tuple(heap.total(t, lambda s: s.labels['bytes'] == size)
                        for t in ('alloc_objects', 'inuse_objects')) for size in sizes}


def c_totals_are_equal():
    expected = None
    for name, preload, _ in arrangements():
        done = run([target('alloc_mix')], preload=preload, heap_rate=1)
        assert done.status == 0, f'{name}: {done.status} {done.err}'
        heap = done.profile('heap')
        mix = by_size(heap, (8, 64, 512, 4096, 32768, 262144, 1048576))
        expected = expected or mix
        assert mix == expected, f'{name}: {mix} instead of {expected}'
        assert mix[512][0] >= 4000 and mix[512][1] >= 2000


def cxx_totals_are_equal():
    out = plain([target('cxx_alloc')]).stdout
    for name, preload, _ in arrangements():
        done = run([target('cxx_alloc')], preload=preload, heap_rate=1)
        assert done.status == 0 and done.out == out, f'{name}: {done.status} {done.err}'
        heap = done.profile('heap')
        got = by_size(heap, (5003, 5009, 5021, 5056))
        # new: 11, of them 1 leaked; new[]: 13, 2 leaked; nothrow: 3; aligned: 5
        assert got == {5003: (11, 1), 5009: (13, 2), 5021: (3, 0), 5056: (5, 0)}, f'{name}: {got}'


def sampled_totals_are_near():
    total = sum(size * count for size, count in
                ((8, 20000), (64, 10000), (512, 4000), (4096, 1500), (32768, 300),
                 (262144, 60), (1048576, 20)))
    for name, preload, _ in arrangements():
        sums = [0, 0]
        for seed in range(1, 9):
            done = run([target('alloc_mix')], preload=preload, seed=seed, heap_rate='64k', cpu_hz=0)
            assert done.status == 0, f'{name}: {done.status} {done.err}'
            heap = done.profile('heap')
            sums[0] += heap.total('alloc_space') / 8
            sums[1] += heap.total('inuse_space') / 8
        assert abs(sums[0] / total - 1) < 0.05, f'{name}: {sums[0]} of {total}'
        assert abs(sums[1] / (total / 2) - 1) < 0.05, f'{name}: {sums[1]} in use of {total / 2}'


def a_malloc_of_the_programs_own_is_called_as_ever():
    for kind in ('next', 'partial', 'no_free'):
        command = [target(f'own_malloc_{kind}')]
        out = plain(command).stdout
        for rate in (1, '4k', '512k'):
            done = run(command, heap_rate=rate, timeout=60)
            assert (done.status, done.err) == (0, ''), f'{kind}, {rate}: {done.status} {done.err}'
            # some calls more: when it is asked what it does, and those of our own start
            more = int(done.out) - int(out)
            assert 0 <= more < 10, f'{kind}, {rate}: {done.out} calls instead of {out}'


tests(c_totals_are_equal, cxx_totals_are_equal, sampled_totals_are_near,
      a_malloc_of_the_programs_own_is_called_as_ever)
