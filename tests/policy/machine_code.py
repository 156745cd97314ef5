"""A shared object's machine code as a graph of calls, from objdump."""
import re
import subprocess

FUNCTION = re.compile(r'^([0-9a-f]+) <([^>]+)>:$')
TARGET = re.compile(r'\b(?:call|jmp|j[a-z]+|lea)\b.*?([0-9a-f]+) <([^>+@]+)(@[^>+]*)?(?:\+0x([0-9a-f]+))?>$')
SLOT = re.compile(r'# [0-9a-f]+ <([^>+@]+)@[A-Z]')
PUSH = re.compile(r'\bpush\b')
TAKE = re.compile(r'\b(sub|add)\s+\$0x([0-9a-f]+),%rsp')
VARIABLES = {'__environ', 'environ', 'program_invocation_name'}


class Function:
    def __init__(self, name):
        self.name = name
        self.calls, self.external, self.frame = set(), set(), 8  # the return address
        self.tables = set()  # variables that are read: a table of pointers may be among them


def taken(line):
    """Bytes of stack that an instruction takes. 128 is one byte shorter as what is added or
    taken with a minus (-O3, -Os)."""
    match = TAKE.search(line)
    number = int(match[2], 16) if match else 0
    number -= (number >> 63) << 64
    return max(0, number if match and match[1] == 'sub' else -number)


def functions(path):
    """-> {address: Function}; static functions share names. An address that is taken
    counts as a call: it may be one."""
    found, current = {}, None
    text = subprocess.run(['objdump', '-d', '--no-show-raw-insn', path], capture_output=True,
                          text=True, check=True).stdout
    for line in text.splitlines():
        match = FUNCTION.match(line)
        if match:
            current = found.setdefault(int(match[1], 16), Function(match[2]))
            continue
        if current is None:
            continue
        if PUSH.search(line):
            current.frame += 8
        current.frame += taken(line)
        match = TARGET.search(line)
        if match and match[3]:
            current.external.add(match[2])
        elif match:
            current.calls.add(int(match[1], 16) - int(match[4] or '0', 16))
        # -fno-plt: call *GOT(%rip)  # address <name@VERSION>, or the address loaded from there
        match = SLOT.search(line)
        if match and match[1] not in VARIABLES:
            current.external.add(match[1])
        current.tables.update(re.findall(r'# [0-9a-f]+ <(\w+)(?:\+0x[0-9a-f]+)?>$', line))
        if '<real+' in line or '<real>' in line:  # one of the functions behind the hooks
            current.external.add('real')
    return found


def follow_table(graph, path, table):
    """Whoever mentions the table of pointers calls each function that it holds. A shared
    object's pointers are relocations: the functions' addresses are their addends."""
    symbols = subprocess.run(['nm', '-S', path], capture_output=True, text=True, check=True).stdout
    found = [line.split() for line in symbols.splitlines() if line.endswith(f' {table}')]
    assert len(found) == 1, f'{len(found)} tables are called {table}'
    begin, size = int(found[0][0], 16), int(found[0][1], 16)
    relocations = subprocess.run(['readelf', '-rW', path], capture_output=True, text=True,
                                 check=True).stdout
    functions_of = {int(addend, 16) for offset, addend in
                    re.findall(r'^([0-9a-f]+) +[0-9a-f]+ R_\w+_RELATIVE +([0-9a-f]+)$', relocations, re.M)
                    if begin <= int(offset, 16) < begin + size}
    assert len(functions_of) == size // 8, f'{table} holds {len(functions_of)} of {size // 8} functions'
    assert functions_of <= graph.keys(), f'{table} leads to what is no function'
    users = [function for function in graph.values() if table in function.tables]
    assert users, f'nobody uses {table}'
    for user in users:
        user.calls |= functions_of


def named(graph, name):
    """The address of the only function of that name."""
    found = [address for address, function in graph.items() if function.name == name]
    assert len(found) == 1, f'{len(found)} functions are called {name}'
    return found[0]


def reach(graph, root, stop=()):
    """Everything that runs when the root does -> {address: names that lead there}.
    stop: names of functions that aren't called, whatever the graph says."""
    paths = {root: (graph[root].name,)}
    todo = [root]
    while todo:
        caller = todo.pop()
        for callee in graph[caller].calls:
            if callee in graph and callee not in paths and graph[callee].name not in stop:
                paths[callee] = paths[caller] + (graph[callee].name,)
                todo.append(callee)
    return paths


def stack(graph, address, stop=(), path=()):
    """Most bytes of stack below a call of it, without recursion -> (bytes, names)."""
    if address in path:
        return 0, ()
    deepest = (0, ())
    for callee in graph[address].calls:
        if callee in graph and callee != address and graph[callee].name not in stop:
            deepest = max(deepest, stack(graph, callee, stop, path + (address,)))
    return graph[address].frame + deepest[0], (graph[address].name,) + deepest[1]
