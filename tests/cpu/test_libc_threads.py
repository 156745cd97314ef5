#!/usr/bin/env python3
"""Threads that libc starts by itself (SIGEV_THREAD): their CPU time is in the profile, the
threadcreate profile shows who asked for them, and the program sees what it sees without."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
from run import plain, run, target, tests  # noqa: E402

PROGRAM = target('libc_threads')
CALLED = 'on_timer', 'on_message', 'on_address'


def within(profile, function):
    return lambda sample: function in profile.functions(sample)


def test_same_and_sampled():
    expected = plain([PROGRAM])
    assert expected.returncode == 0, expected
    for settings in {}, {'cpu_hz': 1000, 'heap_rate': 1}:
        done = run([PROGRAM], **settings)
        assert (done.status, done.out, done.err) == (
            expected.returncode, expected.stdout, expected.stderr), done
        cpu = done.profile('cpu', symbolize=True)
        for function in CALLED:
            seconds = cpu.total('cpu', within(cpu, function)) / 1e9
            assert 0.3 < seconds < 0.5, (settings, function, seconds)
        created = done.profile('threadcreate', symbolize=True)
        assert created.total('threadcreate', within(created, 'main')) == len(CALLED)


tests(test_same_and_sampled)
