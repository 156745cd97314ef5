#!/usr/bin/env python3
"""The peak, and what happens at the limits: of memory, of depth, of the system."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
import pprof  # noqa: E402
from run import environment, plain, run, target, tests  # noqa: E402


def the_peak_is_the_state_at_the_highest_moment():
    peak = run([target('alloc_peak')], heap_rate=1, cpu_hz=0).profile('heappeak')
    by_size = {size: peak.total('inuse_objects', lambda s: s.labels['bytes'] == size)
               for size in (1000003, 999983)}
    assert by_size == {1000003: 10, 999983: 0}, by_size
    assert peak.total('inuse_space') - 10 * 1000003 < 100000


def lost(heap, sentence):
    for comment in heap.comments:
        match = re.match(r'libprof: ' + sentence + r': (\d+)$', comment)
        if match:
            return int(match.group(1))
    return 0


def memory_is_capped_and_the_loss_counted():
    """Rss with 200,000 stacks at 4 MiB of tables: the program goes on, the loss is told."""
    directory = tempfile.TemporaryDirectory()
    command = [target('alloc_many'), '200000']
    plain = subprocess.run(['/usr/bin/env', 'sh', '-c', 'exec "$@"', 'sh', *command],
                           capture_output=True, text=True)
    child = subprocess.Popen(command, env=environment(directory.name, heap_rate=1, cpu_hz=0,
                                                      max_memory='4m'),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    assert (status, out, child.stderr.read()) == (0, plain.stdout, ''), (status, out)
    heap = pprof.Profile(f'{directory.name}/alloc_many.{child.pid}.0001.heap.pb.gz')
    dropped = lost(heap, 'events lost because LIBPROF_MAX_MEMORY was reached')
    assert dropped > 100000, heap.comments
    kept = heap.total('alloc_objects')
    assert kept + dropped >= 200000, (kept, dropped)
    assert usage.ru_maxrss < 40 * 1024, f'{usage.ru_maxrss} KiB'


def all_of_it_fits_in_the_default_of_exact_mode():
    heap = run([target('alloc_many'), '100000'], heap_rate=1, cpu_hz=0).profile('heap')
    assert heap.total('alloc_objects', lambda s: s.labels['bytes'] < 60) == 100000
    assert heap.total('inuse_objects', lambda s: s.labels['bytes'] < 60) == 75000
    assert len(heap.samples) >= 100000


def deep_stacks_are_cut_where_asked():
    for depth, cut in (('8', True), ('128', False), ('1024', False)):
        heap = run([target('alloc_many'), '64'], heap_rate=1, cpu_hz=0, depth=depth).profile('heap')
        deepest = max(len(s.stack) for s in heap.samples)
        assert (deepest <= 9) == cut, f'{depth}: {deepest}'
        assert any('[truncated]' in n or 'truncated' in n for s in heap.samples
                   for n in heap.functions(s)) == cut


def the_systems_limits_do_no_harm():
    """Little address space, no files, no descriptors, small stack: the program runs."""
    expected = run([target('alloc_many'), '500'], heap_rate=0, cpu_hz=0).out
    for limit in ('ulimit -v 60000', 'ulimit -f 0', 'ulimit -n 4', 'ulimit -s 128', 'ulimit -i 0',
                  'ulimit -l 0', 'ulimit -c unlimited'):
        for rate in (1, '512k'):
            done = run(['sh', '-c', f'{limit}; exec "$0" 500', target('alloc_many')],
                       heap_rate=rate, only='alloc_many', timeout=60)
            assert (done.status, done.out) == (0, expected), f'{limit}: {done.status} {done.err}'
            assert len(done.err.splitlines()) <= 1, f'{limit}: {done.err}'


# Threads that allocate on all sides while the limit comes, and a child with one of its own.
LIMITED = '''
import os, resource, sys, threading
def allocate():
    for n in range(30000):
        [bytes(n % 700) for _ in range(3)]
threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads: thread.start()
for n in range(20): resource.setrlimit(resource.RLIMIT_AS, ((1 << 30) - n, -1))
pid = os.fork()
if pid == 0:
    resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
    blocks = [bytes(1 << 20) for _ in range(50)]
    os._exit(len(blocks))
for thread in threads: thread.join()
blocks = [bytes(1 << 20) for _ in range(100)]
print(len(blocks), os.waitpid(pid, 0)[1] >> 8, resource.getrlimit(resource.RLIMIT_AS)[0])
'''


def limits_that_the_program_sets_itself():
    """The address space the tables reserve isn't taken from what the program allows itself."""
    for command in (['/usr/bin/python3', '-c', LIMITED],
                    ['bash', '-c', 'true $(ls /); ulimit -v 300000; a=$(seq 1000000); echo ${#a}; exec ls -d /']):
        expected = plain(command)
        for rate in 1, '512k':
            done = run(command, heap_rate=rate)
            assert (done.status, done.out, done.err) == (0, expected.stdout, ''), (done.status, done.out, done.err)


tests(the_peak_is_the_state_at_the_highest_moment, memory_is_capped_and_the_loss_counted,
      all_of_it_fits_in_the_default_of_exact_mode, deep_stacks_are_cut_where_asked,
      the_systems_limits_do_no_harm, limits_that_the_program_sets_itself)
