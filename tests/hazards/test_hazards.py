#!/usr/bin/env python3
"""Hazards of preloaded profilers that have no place of their own (tests/README.md lists all)."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import LIBPROF, environment, plain, run, skip, target, tests  # noqa: E402

EXACT = {'heap_rate': 1, 'cpu_hz': 1000}
PROGRAMS = [target('surroundings'), target('surroundings_fixed')]


def same(command, **settings):
    """As without libprof, and silent."""
    expected = plain(command)
    for more in {}, EXACT:
        done = run(command, **{**more, **settings})
        assert (done.status, done.out, done.err) == (
            expected.returncode, expected.stdout, expected.stderr), (
            command, more, done.status, done.out, done.err)
    return expected


def hazard_11_work_before_our_constructor():
    for program in PROGRAMS:
        for bind in {}, {'LD_BIND_NOW': '1'}:
            expected = same([program, 'early'], **bind)
            assert expected.returncode == 0


def hazard_58_functions_by_their_addresses():
    for program in PROGRAMS:
        assert same([program, 'pointers']).returncode == 0


def hazard_locked_memory():
    """mlockall counts the program's memory alone: same answers, as much locked."""
    current, future, on_fault, unknown = 1, 2, 4, 8
    for flags in current, future, current | future, current | on_fault, 7, on_fault, unknown:
        for limit_kib in 8192, 3000, 64:
            directory = tempfile.mkdtemp()
            os.chmod(directory, 0o777)
            same([target('locked_memory'), str(flags), str(limit_kib)], dir=directory + '/out')
    expected = plain([target('locked_memory'), str(current | future), '8192'])
    assert 'mlockall works' in expected.stdout, expected


def hazard_39_deepbind():
    for program in PROGRAMS:
        assert same([program, 'deepbind', target('deep_plugin.so')]).returncode == 0


def hazard_40_long_crash_handler():
    expected = same([PROGRAMS[0], 'crash'])
    assert (expected.returncode, expected.stdout) == (-11, 'handled\n')


def hazard_33_all_descriptors_taken():
    for settings in {}, EXACT:
        with tempfile.TemporaryDirectory() as directory:
            done = run([PROGRAMS[0], 'reopen', directory], **settings)
            assert done.status == 0, done.status
            assert len(os.listdir(directory)) == 40
            assert done.files('heap'), 'no dump was made'


def hazard_33_no_descriptor_between_dumps():
    command = ['ls', '-1', '/proc/self/fd']
    same(command)


def hazard_32_a_process_that_is_not_selected():
    """Only what loads a library, but for the questions whether it is selected."""
    if not shutil.which('strace'):
        skip('no strace')
    with tempfile.TemporaryDirectory() as directory:
        log = directory + '/log'
        # on the program alone, strace itself isn't profiled
        command = ['strace', '-o', log, '-E', 'LD_PRELOAD=' + LIBPROF, '-E', 'LIBPROF_ONLY=another',
                   '-E', 'LIBPROF_DIR=' + directory + '/out', '/bin/true']
        env = {k: v for k, v in os.environ.items() if not k.startswith('LIBPROF_') and k != 'LD_PRELOAD'}
        subprocess.run(command, check=True, capture_output=True, env=env)
        with open(log) as file:
            text = file.read()
        assert not os.path.exists(directory + '/out')
    ours = text[text.rindex('munmap'):]  # ld.so.cache is unmapped last
    calls = re.findall(r'^(\w+)\(', ours, re.M)
    bad = {'timer_create', 'rt_sigaction', 'clone', 'clone3', 'memfd_create', 'write', 'socket', 'mkdirat'}
    assert not bad & set(calls), ours


def hazard_43_asan():
    with tempfile.TemporaryDirectory() as directory:
        source = directory + '/a.c'
        with open(source, 'w') as file:
            file.write('#include <stdio.h>\n#include <stdlib.h>\nint main(int n, char **v) {'
                       'char *p = malloc(10); if (n > 1) p[n + 9] = 1; puts("through"); free(p); }\n')
        if plain(['gcc', '-fsanitize=address', '-g', source, '-o', directory + '/a']).returncode:
            skip('no libasan')
        asan = plain(['gcc', '-print-file-name=libasan.so']).stdout.strip()
        # its runtime wants to come first
        preload = f'{os.path.realpath(asan)}:{LIBPROF}'
        done = run([directory + '/a'], preload=preload, env_extra={'ASAN_OPTIONS': 'detect_leaks=0'})
        assert (done.status, done.out) == (0, 'through\n'), (done.status, done.err[:500])
        done = run([directory + '/a', 'overflow'], preload=preload)
        assert done.status == 1 and 'heap-buffer-overflow' in done.err, done.err[:500]


def hazard_43_valgrind():
    """Valgrind ends a program whose signal comes where its stack has yet to grow."""
    for _ in range(3):
        same(['valgrind', '-q', '--tool=none', 'sqlite3', ':memory:', 'select 1'])


def hazard_35_single_threaded_assumptions():
    if os.geteuid() != 0:
        return
    expected = plain(['unshare', '-Ur', 'true'])
    if expected.returncode:
        skip('no user namespaces')
    same(['unshare', '-Ur', 'grep', 'Threads', '/proc/self/status'])


def hazard_55_another_user_in_the_midst():
    """setpriv changes the user, then runs a program that may not write the directory."""
    if os.geteuid() != 0:
        return
    command = ['setpriv', '--reuid=65534', '--clear-groups', 'sh', '-c', 'id -u; exit 3']
    expected = plain(command)
    done = run(command)
    assert (done.status, done.out) == (expected.returncode, expected.stdout)
    lines = [line for line in done.err.splitlines() if line]
    assert all(line.startswith("libprof: can't ") for line in lines) and len(lines) <= 3, done.err


tests(*(f for name, f in sorted(globals().items()) if name.startswith('hazard_')))
