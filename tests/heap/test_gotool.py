#!/usr/bin/env python3
"""`go tool pprof` on libprof's heap files: plain, symbolized and as text."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import PROF, run, skip, target, tests  # noqa: E402

if not shutil.which('go'):
    skip('go (golang-go) is not installed')


def pprof(*arguments):
    done = subprocess.run(['go', 'tool', 'pprof', *arguments], capture_output=True, text=True,
                          timeout=100, env={**os.environ, 'PPROF_TMPDIR': '/nonexistent'})
    assert done.returncode == 0, done.stderr
    return done.stdout


def prof(*arguments):
    done = subprocess.run([PROF, *arguments], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


def samples(path):
    """The samples of `-raw`: values and, as the reader computes it, the size label."""
    raw = pprof('-raw', '-symbolize=none', path)
    body = raw[raw.index('Samples:'):raw.index('Locations')]
    values = re.findall(r'^ *(\d+) +(\d+) +(\d+) +(\d+):', body, re.M)
    assert values
    return sorted(tuple(map(int, v)) for v in values)


RUN = run([target('alloc_mix')], heap_rate='64k', seed=3, cpu_hz=0)
PLAIN = RUN.files('heap')[-1]
SYMBOLIZED = f'{RUN.directory.name}/symbolized.pb.gz'
prof('symbolize', PLAIN, '-o', SYMBOLIZED)


def plain_and_symbolized_are_read():
    assert samples(PLAIN) == samples(SYMBOLIZED)
    assert 'alloc_mix' in pprof('-top', PLAIN)
    top = pprof('-top', '-sample_index=alloc_space', SYMBOLIZED)
    assert re.search(r'100% +take$', top, re.M), top
    assert re.search(r'main$', top, re.M), top


def lines_are_listed():
    listing = pprof('-list', '^take$', '-sample_index=alloc_space', SYMBOLIZED)
    assert 'return malloc(size);' in listing and 'alloc_mix.c' in listing, listing


def a_profile_less_itself_is_nothing():
    top = pprof('-top', '-base', PLAIN, PLAIN)
    assert re.search(r'of 0 total|^Showing nodes accounting for 0', top, re.M), top


def the_text_form_gives_the_same_values():
    text = f'{RUN.directory.name}/heap.txt'
    with open(text, 'w') as file:
        file.write(prof('text', PLAIN))
    header = open(text).readline()
    assert re.match(r'heap profile: \d+: \d+ \[\d+: \d+\] @ heap/131072$', header), header
    assert samples(text) == samples(PLAIN)


tests(plain_and_symbolized_are_read, lines_are_listed, a_profile_less_itself_is_nothing,
      the_text_form_gives_the_same_values)
