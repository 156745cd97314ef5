"""LIBPROF_ALLOCATORS=auto: allocators that are linked into the program."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
from run import LONG, plain, run, skip, tests  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = tempfile.TemporaryDirectory()
LIBRARIES = {'jemalloc': ['-l:libjemalloc.a', '-lm', '-ldl', '-lstdc++'],
             'tcmalloc': ['-l:libtcmalloc_minimal.a', '-lstdc++', '-lm']}
FLAGS = {'pie': ['-O1', '-g'], 'fixed': ['-O2', '-no-pie'], 'stripped': ['-O2', '-s']}


def programs():
    """Name -> path, of each allocator and way to link."""
    built = {}
    for library, link in LIBRARIES.items():
        for name, flags in FLAGS.items():
            path = f'{FOLDER.name}/{library}_{name}'
            done = subprocess.run(['gcc', *flags, '-o', path, f'{HERE}/linked.c', '-pthread', *link],
                                  capture_output=True, text=True)
            if done.returncode == 0:
                built[f'{library}_{name}'] = path
    return built


def kept(heap):
    """Objects allocated and in use, of the size that only the kept blocks have."""
    return tuple(heap.total(t, lambda s: s.labels['bytes'] == 5003) for t in ('alloc_objects', 'inuse_objects'))


def totals_are_exact():
    for name, path in PROGRAMS.items():
        done = run([path], heap_rate=1, allocators='auto')
        assert done.status == 0 and done.out == plain([path]).stdout, (name, done.status, done.err)
        heap = done.profile('heap')
        assert kept(heap) == (2000, 1000), (name, kept(heap))
        # threads: three times 100,000 rounds of one allocation, one move and one free
        moved = heap.total('alloc_objects', lambda s: s.labels['bytes'] == 300)
        assert moved == 300000, (name, moved)
        assert heap.total('inuse_objects', lambda s: s.labels['bytes'] == 300) == 0, name
        assert any('are watched' in comment for comment in heap.comments), heap.comments
        assert not any('not in this profile' in comment for comment in heap.comments), heap.comments


def off_unless_asked():
    path = next(iter(PROGRAMS.values()))
    heap = run([path], heap_rate=1).profile('heap')
    assert kept(heap) == (0, 0), kept(heap)
    assert any('not in this profile' in comment for comment in heap.comments), heap.comments


def sampled_totals_are_unbiased():
    for name, path in list(PROGRAMS.items())[::3]:
        sums, n = 0, 20 if LONG else 8
        for seed in range(1, n + 1):
            heap = run([path], heap_rate='64k', allocators='auto', seed=seed).profile('heap')
            sums += heap.total('inuse_space', lambda s: s.labels['bytes'] == 5003)
        # one block stands for 13: 1,000 blocks, each with a chance of 7.3 %
        wanted, error = 1000 * 5003 * n, 5003 * (1000 * n * (1 / 0.0734 - 1)) ** 0.5
        assert abs(sums - wanted) < 4 * error, (name, sums / n, wanted / n, error / n)


def nothing_else_changes():
    """Under threads, fork and exec: the same output and status, again and again."""
    for name, path in PROGRAMS.items():
        expected = plain([path, 'fork'])
        for _ in range(50 if LONG else 3):
            done = run([path, 'fork'], allocators='auto', cpu_hz=1000)
            assert (done.status, done.out) == (expected.returncode, expected.stdout), (name, done.status, done.err)
            assert done.err == '', (name, done.err)


def a_program_without_one_is_left_alone():
    expected = plain(['sort', '/etc/services'])
    done = run(['sort', '/etc/services'], heap_rate=1, allocators='auto')
    assert (done.status, done.out, done.err) == (0, expected.stdout, ''), done.err


if os.uname().machine != 'x86_64':
    skip('functions are patched on x86-64 only')
PROGRAMS = programs()
if not PROGRAMS:
    skip('neither libjemalloc.a nor libtcmalloc_minimal.a is installed')
print('built:', *PROGRAMS)
tests(totals_are_exact, off_unless_asked, sampled_totals_are_unbiased, nothing_else_changes,
      a_program_without_one_is_left_alone)
