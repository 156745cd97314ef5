"""A shared object's machine code as a graph of calls, from objdump."""
import re
import subprocess

FUNCTION = re.compile(r'^([0-9a-f]+) <([^>]+)>:$')
CALL = re.compile(r'\b(?:call|jmp|j[a-z]+|lea)\b.*?([0-9a-f]+) <([^>+@]+)(@[^>+]*)?(?:\+0x[0-9a-f]+)?>$')
PUSH = re.compile(r'\bpush\b')
SUB = re.compile(r'\bsub\s+\$0x([0-9a-f]+),%rsp')


class Function:
    def __init__(self):
        self.calls, self.external, self.frame = set(), set(), 8  # the return address


def functions(path):
    """-> {name: Function}. An address that is taken counts as a call: it may be one."""
    found, current = {}, None
    text = subprocess.run(['objdump', '-d', '--no-show-raw-insn', path], capture_output=True,
                          text=True, check=True).stdout
    for line in text.splitlines():
        match = FUNCTION.match(line)
        if match:
            # parts that the compiler split off belong to their function
            name = re.sub(r'\.(cold|part|constprop|isra)(\.\d+)*', '', match[2])
            current = found.setdefault(name, Function())
            continue
        if current is None:
            continue
        if PUSH.search(line):
            current.frame += 8
        match = SUB.search(line)
        if match:
            current.frame += int(match[1], 16)
        match = CALL.search(line)
        if match:
            name = re.sub(r'\.(cold|part|constprop|isra)(\.\d+)*', '', match[2])
            if match[3]:
                current.external.add(name)
            else:
                current.calls.add(name)
        # -fno-plt: call *GOT(%rip)  # address <name@VERSION>, or the address loaded from there
        match = re.search(r'# [0-9a-f]+ <([^>+@]+)@[A-Z]', line)
        if match and match[1] not in ('__environ', 'environ', 'program_invocation_name'):
            current.external.add(match[1])
        if '<real+' in line or '<real>' in line:  # one of the functions behind the hooks
            current.external.add('real')
    return found


def reach(graph, roots, stop=()):
    """Everything that runs when the roots do -> {name: path that leads there}."""
    paths = {root: (root,) for root in roots}
    todo = list(roots)
    while todo:
        name = todo.pop()
        for callee in graph[name].calls:
            if callee in graph and callee not in paths and callee not in stop:
                paths[callee] = paths[name] + (callee,)
                todo.append(callee)
    return paths


def stack(graph, name, stop=(), path=()):
    """Most bytes of stack below a call of it, without recursion -> (bytes, path)."""
    if name in path:
        return 0, ()
    deepest = (0, ())
    for callee in graph[name].calls:
        if callee in graph and callee not in stop:
            below = stack(graph, callee, stop, path + (name,))
            deepest = max(deepest, below)
    return graph[name].frame + deepest[0], (name,) + deepest[1]
