#!/usr/bin/env python3
"""What good projects got wrong, each as a test (the rest of that list stands in
exact.py, sampled.py and allocators.py)."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import LONG, plain, run, target, tests  # noqa: E402


def of_size(heap, size):
    return tuple(heap.total(t, lambda s: s.labels['bytes'] == size)
                 for t in ('alloc_objects', 'inuse_objects'))


def blocks_handed_between_threads_leave_nothing_behind():
    done = run([target('handover')], heap_rate=1, cpu_hz=0)
    live, allocated = map(int, re.findall(r'\d+', done.out))
    assert of_size(done.profile('heap'), 48) == (allocated, live), of_size(done.profile('heap'), 48)


def any_function_may_be_the_first():
    for name in ('malloc', 'calloc', 'realloc', 'reallocarray', 'posix_memalign', 'aligned_alloc',
                 'memalign', 'valloc', 'pvalloc', 'free', 'malloc_usable_size', 'fork'):
        for bind_now in ({}, {'LD_BIND_NOW': '1'}):
            for rate in (1, '512k'):
                done = run([target('first_main')], heap_rate=rate, timeout=20,
                           env_extra={'FIRST_CALL': name, **bind_now})
                assert (done.status, done.err) == (0, ''), f'{name}: {done.status} {done.err}'


def threads_may_allocate_to_their_very_end():
    for rate in (1, '4k'):
        done = run([target('tls_late')], heap_rate=rate)
        assert (done.status, done.out, done.err) == (0, 'done\n', ''), done.err
    heap = run([target('tls_late')], heap_rate=1, cpu_hz=0).profile('heap')
    for size, expected in {6007: (100, 0), 6011: (100, 0), 6029: (100, 0), 6037: (1, 0),
                           6043: (100, 0)}.items():
        assert of_size(heap, size) == expected, f'{size}: {of_size(heap, size)}'


def a_fork_in_the_midst_of_allocations():
    for rate in (1, '4k'):
        children = 2000 if LONG else 100
        done = run([target('fork_malloc'), str(children)], heap_rate=rate, timeout=120)
        assert (done.status, done.err) == (0, ''), f'{done.status} {done.err}'


def a_child_has_a_profile_of_its_own():
    import pprof
    done = run([target('fork_malloc'), '3'], heap_rate=1, cpu_hz=0)
    heaps = [pprof.Profile(path) for path in done.files('heap')]
    assert len(heaps) == 4, done.files()
    parents = [heap for heap in heaps if of_size(heap, 7907)[0]]
    assert [of_size(heap, 7907) for heap in parents] == [(10, 10)]
    children = [heap for heap in heaps if heap not in parents]
    # what it inherited is not its own, and its free is no free
    assert [of_size(heap, 7919) for heap in children] == [(10, 10)] * 3
    for heap in children:
        assert all(s.values[2] >= 0 for s in heap.samples)


def spawned_children_change_nothing():
    done = run([target('spawn'), '40'], heap_rate=1, cpu_hz=0, timeout=120)
    assert (done.status, done.out, done.err) == (0, '0 failed\n', ''), (done.out, done.err)
    heap = done.profile('heap', program='spawn')
    assert of_size(heap, 9007) == (160, 0), of_size(heap, 9007)
    assert of_size(heap, 9001) == (0, 0), of_size(heap, 9001)


def sizes_in_step_with_the_interval():
    """Two sites take turns; together they allocate one interval a turn."""
    share = total = 0
    for seed in range(1, 31):
        heap = run([target('lockstep')], heap_rate='64k', seed=seed, cpu_hz=0).profile('heap')
        share += heap.total('alloc_space', lambda s: s.labels['bytes'] == 32767)
        total += heap.total('alloc_space')
    assert abs(share / total - 0.5) < 0.02, share / total


tests(blocks_handed_between_threads_leave_nothing_behind, any_function_may_be_the_first,
      threads_may_allocate_to_their_very_end, a_fork_in_the_midst_of_allocations,
      a_child_has_a_profile_of_its_own, spawned_children_change_nothing,
      sizes_in_step_with_the_interval)
