#!/usr/bin/env python3
"""What libprof.so may be made of: names it exports, libraries and versions it needs,
its thread-local storage, and what code that may interrupt anything can reach."""
import os
import re
import subprocess
import sys

sys.path[:0] = [os.path.dirname(os.path.abspath(__file__)),
                os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib')]
import machine_code  # noqa: E402
from run import LIBPROF, tests  # noqa: E402

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../preload')
X86 = os.uname().machine == 'x86_64'

# The oldest C library it loads with when it was built on Debian 12: dlsym, dlopen and
# pthread_testcancel moved into libc.so.6 in 2.34, and got new versions there. A build on an
# older distribution asks for less. Weak symbols don't count: there is a way without.
OLDEST_GLIBC = (2, 17)
TLS_MOST = 256  # bytes; the loader keeps 1664 for all libraries that come late

# libc's functions that handlers and the bare thread may reach: no lock, no allocation,
# no thread-local storage, no errno that isn't put back.
STATELESS = {'memcpy', 'memmove', 'memset', 'memcmp', 'bcmp', 'memchr', 'strlen', 'strnlen', 'strchr',
             'strrchr', 'strcmp', 'strncmp', 'strcspn', 'strspn'}
HANDLER_MAY = STATELESS | {
    '__errno_location',   # to save it and put it back
    '__sigaction',        # signal-safety(7)
    'sigfillset',         # signal-safety(7)
    'clock_gettime',      # signal-safety(7)
    '_dl_find_object',    # documented as async-signal-safe (glibc manual, Dynamic Linker Introspection)
    'getauxval',          # reads an array that was filled before main
    '__libc_stack_end',   # a variable
    '__stack_chk_fail', '__assert_fail',  # the end anyway
}
# No thread pointer of libc's: not even errno.
BARE_MAY = STATELESS | {'__stack_chk_fail', '__assert_fail'}
# Calls that the graph has and a run hasn't, with the reason.
NEVER = {
    'profiler_start': 'it installs the handlers: where they run it has run',
    'libunwind_walk': 'LIBPROF_UNWINDER=libunwind, said not to be safe (unwind/README.md)',
    'libunwind_load': 'from profiler_start only',
    'zcalloc': 'deflate has an allocator of ours', 'zcfree': 'deflate has an allocator of ours',
}


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def exported_names():
    """Exactly what runtime/interposed.h lists."""
    with open(os.path.join(SOURCE, 'runtime/interposed.h')) as file:
        text = file.read()
    only_real = re.search(r'#define REAL_ONLY\(X\).*?\n\n', text, re.S)[0]
    text = re.sub(r'/\*.*?\*/', '', text.replace(only_real, ''), flags=re.S)
    wanted = set(re.findall(r'\bX\(\s*[^(),]*?,\s*(\w+)\s*,', text))
    found = {line.split()[-1].split('@')[0]
             for line in output('nm', '-D', '--defined-only', LIBPROF).splitlines()}
    versions = {name for name in found if name.startswith('GLIBC_')}
    assert len(wanted) > 80, f'the table is read wrongly: {sorted(wanted)}'
    assert versions <= {'GLIBC_2.3.2', 'GLIBC_2.3.3', 'GLIBC_2.15', 'GLIBC_2.17',
                        'GLIBC_2.34'}, versions
    assert found - versions == wanted, (
        f'exported but not listed: {sorted(found - versions - wanted)}; '
        f'listed but not exported: {sorted(wanted - found)}')


def needed_libraries():
    needed = re.findall(r'\(NEEDED\).*\[(.*)\]', output('readelf', '-dW', LIBPROF))
    assert set(needed) <= {'libc.so.6', 'ld-linux-x86-64.so.2', 'ld-linux-aarch64.so.1'}, needed
    flags = output('readelf', '-dW', LIBPROF)
    assert 'NODELETE' in flags and 'NOW' in flags, flags
    assert not re.search(r'\((TEXTREL|RPATH|RUNPATH)\)', flags)


def glibc_version():
    """Weak references count as well: the loader wants their version all the same."""
    needed = re.findall(r'Name: GLIBC_(\S+)', output('readelf', '-VW', LIBPROF).split('needs section')[-1])
    assert 'PRIVATE' not in needed
    newest = max(tuple(map(int, version.split('.'))) for version in needed)
    print('newest:', newest)
    assert newest <= OLDEST_GLIBC, newest


def thread_local_storage():
    relocations = set(re.findall(r'\bR_\w+', output('readelf', '-rW', LIBPROF)))
    dynamic = [r for r in relocations if re.search('DTPMOD|DTPOFF|DTPREL|TLSDESC', r)]
    assert not dynamic, dynamic
    size = [int(line.split()[5], 16)
            for line in output('readelf', '-lW', LIBPROF).splitlines() if line.strip().startswith('TLS')]
    print(f'thread-local storage: {size} bytes')
    assert len(size) == 1 and size[0] <= TLS_MOST, size


GRAPH = machine_code.functions(LIBPROF) if X86 else {}
if X86:  # how the gate reaches the profiler (sample/core/gate.h)
    machine_code.follow_table(GRAPH, LIBPROF, 'gate_slow')


def handlers():
    """What the signal's handler hands on to; with -Db_lto they are part of it."""
    parts = [name for name in ('cpu_sample', 'ask_answer')
             if any(function.name == name for function in GRAPH.values())]
    return parts or ['handle']


def only(root, allowed):
    for name in 'profiler_start', 'libunwind_walk':  # else NEVER stops nothing
        machine_code.named(GRAPH, name)
    paths = machine_code.reach(GRAPH, machine_code.named(GRAPH, root), NEVER)
    assert len(paths) > 30, f'{root} reaches {len(paths)} functions: the graph is read wrongly'
    bad = [f'{external} by {" > ".join(path)}' for address, path in paths.items()
           for external in GRAPH[address].external - allowed]
    assert not bad, '\n'.join(sorted(bad))


def reachable_from_handlers():
    if X86:
        for root in {'handle', *handlers()}:
            only(root, HANDLER_MAY)


def reachable_from_bare_thread():
    if X86:
        with open(os.path.join(SOURCE, 'dump/dump.c')) as file:
            roots = set(re.findall(r'bare_start\(&\w+, (\w+)', file.read()))
        assert roots, 'bare threads are started in another way now'
        for root in roots:
            only(root, BARE_MAY)


def stack_in_handlers():
    """The deepest path, as if every step took the longest way (hazard 9)."""
    if not X86:
        return
    with open(os.path.join(SOURCE, 'sample/core/own_signal.c')) as file:
        room = int(re.search(r'STACK_ROOM \(\(uintptr_t\)(\d+)\)', file.read())[1])
    for root in handlers():
        size, path = machine_code.stack(GRAPH, machine_code.named(GRAPH, root), NEVER)
        print(f'{root}: {size} bytes, {" > ".join(path)}')
        assert size <= room, f'{root} may take {size} bytes, STACK_ROOM is {room}: {" > ".join(path)}'


def pages_written_at_start():
    """A fault each in every process: two of relocations, and one of variables (kit/sections.h).
    clang makes tables of pointers from switches: three."""
    pages = 3 if 'clang' in output('readelf', '-p', '.comment', LIBPROF) else 2
    rows = [line.split() for line in output('readelf', '-lW', LIBPROF).splitlines()]
    relro = next(row for row in rows if row and row[0] == 'GNU_RELRO')
    begin, size = int(relro[2], 16), int(relro[5], 16)
    assert (begin + size - 1) // 4096 - begin // 4096 < pages, f'relocations dirty more than {pages} pages'
    # .data's, which begins there with two pages that nobody touches (wire/attach_order.h)
    page = (begin + size) // 4096 + 2
    config = next(int(line.split()[0], 16) for line in output('nm', LIBPROF).splitlines()
                  if line.endswith(' config'))
    most = 4096 - 252 - 100  # up to config.dir, and a path of some length
    assert config // 4096 == page and config % 4096 <= most, f'config lies at {config - page * 4096}'


def executable_stack():
    line = [line for line in output('readelf', '-lW', LIBPROF).splitlines() if 'GNU_STACK' in line][0]
    assert 'RWE' not in line, line


tests(exported_names, needed_libraries, glibc_version, thread_local_storage,
      reachable_from_handlers, reachable_from_bare_thread, stack_in_handlers, pages_written_at_start,
      executable_stack)
