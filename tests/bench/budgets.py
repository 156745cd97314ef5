"""What the hooks' fast paths and a process's start cost, in instructions.

valgrind's callgrind counts them, and counts the same each time: a budget is today's number
and a little room. One that is passed is a decision to be made, not noise to be waited out.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
import run  # noqa: E402

BIN = os.path.join(run.BUILD, 'tests/bench')
# CPU time is not sampled: callgrind runs the program fifty times slower than the timer thinks.
QUIET = {'cpu_hz': 0, 'at_exit': 0}
UNSAMPLED = {**QUIET, 'heap_rate': '1g'}
EXACT = {**QUIET, 'heap_rate': 1}


def instructions(command, settings):
    """settings: libprof's; None: without libprof."""
    with tempfile.TemporaryDirectory() as directory:
        env = run.environment(directory, **settings or {})
        if settings is None:
            del env['LD_PRELOAD']
        done = subprocess.run(
            ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', *command],
            env=env, capture_output=True, text=True, timeout=300)
    found = re.search(r'Collected : (\d+)', done.stderr)
    assert done.returncode == 0 and found, f'{command}: {done.stderr[-500:]}'
    return int(found.group(1))


def each(program, arguments, settings):
    """Instructions that libprof adds to one turn of a program's loop."""
    def slope(settings):
        few, many = (instructions([f'{BIN}/{program}', *arguments(n)], settings)
                     for n in (2000, 12000))
        return (many - few) / 10000
    return slope(settings) - slope(None)


def within(what, found, budget):
    print(f'{what}: {found:.1f} instructions, budget {budget}', flush=True)
    assert found <= budget, f'{what}: {found:.1f} instructions, more than {budget}'
    assert found > 0, f'{what}: {found:.1f} instructions: libprof was not at work'


def unsampled_pair():
    within('malloc+free', each('pair', lambda n: [str(n), '9'], UNSAMPLED), 21)


# The walk is the most of it: see preload/unwind/memo.h.
def exact_pair():
    within('malloc+free recorded, 12 frames', each('pair', lambda n: [str(n), '9'], EXACT),
           1600)


def uncontended_mutex():
    within('mutex lock+unlock', each('lock', lambda n: ['pair', str(n)], UNSAMPLED), 17)


def uncontended_rwlock():
    within('rwlock rdlock+unlock', each('lock', lambda n: ['rwlock', str(n)], UNSAMPLED), 17)


def process_start():
    with_, empty = (instructions(['/bin/true'], settings) for settings in (QUIET, None))
    within("a process's start and end", with_ - empty, 125000)


if __name__ == '__main__':
    if not shutil.which('valgrind'):
        run.skip('valgrind is not installed')
    run.tests(unsampled_pair, exact_pair, uncontended_mutex, uncontended_rwlock, process_start)
