#!/usr/bin/env python3
"""Real Debian programs: their output is what it was, and the profile names who allocates."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import environment, plain, run, skip, tests  # noqa: E402
from run import PROF  # noqa: E402
import pprof  # noqa: E402

SQL = '''
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i+1 from n where i < 100000)
    insert into t select i, hex(i * 7919) from n;
create index u on t(b);
select count(*), max(b) from t where b like '%3%';
'''
PYTHON = '''
import json
text = json.dumps([{"key%d" % i: list(range(i % 50))} for i in range(5000)])
for _ in range(5):
    data = json.loads(text)
print(len(text), len(data))
'''


def same_and_named(command, functions, stdin=None, env_extra=None, heap_rate='64k'):
    """Output identical in default and exact mode; some of the functions are named."""
    name = command[0]
    expected = subprocess.run(command, capture_output=True, input=stdin, text=True, timeout=300,
                              env={**os.environ, **(env_extra or {})})
    for rate in (heap_rate, 1):
        done = run(command, stdin=stdin, heap_rate=rate, env_extra=env_extra, timeout=600)
        assert done.status == expected.returncode, f'{name}: {done.status} {done.err}'
        assert done.out == expected.stdout, f'{name}: another output'
        assert done.err == expected.stderr, f'{name}: another stderr: {done.err}'
        names = set().union(*(pprof_names(path) for path in done.files('heap')))
        for function in functions:
            # a name, or one of several: with and without the C library's debug symbols
            choice = {function} if isinstance(function, str) else set(function)
            assert choice & names, f'{name} at {rate}: no {function} among {sorted(names)[:80]}'


def pprof_names(path):
    out = path + '.sym'
    subprocess.run([PROF, 'symbolize', path, '-o', out], check=True, capture_output=True)
    return pprof.Profile(out).names()


def sqlite3():
    same_and_named(['sqlite3', ':memory:'], ['sqlite3_step'], stdin=SQL)


def python3():
    # Debian's python is stripped: its exported functions have names
    same_and_named([shutil.which('python3', path='/usr/bin') or 'python3', '-c', PYTHON],
                   ['PyList_New', 'PyUnicode_New'], env_extra={'PYTHONMALLOC': 'malloc'})


def cc1():
    source = tempfile.NamedTemporaryFile('w', suffix='.c')
    source.write('#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n')
    for n in range(200):
        source.write(f'int f{n}(int a, char *b) {{ for (int i = 0; i < a; i++) '
                     f'b[i] = (char)(b[i] * {n} + i); return (int)strlen(b); }}\n')
    source.flush()
    same_and_named(['gcc', '-O2', '-S', '-o', '-', source.name], ['xmalloc'])


def perl():
    same_and_named(['perl', '-e', 'my %h; $h{$_ % 9973} .= "x$_" for 1..200000; '
                    'print length(join(",", @h{sort keys %h})), "\\n";'],
                   ['Perl_safesysmalloc', 'perl_run'])


def git():
    with tempfile.TemporaryDirectory() as repository:
        run_git = ['git', '-C', repository]
        subprocess.run([*run_git, 'init', '-q'], check=True)
        for n in range(60):
            with open(f'{repository}/file{n}', 'w') as file:
                file.write(f'line {n}\n' * 200)
        subprocess.run([*run_git, 'add', '.'], check=True)
        subprocess.run([*run_git, '-c', 'user.name=t', '-c', 'user.email=t@example.org', 'commit',
                        '-qm', 'c'], check=True)
        same_and_named([*run_git, 'log', '--stat', '--format=%s'], [('__libc_start_main', '__libc_start_main_impl')], heap_rate='4k')


def redis_server():
    """jemalloc behind it, linked by the program itself."""
    with tempfile.TemporaryDirectory() as directory:
        socket = f'{directory}/redis.sock'
        server = subprocess.Popen(
            ['redis-server', '--port', '0', '--unixsocket', socket, '--save', '', '--daemonize', 'no'],
            env=environment(directory, heap_rate='64k'), cwd=directory,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.time() + 20
            while not os.path.exists(socket) and time.time() < deadline:
                time.sleep(0.05)
            done = plain(['redis-benchmark', '-s', socket, '-q', '-n', '40000', '-r', '20000', '-d',
                          '200', '-t', 'set,lpush'])
            assert done.returncode == 0, done.stderr
            reply = plain(['redis-cli', '-s', socket, 'get', 'key:000000000001'])
            assert reply.returncode == 0
        finally:
            server.terminate()
            out, err = server.communicate(timeout=30)
        assert server.returncode == 0, (server.returncode, err)  # redis ends by itself on SIGTERM
        assert 'libprof' not in err + out
        files = [f for f in os.listdir(directory) if '.heap.pb.gz' in f]
        assert files, os.listdir(directory)
        heap = pprof.Profile(f'{directory}/{files[-1]}')
        # 20,000 keys of 200 bytes and more are alive
        assert heap.total('inuse_space') > 4e6, heap.total('inuse_space')
        names = pprof_names(f'{directory}/{files[-1]}')
        assert any('redis' in m['file'] for m in heap.mappings)
        assert names & {'__libc_start_main', '__libc_start_main_impl', 'start_thread', 'main'}, sorted(names)[:50]


if not shutil.which('redis-server'):
    skip('redis-server is not installed')
tests(sqlite3, python3, cc1, perl, git, redis_server)
