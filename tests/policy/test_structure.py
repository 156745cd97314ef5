#!/usr/bin/env python3
"""The shape of the code: rooms whose includes point one way, no circles by includes or
by calls, files and functions that can be read at a sitting, headers that say what their
functions promise. Arguments: the folders with the objects of preload/ and collector/.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..'))
FILE_LINES = 450
FUNCTION_LINES = 80
README_COLUMNS = 100

# Symbols by which a lower file reaches a higher one: a table of functions that the lower
# one declares and the higher one defines. Each needs a reason.
UPCALLS = {
    # The first event of a process may come before any constructor; the gate then has the
    # profiler started. A pointer that start sets would come too late.
    'gate_slow',
}

faults = []


def fault(place, what):
    faults.append(f'{place}: {what}')


def read(path):
    with open(os.path.join(ROOT, path), errors='replace') as file:
        return file.read()


def tracked():
    listed = subprocess.run(['git', '-C', ROOT, 'ls-files', 'preload', 'collector', 'tests',
                             'scripts'], capture_output=True, text=True)
    if listed.returncode == 0 and listed.stdout:
        names = listed.stdout.split('\n')
    else:
        names = [os.path.relpath(os.path.join(folder, name), ROOT)
                 for top in ('preload', 'collector', 'tests', 'scripts')
                 for folder, _, files in os.walk(os.path.join(ROOT, top)) for name in files]
    return [name for name in names if name and os.path.exists(os.path.join(ROOT, name))]


def rooms(side):
    """The rooms of preload or collector, from top to bottom, as its README's table has them."""
    found = re.findall(r'^\| `(\w+)/` \|', read(f'{side}/README.md'), re.M)
    assert len(found) > 5, (side, found)
    return found


def circles(graph):
    """The strongly connected parts of more than one node (Tarjan's algorithm)."""
    order, low, stack, held, found = {}, {}, [], set(), []

    def visit(node):
        order[node] = low[node] = len(order)
        stack.append(node)
        held.add(node)
        for other in graph.get(node, ()):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in held:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            part = []
            while not part or part[-1] != node:
                part.append(stack.pop())
                held.discard(part[-1])
            if len(part) > 1:
                found.append(sorted(part))

    sys.setrecursionlimit(10000)
    for node in list(graph):
        if node not in order:
            visit(node)
    return found


def check_includes(files):
    graph = {}
    for side in ('preload', 'collector'):
        rank = {room: place for place, room in enumerate(rooms(side))}
        for path in files:
            parts = path.split('/')
            if parts[0] != side or len(parts) < 3 or not path.endswith(('.c', '.h')):
                continue
            if parts[1] not in rank:
                fault(path, f'its folder is not in the table of {side}/README.md')
                continue
            for included in re.findall(r'^#include "([^"]+)"', read(path), re.M):
                room = included.split('/')[0]
                if room in rank and rank[room] < rank[parts[1]]:
                    fault(path, f'includes {included}, which is above it in {side}/README.md')
                target = f'{side}/{included}'
                if os.path.exists(os.path.join(ROOT, target)):
                    graph.setdefault(stem(path), set()).add(stem(target))
    for node in graph:
        graph[node].discard(node)
    for part in circles(graph):
        fault('circle by includes', ' '.join(part))
    return len(graph)


def stem(path):
    return os.path.splitext(path)[0]


def symbols(path):
    listed = subprocess.run(['nm', '--format=posix', path], capture_output=True, text=True)
    for line in listed.stdout.split('\n'):
        fields = line.split()
        if len(fields) > 1:
            yield fields[0], fields[1]


def check_calls(side, folder):
    """Which object needs a symbol of which other one: circles of objects are circles of calls."""
    defined, needed = {}, {}
    for place, _, names in os.walk(folder):
        for name in names:
            # the collector's build of preload/wire is preload's matter
            if not name.endswith('.c.o') or (side == 'collector' and '_preload_' in name):
                continue
            # pages and tables made by generators call nothing
            if 'meson-generated' in name:
                continue
            path = os.path.relpath(os.path.join(place, name), folder)
            for symbol, kind in symbols(os.path.join(place, name)):
                if kind == 'U':
                    needed.setdefault(path, set()).add(symbol)
                elif kind in 'TDBRVWi':
                    defined.setdefault(symbol, path)
    assert len(needed) > 50, (folder, len(needed))
    graph = {path: {defined[symbol] for symbol in wanted - UPCALLS
                    if defined.get(symbol, path) != path} for path, wanted in needed.items()}
    for part in circles(graph):
        fault(f'circle by calls in {side}', ' '.join(part))
    return len(graph)


def functions(text):
    """Name, first line and length of each C function. The code is formatted by clang-format:
    a function begins in column 0, its body ends with a brace there."""
    lines = text.split('\n')
    begin = None
    for at, line in enumerate(lines):
        if begin is None:
            if line.rstrip().endswith('{') and line[0] not in ' \t#}/*' and '=' not in line:
                first = at
                while first and lines[first - 1] and lines[first - 1][0] not in '#}/ *':
                    first -= 1
                name = re.search(r'(\w+)\s*\(', ' '.join(lines[first:at + 1]))
                if name:
                    begin = (name.group(1), first)
        elif line.startswith('}'):
            yield begin[0], begin[1] + 1, at - begin[1] + 1
            begin = None


def check_sizes(files):
    count = 0
    for path in files:
        if not path.endswith(('.c', '.h', '.cc', '.js', '.py', '.css')):
            continue
        text = read(path)
        lines = text.count('\n')
        if lines > FILE_LINES:
            fault(path, f'{lines} lines; {FILE_LINES} are the limit')
        if not path.endswith(('.c', '.h')):
            continue
        for name, line, length in functions(text):
            count += 1
            if length > FUNCTION_LINES:
                fault(f'{path}:{line}', f'{name} has {length} lines; {FUNCTION_LINES} are the limit')
    assert count > 2000, count
    return count


def check_contracts(files):
    """Each function that a header declares has a comment above it; one may stand above several
    that follow without an empty line."""
    count = 0
    for path in files:
        if not path.endswith('.h') or not path.startswith(('preload/', 'collector/')):
            continue
        text = read(path)
        lines = text.split('\n')
        if not re.search(r'^(/\*|//)', text, re.M):
            fault(path, 'no comment says what it is for')
        for at, line in enumerate(lines):
            if not re.match(r'[a-z_][\w \*]*[ \*]\w+\(', line):
                continue
            if line.startswith(('typedef', 'extern', 'static inline')):
                continue
            count += 1
            above = at - 1
            while above >= 0 and lines[above].strip() and not commented(lines[above]):
                above -= 1
            if (above < 0 or not lines[above].strip()) and not commented(line):
                fault(f'{path}:{at + 1}', f'no comment above: {line.strip()}')
    assert count > 300, count
    return count


def commented(line):
    return line.rstrip().endswith('*/') or line.lstrip().startswith('//')


def check_readme():
    code = False
    for at, line in enumerate(read('README.md').split('\n')):
        code ^= line.startswith('```')
        if len(line) > README_COLUMNS and not line.startswith('|') and not code:
            fault(f'README.md:{at + 1}', f'{len(line)} columns; {README_COLUMNS} are the limit')


files = tracked()
print(check_includes(files), 'files include others')
print(check_calls('preload', sys.argv[1]) + check_calls('collector', sys.argv[2]), 'objects')
print(check_sizes(files), 'functions')
print(check_contracts(files), 'declarations')
check_readme()
for row in faults:
    print(row)
print(f'{len(faults)} faults')
sys.exit(1 if faults else 0)
