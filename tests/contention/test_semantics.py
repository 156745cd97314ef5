#!/usr/bin/env python3
"""Every lock answers every use as it does without libprof."""
import difflib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import LIBPROF, plain, run, target, tests  # noqa: E402

SETTINGS = ({}, {'block_rate': 1, 'mutex_fraction': 1}, {'block_rate': 0, 'mutex_fraction': 0},
            {'block_rate': 1, 'mutex_fraction': 1, 'cpu_hz': 1000})


def same_answers():
    """What libprof changes, it changes each time; a stall of a busy machine passes."""
    for settings in SETTINGS:
        for attempt in range(3):
            expected = plain([target('lock_semantics')])
            assert expected.returncode == 0 and expected.stdout.count('\n') > 700
            done = run([target('lock_semantics')], **settings)
            assert (done.status, done.err) == (0, ''), done.err
            difference = list(difflib.unified_diff(
                expected.stdout.split('\n'), done.out.split('\n'), 'without', 'with', n=0,
                lineterm=''))
            if not difference and 'too early' not in done.out:
                break
        assert not difference, f'{settings}:\n' + '\n'.join(difference)
        assert 'too early' not in done.out, done.out


def old_condition_variables_are_left_alone():
    if os.uname().machine != 'x86_64':
        return
    expected = plain([target('cond_old')])
    assert expected.stdout == '200 turns, timed out, untouched\n'
    done = run([target('cond_old')], block_rate=1)
    assert (done.status, done.out, done.err) == (0, expected.stdout, ''), done.out + done.err


def exports_have_the_versions_asked_for():
    lines = subprocess.run(['nm', '-D', '--defined-only', LIBPROF], capture_output=True,
                           text=True, check=True).stdout.split('\n')
    exported = {line.split()[-1] for line in lines if line}
    versioned = {name for name in exported if '@' in name}
    if os.uname().machine == 'x86_64':
        assert versioned == {'posix_spawn@@GLIBC_2.15', 'posix_spawnp@@GLIBC_2.15',
                             'timer_create@@GLIBC_2.34', 'timer_create@GLIBC_2.3.3',
                             'pthread_cond_wait@@GLIBC_2.3.2', 'pthread_cond_timedwait@@GLIBC_2.3.2'}
    assert 'pthread_mutex_lock' in exported and 'pthread_mutex_trylock' not in exported


tests(same_answers, old_condition_variables_are_left_alone, exports_have_the_versions_asked_for)
