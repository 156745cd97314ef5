"""Threads whose stacks are known: each says its own, by traceback, before it stays there."""
import json
import sys
import threading
import time
import traceback

said = []


def stay(event):
    """The caller's frames, as they are while it waits in here."""
    frames = traceback.extract_stack(sys._getframe())
    said.append((threading.current_thread().name, [(f.name, f.lineno) for f in frames][::-1]))
    event.wait()


class Tree:
    def __init__(self, depth):
        self.depth = depth

    def walk(self, event, n=0):
        if n < self.depth:
            return self.walk(event, n + 1)
        stay(event)


def generator(event):
    yield 1
    stay(event)
    yield 2


def through_c(event):
    """From Python into C and back: sorted calls the key."""
    sorted([2, 1], key=lambda _: stay(event))


def while_handling(event):
    try:
        raise ValueError
    except ValueError:
        stay(event)


def step(n):
    total = 0
    for k in range(n):
        total += k * k
    return total


def burn():
    while True:
        step(2000)


CASES = {
    'recursion': lambda e: Tree(30).walk(e),
    'generator': lambda e: [*generator(e)],
    'through_c': through_c,
    'while_handling': while_handling,
    'comprehension': lambda e: [stay(e) for _ in range(1)],
}
event = threading.Event()
for name, case in CASES.items():
    threading.Thread(target=case, args=(event,), name=name, daemon=True).start()
while len(said) < len(CASES):
    time.sleep(0.01)
if 'burn' in sys.argv:
    threading.Thread(target=burn, name='burn', daemon=True).start()
print(json.dumps(said), flush=True)
event.wait()
