"""The instructions that a patched entry displaces: against objdump's reading of whole libraries."""
import bisect
import glob
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
from run import LONG, skip, target, tests  # noqa: E402

LIBRARIES = ['libc.so.6', 'libstdc++.so.6', 'libcrypto.so.3', 'libjemalloc.so.2', 'libz.so.1']


def output(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=True, **more).stdout


def functions(path):
    """(address, size) of the functions of .dynsym, and the file offset of an address."""
    loads = [[int(x, 16) for x in re.findall(r'0x[0-9a-f]+', line)] for line in
             output('readelf', '-lW', path).splitlines() if line.strip().startswith('LOAD')]
    found = {}
    for line in output('readelf', '--dyn-syms', '-W', path).splitlines():
        row = re.match(r' *\d+: ([0-9a-f]+) +(\d+) FUNC .* \d+ \S+$', line)
        if row and int(row[2]) > 5:
            address = int(row[1], 16)
            offset = next((l[0] + address - l[1] for l in loads if l[1] <= address < l[1] + l[3]), None)
            if offset is not None:
                found[address] = (offset, int(row[2]))
    return found


def instructions(path):
    """Address -> text, for everything that objdump reads."""
    rows = re.findall(r'^ +([0-9a-f]+):\t(.*)$', output('objdump', '-d', '--no-show-raw-insn', path), re.M)
    return {int(address, 16): text for address, text in rows}


SLOT = 64  # bytes that decode_all gives each function, from BELOW the file's beginning
BELOW = 1 << 20


def meaning(text, shift):
    """An instruction without where it lies: its mnemonic and operands, what it refers to less shift."""
    text = re.sub(r'\s+', ' ', text.split('<')[0].strip())
    referred = re.search(r'# (?:0x)?([0-9a-f]+)$', text) or re.match(r'j\w+ (?:0x)?([0-9a-f]+)$', text)
    name = re.sub(r' *#.*|(?<=^j)(\w+) [0-9a-fx]+$', r'\1', re.sub(r'-?0x[0-9a-f]+\(%rip\)', '(%rip)', text))
    return name, (int(referred[1], 16) - shift) % 2**64 if referred else None


def moved_instructions(slots):
    """For each slot, the meanings of the instructions in it, targets as offsets in the file."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b''.join(code.ljust(SLOT, b'\xcc') for code in slots))
        file.flush()
        rows = output('objdump', '-D', '-b', 'binary', '-m', 'i386:x86-64', '--no-show-raw-insn',
                      f'--adjust-vma={2**64 - BELOW:#x}', file.name)
    found = [[] for _ in slots]
    for address, text in re.findall(r'^ *([0-9a-f]+):\t(.*)$', rows, re.M):
        at = (int(address, 16) + BELOW) % 2**64
        if at % SLOT < len(slots[at // SLOT]):
            found[at // SLOT].append(meaning(text, 0))
    return found


def what_is_moved_does_the_same():
    tried = moved = jumps = 0
    for library in LIBRARIES:
        paths = glob.glob(f'/lib/x86_64-linux-gnu/{library}')
        if not paths:
            continue
        found, known = functions(paths[0]), instructions(paths[0])
        order = sorted(known)
        chosen = sorted(found)
        if not LONG and len(chosen) > 1500:
            chosen = sorted(random.Random(1).sample(chosen, 1500))
        text = ''.join(f'{a:x} {found[a][0]:x} {found[a][1]:x}\n' for a in chosen)
        lines = [line.split(' ') for line in output(target('decode_all'), paths[0], input=text).splitlines()]
        assert [int(line[0], 16) for line in lines] == chosen
        slots = moved_instructions([bytes.fromhex(line[3]) for line in lines])
        for (_, taken, into, _), address, slot in zip(lines, chosen, slots):
            taken = int(taken)
            tried += 1
            if not taken or address not in known:
                continue
            moved += 1
            end, shift = address + taken, address - found[address][0]
            first, past = bisect.bisect_left(order, address), bisect.bisect_left(order, end)
            assert order[past:past + 1] == [end] or end >= address + found[address][1], (library, hex(address))
            assert slot == [meaning(known[at], shift) for at in order[first:past]], (library, hex(address), slot)
            # no jump that objdump sees leads into the displaced bytes, unless it is told
            inside = set(order[first + 1:past])
            for place in order[first:bisect.bisect_left(order, address + found[address][1])]:
                to = re.match(r'(?:j\w+|loop\w*|call) +([0-9a-f]+)\b', known[place])
                if to and int(to[1], 16) in inside:
                    jumps += 1
                    assert into == '1', (library, hex(place), known[place])
    print(f'{tried} functions, {moved} can be moved; {jumps} jumps into displaced bytes, all seen')
    assert moved > 0.8 * tried > 1000, (moved, tried)


if os.uname().machine != 'x86_64':
    skip('functions are patched on x86-64 only')
tests(what_is_moved_does_the_same)
