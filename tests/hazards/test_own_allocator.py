#!/usr/bin/env python3
"""Programs whose memory libprof can't see, or that aren't made for it: told in one line,
and what can be profiled of them is (hazards 14, 41, 43)."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import LIBPROF, PROF, environment, plain, run, tests  # noqa: E402
import pprof  # noqa: E402

UNSEEN = 'libprof: not in this profile: memory '
# 200 MiB in use; CPU for some 20 samples; a thread that waits. `get` is how it allocates.
SOURCE = r'''
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
GET
static void *burn(void *arg)
{
    volatile double sum = 0;
    for (long i = 0; i < 60000000; i++)
        sum += i;
    return arg;
}
int main(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, burn, NULL);
    for (int i = 0; i < 2000; i++)
        memset(get(100 << 10), 1, 100 << 10);
    pthread_join(thread, NULL);
    puts("through");
    return 3;
}
'''
ARENA = '''static char *next;
static void *get(size_t size)
{
    if (!next)
        next = mmap(NULL, (size_t)400 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return (next += size) - size;
}'''
OVERFLOW = r'''
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    char *volatile block = malloc(24);
    memset(block, 1, 24);
    block[24] = 7;
    free(block);
    puts("not found");
    return 0;
}
'''
JAVA = '''public class Large {
    public static void main(String[] arguments) {
        byte[][] blocks = new byte[200][];
        for (int i = 0; i < 200; i++) java.util.Arrays.fill(blocks[i] = new byte[1 << 20], (byte) 1);
        System.out.println("through " + blocks.length);
    }
}
'''
# Small objects, which Python takes from its own arenas; ended in a way that leaves them.
PYTHON = ('import os, sys; kept = [str(i) for i in range(800000)]; '
          'print("through 200", flush=True); os.kill(os.getpid(), 12); os._exit(0)')
GO = '''package main

import "C"
import "fmt"
import "time"

func main() {
	blocks := make([][]byte, 200)
	for i := range blocks {
		blocks[i] = make([]byte, 1<<20)
		for j := range blocks[i] {
			blocks[i][j] = 1
		}
	}
	time.Sleep(2500 * time.Millisecond) // it ends by itself, unseen: the collector looks each second
	fmt.Println("through", len(blocks))
}
'''
folder = tempfile.TemporaryDirectory()


def missing(what):
    print(f'# left out: {what}', flush=True)


def build(name, get, *options, compiler='gcc', text=SOURCE):
    source = f'{folder.name}/{name}.c'
    with open(source, 'w') as file:
        file.write(text.replace('GET', get))
    done = plain([compiler, '-O1', source, '-o', f'{folder.name}/{name}', *options, '-lpthread'])
    return f'{folder.name}/{name}' if done.returncode == 0 else None


def archive(name):
    found = glob.glob(f'/usr/lib/*/{name}')
    if not found:
        missing(f'no {name}')
    return found and found[0]


def prof_run(command, **more):
    """-> status, output, prof's and libprof's lines, the dumps by profile"""
    out = tempfile.mkdtemp(dir=folder.name)
    env = {k: v for k, v in environment(out).items() if not k.startswith(('LIBPROF', 'LD_PRELOAD'))}
    done = subprocess.run([PROF, 'run', '-o', out, *command], env={**env, **more}, timeout=120,
                          capture_output=True, text=True)
    dumps = {path.split('.')[-3]: path for path in glob.glob(out + '/*.pb.gz')}
    return done, [line for line in done.stderr.splitlines() if 'prof: ' in line], dumps


def comments(path):
    return [comment for comment in pprof.Profile(path).comments if comment.startswith(UNSEEN)]


def check(program, words):
    """Both ways to profile it: one line with these words, the rest is as ever."""
    expected = plain([program])
    assert expected.returncode == 3
    for settings in {}, {'heap_rate': 1, 'cpu_hz': 1000}:
        done = run([program], **settings)
        assert (done.status, done.out, done.err) == (3, expected.stdout, ''), (done.status, done.err)
        said = comments(done.files('heap')[-1])
        assert len(said) == 1, said
        assert done.profile('cpu').total('samples') > 5 and done.files('threadcreate')
    done, lines, dumps = prof_run([program])
    assert (done.returncode, done.stdout) == (3, expected.stdout), done
    said = [line for line in lines if 'brings' in line]
    assert len(said) == 1 and words in said[0] and os.path.basename(program) in said[0], lines
    said, = comments(dumps['heap'])
    # 200 MiB are in use
    assert words in said and int(said.split('at least ')[1].split()[0]) >= 195, said
    assert pprof.Profile(dumps['cpu']).total('samples') > 5
    # every report on the heap begins with it
    for report in ('top', 'stats'):
        text = plain([PROF, report, dumps['heap']]).stdout
        assert 'not in this profile' in text, text


def hazard_14_linked_into_the_program():
    whole = ['-Wl,--whole-archive', None, '-Wl,--no-whole-archive']
    for library, name in (('libjemalloc.a', 'jemalloc'), ('libtcmalloc_minimal.a', 'tcmalloc')):
        path = archive(library)
        if not path:
            continue
        whole[1] = path
        program = build('with_' + name, '#define get malloc', *whole, '-lstdc++', '-lm')
        assert program, name
        check(program, name)
        subprocess.run(['strip', program], check=True)
        check(program, name)


def hazard_14_an_allocator_in_another_name():
    """As Rust's tikv-jemallocator: nothing is exported, malloc is the C library's."""
    program = build('private', ARENA.replace(' *get(', ' *__attribute__((noinline)) _rjem_malloc(') + '\n#define get _rjem_malloc')
    done, lines, dumps = prof_run(['--exact', program])
    assert done.returncode == 3, done
    assert [line for line in lines if 'private brings jemalloc along' in line], lines
    assert 'from jemalloc' in comments(dumps['heap'])[0]


def hazard_14_only_the_numbers_tell():
    program = build('arena', ARENA)
    done = run([program], heap_rate=1)
    said, = comments(done.files('heap')[-1])
    assert "that malloc didn't hand out" in said and int(said.split('at least ')[1].split()[0]) >= 195, said
    # and nothing is said of a program whose memory is malloc's
    ordinary = build('ordinary', '#define get malloc')
    for settings in {'heap_rate': 1}, {}:
        done = run([ordinary], **settings)
        assert comments(done.files('heap')[-1]) == []
    done, lines, dumps = prof_run([ordinary])
    assert comments(dumps['heap']) == [] and not [line for line in lines if 'brings' in line], lines


def language(name, command, words):
    expected = plain(command)
    assert expected.returncode == 0 and 'through 200' in expected.stdout, expected
    done, lines, dumps = prof_run(['--exact', *command])
    assert (done.returncode, done.stdout) == (0, expected.stdout), done
    assert [line for line in lines if f'{name} brings {words} along' in line], lines
    if 'heap' in dumps:
        said, = comments(dumps['heap'])
        assert words in said and 'at least' in said, said


def hazard_14_heaps_of_languages():
    if shutil.which('javac'):
        with open(folder.name + '/Large.java', 'w') as file:
            file.write(JAVA)
        subprocess.run(['javac', '-d', folder.name, folder.name + '/Large.java'], check=True)
        language('java', ['java', '-XX:-UsePerfData', '-cp', folder.name, 'Large'], "Java's heap")
    else:
        missing('no javac')
    if shutil.which('go'):
        with open(folder.name + '/large.go', 'w') as file:
            file.write(GO)
        done = plain(['env', 'GOCACHE=' + folder.name + '/cache', 'GOFLAGS=-mod=mod', 'go', 'build',
                      '-o', folder.name + '/large', folder.name + '/large.go'])
        assert done.returncode == 0, done.stderr
        language('large', [folder.name + '/large'], "Go's heap")
    else:
        missing('no go')


def hazard_14_python_beside_malloc():
    python = '/usr/bin/python3'
    if not os.path.exists(python):
        return missing('no python3 of the system')
    for setting in 'pymalloc', 'malloc':
        done, lines, dumps = prof_run([python, '-c', PYTHON], PYTHONMALLOC=setting)
        assert (done.returncode, done.stdout) == (0, 'through 200\n'), done
        said = [line for line in lines if "python3 brings Python's heap (PYTHONMALLOC=malloc" in line]
        inside = comments(dumps['heap'])
        if setting == 'malloc':
            assert not said and not inside, (lines, inside)
        else:
            assert said and "Python's heap" in inside[0], (lines, inside)
            # 55 MiB of strings; the list itself, 6 MiB, is malloc's
            assert int(inside[0].split('at least ')[1].split()[0]) >= 30, inside


def hazard_14_partition_alloc():
    chromium = shutil.which('chromedriver')
    if not chromium:
        return missing('no chromedriver')
    expected = plain([chromium, '--version'])
    done, lines, dumps = prof_run(['--exact', chromium, '--version'])
    assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout), done
    assert [line for line in lines if 'chromedriver brings PartitionAlloc along' in line], lines


def hazard_41_musl():
    if not shutil.which('musl-gcc'):
        return missing('no musl-gcc')
    program = build('of_musl', '#define get malloc', compiler='musl-gcc')
    assert program and plain([program]).returncode == 3
    done, lines, dumps = prof_run([program])
    assert done.returncode == 126 and len(done.stderr.splitlines()) == 1, done
    assert 'made for musl' in done.stderr and not dumps
    # started by a program that is profiled
    for shell in 'dash', 'bash':
        done = run([shell, '-c', f'{program}; echo $?; env {program}'], heap_rate=1)
        assert (done.status, done.out, done.err) == (3, 'through\n3\nthrough\n', ''), (shell, done.status, done.out, done.err)


def hazard_43_sanitizers_under_prof_run():
    for compiler in 'gcc', 'clang':
        program = build('asan', '#define get malloc', '-fsanitize=address', compiler=compiler)
        if not program:
            missing(f'no AddressSanitizer of {compiler}')
            continue
        more = {'ASAN_OPTIONS': 'detect_leaks=0'}
        for command in [program], ['sh', '-c', program + '; exit $?']:
            done, lines, dumps = prof_run(command, **more)
            assert (done.returncode, done.stdout) == (3, 'through\n'), done
            said = [line for line in lines if 'sanitizer' in line]
            assert said == ["libprof: __asan_init: the program has a sanitizer's allocator: "
                            'no heap profile'], lines
            assert pprof.Profile(dumps['cpu']).total('samples') > 5


def hazard_checking_malloc():
    """glibc's malloc that checks (mallopt(3), MALLOC_CHECK_), before libprof.so and behind it:
    it finds what it finds without."""
    program = build('overflow', '', '-w', '-O0', text=OVERFLOW)
    debug = 'libc_malloc_debug.so.0'
    tunables = {'GLIBC_TUNABLES': 'glibc.malloc.check=3'}
    alone = subprocess.run([program], capture_output=True, text=True,
                           env={**os.environ, **tunables, 'LD_PRELOAD': debug})
    if alone.returncode == 0:
        missing('the C library has no ' + debug)
        return
    for preload in f'{debug}:{LIBPROF}', f'{LIBPROF}:{debug}':
        for settings in {}, {'heap_rate': 1}:
            done = run([program], preload=preload, env_extra=tunables, **settings)
            assert (done.status, done.out, done.err) == (
                alone.returncode, alone.stdout, alone.stderr), (preload, done)


def hazard_43_thread_sanitizer():
    """Its shared runtime can't come behind libprof.so: refused. The static one can."""
    program = build('tsan', '#define get malloc', '-fsanitize=thread')
    if program:
        done, lines, dumps = prof_run([program])
        assert done.returncode == 126 and 'libtsan.so' in done.stderr, done
        assert len(done.stderr.splitlines()) == 1, done
    else:
        missing('no libtsan')
    program = build('static_tsan', '#define get malloc', '-fsanitize=thread', '-static-libtsan')
    if program:
        done, lines, dumps = prof_run([program])
        assert (done.returncode, done.stdout) == (3, 'through\n'), done
        assert pprof.Profile(dumps['cpu']).total('samples') > 5


assert os.path.exists(LIBPROF)
tests(*(f for name, f in sorted(globals().items()) if name.startswith('hazard_')))
