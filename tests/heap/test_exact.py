#!/usr/bin/env python3
"""Exact mode (LIBPROF_HEAP_RATE=1): every allocation, to the last object and byte."""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import environment, plain, run, target, tests  # noqa: E402


def totals(profile, size=None):
    where = (lambda s: s.labels.get('bytes') == size) if size is not None else (lambda s: True)
    return tuple(profile.total(t, where) for t in
                 ('alloc_objects', 'alloc_space', 'inuse_objects', 'inuse_space'))


def each_function_is_counted_once():
    done = run([target('alloc_api')], heap_rate=1)
    assert done.status == 0, done.err
    heap = done.profile('heap')
    expected = {
        10007: (10, 0), 10009: (1, 1),           # malloc
        7000: (1, 1),                            # calloc multiplies
        20011: (1, 0), 20021: (1, 1),            # realloc: a free and an allocation
        20023: (1, 0), 60087: (1, 1),            # realloc to 0 frees; reallocarray multiplies
        30011: (1, 0), 30013: (0, 0),            # a refused posix_memalign is nothing
        30208: (1, 1), 30029: (1, 1), 30047: (1, 1), 30059: (1, 1),
        40009: (1, 0), 43: (1, 1),               # strdup through malloc
    }
    for size, (allocated, inuse) in expected.items():
        want = (allocated, allocated * size, inuse, inuse * size)
        assert totals(heap, size) == want, f'{size}: {totals(heap, size)} instead of {want}'
    assert heap.period == 1


def sums_up_as_valgrind(*command, stdin=None):
    """The same program, the same environment but for a name: objects and bytes equal."""
    done = run(list(command), stdin=stdin, heap_rate=1)
    heap = done.profile('heap')
    directory = done.directory.name
    env = environment(directory, heap_rate=1)
    # As many variables of the same lengths, in case the program copies them.
    env['LD_PRELOXD'] = env.pop('LD_PRELOAD')
    for name in [n for n in env if n.startswith('LIBPROF_')]:
        env['XIBPROF_' + name[8:]] = env.pop(name)
    log = directory + '/valgrind.log'
    result = subprocess.run(
        ['valgrind', '--run-libc-freeres=no', '--run-cxx-freeres=no', '--log-file=' + log,
         '--leak-check=no', '--trace-children=no', *command],
        env=env, capture_output=True, text=True, input=stdin, timeout=300)
    assert result.stdout == done.out
    text = open(log).read()
    match = re.search(r'total heap usage: ([\d,]+) allocs, ([\d,]+) frees, ([\d,]+) bytes', text)
    allocs, frees, size = (int(n.replace(',', '')) for n in match.groups())
    mine = totals(heap)
    got = (mine[0], mine[0] - mine[2], mine[1])
    assert got == (allocs, frees, size), f'{command[0]}: {got}, valgrind {(allocs, frees, size)}'
    assert allocs > 100


def valgrind_counts_the_same_in_sqlite3():
    sums_up_as_valgrind('sqlite3', ':memory:', stdin='''
        create table t(a integer primary key, b text);
        with recursive n(i) as (select 1 union all select i+1 from n where i < 3000)
            insert into t select i, hex(i * 7919) from n;
        create index u on t(b);
        select count(*), max(b) from t where b like '%3%';
        select substr(b, 1, 2), count(*) from t group by 1 order by 2 desc limit 5;
        ''')


def valgrind_counts_the_same_in_ls():
    with tempfile.TemporaryDirectory() as tree:
        for n in range(300):
            directory = f'{tree}/{n % 17}'
            os.makedirs(directory, exist_ok=True)
            open(f'{directory}/a file of some name {n}', 'w').close()
        sums_up_as_valgrind('ls', '-lAR', tree)


def valgrind_counts_the_same_in_jq():
    sums_up_as_valgrind('jq', '-n', '[range(2000)|{a:., b:(.*3|tostring)}]|group_by(.a%7)|map(length)')


def output_is_the_programs_own():
    command = [target('alloc_api')]
    assert plain(command).stdout == run(command, heap_rate=1).out


tests(each_function_is_counted_once, valgrind_counts_the_same_in_sqlite3,
      valgrind_counts_the_same_in_ls, valgrind_counts_the_same_in_jq,
      output_is_the_programs_own)
