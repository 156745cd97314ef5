"""Hooks that are called before the loader has relocated libprof.so: by IFUNC resolvers of
libraries that come before it (GNU_IFUNC; such a library works with the C library alone)."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
from run import plain, run, tests  # noqa: E402

FOLDER = tempfile.TemporaryDirectory()

LIBRARY = r'''
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static int slow(void) { return 1; }
static int quick(void) { return 2; }
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *resolve(void)
{
    int good = 0;
    %s
    return good ? (void *)quick : (void *)slow;
}
int choose(void) __attribute__((ifunc("resolve")));
'''
PROGRAM = r'''
#include <stdio.h>
#include <stdlib.h>
int choose(void);
int main(void) { free(malloc(100)); printf("%d\n", choose()); return 0; }
'''
WAYS = {
    'malloc': 'char *p = malloc(64); if (p) memset(p, 1, 64); good = p != NULL; free(p);',
    'calloc': 'char *p = calloc(8, 8); good = p && p[63] == 0; free(p);',
    'realloc': 'char *p = realloc(malloc(8), 800); if (p) p[799] = 1; good = p != NULL; free(p);',
    'memalign': 'void *p = NULL; good = posix_memalign(&p, 16, 64) == 0; free(p);',
    'read': 'char b[64]; int fd = open("/proc/self/stat", O_RDONLY); good = read(fd, b, 64) > 0; close(fd);',
    'failed read': 'char b[1]; good = read(-1, b, 1) == -1;',
    'write': 'good = write(2, "", 0) == 0;',
    'mutex': 'good = pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0;',
    'syscall': 'good = syscall(SYS_getpid) > 0;',
    'failed syscall': 'good = syscall(SYS_close, -1) == -1;',
}


def build(way, *options):
    name = os.path.join(FOLDER.name, 'early-' + way.replace(' ', '-') + ''.join(options))
    with open(name + '.c', 'w') as file:
        file.write(LIBRARY % WAYS[way])
    with open(FOLDER.name + '/main.c', 'w') as file:
        file.write(PROGRAM)
    subprocess.run(['cc', '-O1', *options, '-fPIC', '-shared', '-Wl,-z,now', '-o', name + '.so', name + '.c'],
                   check=True)
    subprocess.run(['cc', '-O1', '-o', name, FOLDER.name + '/main.c', name + '.so'], check=True)
    return [name]


def resolvers_call_what_is_interposed():
    for options in (['-fno-plt'], []):
        for way in WAYS:
            command = build(way, *options)
            expected = plain(command)
            if expected.returncode:
                print(f'{way}: not even without libprof')
                continue
            for rate in ('512k', '1'):
                done = run(command, heap_rate=rate)
                assert (done.status, done.out, done.err) == (0, expected.stdout, ''), (way, options, rate, vars(done))


tests(resolvers_call_what_is_interposed)
