"""Python's functions and lines in the stacks of prof threads and prof wall, against what the programs
say of themselves."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
from run import PROF, skip, tests  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = tempfile.TemporaryDirectory()


def interpreters():
    """One of each version that is here and known."""
    found = {}
    names = [shutil.which(f'python3.{minor}') or '' for minor in (11, 12, 13)]
    names += ['/usr/bin/python3', sys.executable]
    names += glob.glob(os.path.expanduser('~/.pyenv/versions/3.1[123].*/bin/python3.1?'))
    for name in names:
        if name and os.path.exists(name):
            version = subprocess.run([name, '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'],
                                     capture_output=True, text=True).stdout.strip()
            if version in ('3.11', '3.12', '3.13'):
                found.setdefault(version, name)
    return found


class Program:
    def __init__(self, python, *arguments):
        self.process = subprocess.Popen([python, f'{HERE}/program.py', *arguments],
                                        stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        self.said = dict(json.loads(self.process.stdout.readline()))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def stacks(text):
    """The Python frames of each thread: (function, line), innermost first."""
    found = []
    for thread in text.split('goroutine ')[1:]:
        frames = re.findall(r'^(\S.*)\(\.\.\.\)\n\t(\S+):(\d+)', thread, re.M)
        found.append([(name.split('.')[-1], int(line)) for name, file, line in frames
                      if file.endswith('.py')])
    return found


def frames_are_those_of_traceback():
    for version, python in interpreters().items():
        with Program(python) as program:
            done = subprocess.run([PROF, 'threads', '-q', str(program.process.pid)], capture_output=True,
                                  text=True, timeout=60)
            assert done.returncode == 0, done
        found = stacks(done.stdout)
        for name, frames in program.said.items():
            at = frames.index(next(f for f in frames if f[0] == 'stay'))
            # the line of stay() itself differs: it waits some lines below
            wanted = [tuple(f) for f in frames[at + 1:]]
            matching = [s for s in found if [x for x in s if x[0] != 'stay'][-len(wanted):] == wanted]
            assert matching, (version, name, wanted, found)
        print('compared with', python)
        mixed = done.stdout.split('through_c(...)')[0].rsplit('goroutine ', 1)[1]
        assert re.search(r'<lambda>\(\.\.\.\)\n.*\n(.*\n)*.*(sort|\+0x)', mixed), mixed


def running_time_has_lines():
    for version, python in interpreters().items():
        out = f'{FOLDER.name}/wall.{version}.pb.gz'
        with Program(python, 'burn') as program:
            done = subprocess.run([PROF, 'wall', '-q', '--seconds', '2', '-o', out, str(program.process.pid)],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done
        text = subprocess.run([PROF, 'top', '-q', '-lines', '-relative_percentages', '-tagfocus', 'state=running', out],
                              capture_output=True, text=True).stdout
        loop = next(n for n, line in enumerate(open(f'{HERE}/program.py'), 1) if 'total += k * k' in line)
        shares = {int(line): float(share) for share, line in
                  re.findall(r'^ *\S+ +([\d.]+)% .* step \S*program\.py:(\d+)$', text, re.M)}
        assert shares and sum(share for line, share in shares.items() if loop - 1 <= line <= loop) > 80, text


def a_version_that_is_not_known_is_left_alone():
    old = [name for name in glob.glob(os.path.expanduser('~/.pyenv/versions/3.[89].*/bin/python3')) +
           [shutil.which('python3.9') or '', shutil.which('python3.10') or ''] if name]
    if not old:
        print('not tried: there is no older Python')
        return
    process = subprocess.Popen([old[0], '-c', 'import time; print(1, flush=True); time.sleep(60)'],
                               stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    done = subprocess.run([PROF, 'threads', '-q', str(process.pid)], capture_output=True, text=True, timeout=60)
    process.kill()
    assert done.returncode == 0 and '_PyEval_EvalFrameDefault' in done.stdout, done


if not interpreters():
    skip('there is no CPython 3.11 to 3.13')
tests(frames_are_those_of_traceback, running_time_has_lines, a_version_that_is_not_known_is_left_alone)
