#!/usr/bin/env python3
"""A program of another C library (musl), started by a profiled one in every way there is:
it runs as it does without libprof, its environment too; a program of glibc's is profiled;
and what can't be started fails as it does without (hazard 41)."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import LIBPROF, plain, run, skip, target, tests  # noqa: E402

STARTS = target('starts')
EXECS = ['execv', 'execle', 'fexecve', 'execveat', 'spawn', 'vfork']
SEARCHES = ['execvp', 'execlp', 'execvpe', 'spawnp', 'vforkp']
SHELLS = ['system', 'popen']
SOURCE = r'''
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    printf("I am %s, %d arguments, preloaded %s\n", NAME, argc, getenv("LD_PRELOAD"));
    return 3;
}
'''
folder = tempfile.mkdtemp()


def path(*names):
    return os.path.join(folder, *names)


def write(name, text, mode=0o755):
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    with open(path(name), 'w') as file:
        file.write(text)
    os.chmod(path(name), mode)


def build(name, compiler):
    write('source.c', SOURCE)
    os.makedirs(os.path.dirname(path(name)), exist_ok=True)
    subprocess.run([compiler, path('source.c'), f'-DNAME="{name}"', '-o', path(name)], check=True)


def same(way, file, *directory, search='', **settings):
    """-> what both runs said"""
    command = ['env', '-C', folder, f'PATH={search}:/usr/bin:/bin', STARTS, way, file, *directory]
    expected = plain(command)
    done = run(command, **settings)
    assert (done.status, done.out, done.err) == (expected.returncode, expected.stdout, expected.stderr), (
        f'{way} {file} {directory}: {done.out} {done.err} instead of {expected.stdout} {expected.stderr}')
    return done.out


def runs(who, *arguments, **settings):
    said = same(*arguments, **settings)
    assert f'I am {who}, ' in said and 'status 300' in said, (arguments, said)


def test_by_its_path():
    for way in EXECS + SEARCHES + SHELLS:
        runs('musl/prog', way, path('musl/prog'))
        runs('musl/prog', way, './musl/prog')


def test_searched():
    for way in SEARCHES + SHELLS:
        runs('musl/prog', way, 'prog', search=path('musl'))
        runs('musl/prog', way, 'prog', search='musl')
        # what can't be executed is passed over
        runs('musl/prog', way, 'prog', search=f'nowhere:{path("plain")}:{path("folder")}:musl:glibc')
    for way in SEARCHES:  # the working directory
        runs('here', way, 'here', search='/nowhere:')


def test_scripts():
    """As foreign as what interprets them, however many are between."""
    for way in EXECS + SEARCHES + SHELLS:
        if way != 'fexecve':
            runs('musl/prog', way, './script')
            runs('musl/prog', way, './script_of_script')
    for way in SEARCHES + SHELLS:
        runs('musl/prog', way, 'script', search=folder)
    runs('musl/prog', 'execvp', './shellscript')  # that glibc's shell runs


def test_the_loader_itself():
    loader = next(name for name in os.listdir('/lib') if name.startswith('ld-musl-'))
    for way in 'execv', 'spawn', 'spawnp':
        assert 'status 0' not in same(way, f'/lib/{loader}')


def test_after_a_change_of_directory():
    """A relative path begins where the child goes first. The others of that name would be glibc's."""
    runs('musl/prog', 'chdir', './prog', path('musl'))
    runs('musl/prog', 'chdir', './prog', 'musl')
    runs('musl/prog', 'chdirp', 'prog', 'musl', search='.')
    runs('musl/prog', 'chdir_twice', './musl/prog', 'glibc')
    runs('musl/prog', 'fchdir', './prog', 'musl')
    runs('musl/prog', 'reopened', path('musl/prog'), 'glibc')
    for way in 'chdir', 'fchdir':
        assert profiled(way, './prog', 'glibc')


def profiled(way, file, *directory, search='', **settings):
    done = run(['env', '-C', folder, f'PATH={search}:/usr/bin:/bin', STARTS, way, file, *directory],
               heap_rate=1, **settings)
    assert 'status 300' in done.out and not done.err, (way, file, done.out, done.err)
    return 'libprof.so' in done.out and len(done.files('heap', 'prog') + done.files('heap', '[0-9]')) == 1


def test_programs_of_glibc_are_profiled():
    for way in EXECS + SEARCHES + SHELLS:
        assert profiled(way, './glibc/prog'), way
    for way in SEARCHES:  # found before musl's
        assert profiled(way, 'prog', search='glibc:musl'), way
    assert not profiled('spawn', './glibc/prog', follow='fork')
    assert not profiled('spawnp', 'prog', search='glibc', follow='none')


def test_other_libraries_stay():
    other = path('other.so')
    subprocess.run(['musl-gcc', '-shared', '-nostdlib', '-x', 'c', '/dev/null', '-o', other], check=True)
    for way in 'execv', 'spawn', 'spawnp':
        done = run([STARTS, way, path('musl/prog')], preload=f'{other}:{LIBPROF}')
        assert f'preloaded {other}\n' in done.out, (done.out, done.err)


def test_from_a_program_that_is_not_selected():
    for way in 'execv', 'execvp', 'spawn', 'system':
        runs('musl/prog', way, './musl/prog', only='somethingelse')


def test_what_fails_fails_alike():
    for way in EXECS + SEARCHES:
        for file in './noexec', './folder', './missing', './musl/prog/x', './text', './badscript', '', 'x' * 300:
            said = same(way, file, search='musl')
            assert 'I am' not in said, (way, file, said)
    for way in SEARCHES:
        for file in 'noexec', 'folder', 'missing', 'text', 'x' * 300:
            same(way, file, search=folder)
            same(way, file, search='a' * 5000 + ':' + folder)


def test_an_environment_that_is_none():
    assert 'errno 14' in same('wrong_environment', './glibc/prog')


if not shutil.which('musl-gcc'):
    skip('no musl-gcc (musl-tools)')
build('musl/prog', 'musl-gcc')
build('glibc/prog', 'gcc')
build('here', 'musl-gcc')
os.makedirs(path('folder/prog'))
write('plain/prog', 'text', 0o644)
write('script', f'#! {path("musl/prog")} -x\n')
write('script_of_script', f'#!{path("script")}\n')
write('shellscript', '#!/bin/sh\nexec ./musl/prog\n')
write('noexec', 'text', 0o644)
write('text', 'exit 7\n')  # the shell's, for those who fall back on it
write('badscript', '#!/nowhere/at/all\n')
try:
    tests(*(f for name, f in list(globals().items()) if name.startswith('test_')))
finally:
    shutil.rmtree(folder)
