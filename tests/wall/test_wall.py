"""prof wall: every second of every thread, by state, call and stack, without stopping any."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
import pprof  # noqa: E402
from run import LIBPROF, PROF, skip, target, tests  # noqa: E402

FOLDER = tempfile.TemporaryDirectory()
# of the thread of that name: state, call, file; and a function on the stack
EXPECTED = {
    'sleep': ('sleep', 'nanosleep', None, 'sleeps'),
    'pipe': ('io', 'read', 'pipe', 'reads_a_pipe'),
    'socket': ('io', 'recv', 'socket', 'reads_a_socket'),
    'futex': ('futex', 'futex', None, 'waits_for_a_condition'),
    'lock': ('lock', 'futex', None, 'waits_for_a_lock'),
    'poll': ('poll', 'poll', None, 'polls'),
    'flock': ('lock', 'flock', 'regular', 'waits_for_a_file_lock'),
    'signal': ('signal', 'sigwait', None, 'waits_for_a_signal'),
    'child': ('child', 'wait', None, 'main'),
}


class Program:
    def __init__(self, *command, **more):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)
        self.pid = self.process.pid

    def __enter__(self):
        assert self.process.stdout.readline() == 'ready\n'
        return self

    def __exit__(self, *_):
        for child in subprocess.run(['pgrep', '-P', str(self.pid)], capture_output=True,
                                    text=True).stdout.split():
            os.kill(int(child), signal.SIGKILL)
        self.process.kill()
        self.process.wait()


def wall(pid, seconds, *options, **more):
    out = os.path.join(FOLDER.name, 'wall.pb.gz')
    done = subprocess.run([PROF, 'wall', '--seconds', str(seconds), '-o', out, *options, str(pid)],
                          capture_output=True, text=True, timeout=60, **more)
    assert done.returncode == 0, done.stderr
    return pprof.Profile(out), done.stderr


def by_label(profile, key, thread=None):
    """Seconds by a label's value."""
    sums = {}
    for sample in profile.samples:
        if thread is None or sample.labels.get('thread') == thread:
            value = sample.labels.get(key)
            sums[value] = sums.get(value, 0) + sample.values[1] / 1e9
    return sums


def interrupts(pid):
    """Voluntary and other context switches of each thread."""
    counts = {}
    for tid in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{tid}/status') as file:
            text = file.read()
        counts[re.search(r'Name:\t(.*)', text)[1]] = int(re.search(r'\nvoluntary_ctxt_switches:\t(\d+)', text)[1])
    return counts


def known_answers():
    with Program(target('wall_states')) as program:
        time.sleep(0.3)  # until the main thread waits, too
        before = interrupts(program.pid)
        profile, said = wall(program.pid, 2)
        after = interrupts(program.pid)
        # a thread that sleeps for good was not woken
        for name in ('pipe', 'socket', 'futex', 'lock', 'flock', 'signal', 'child'):
            assert before[name] == after[name], (name, before[name], after[name])
    length = profile.duration / 1e9
    assert 2 <= length < 2.5, length
    for thread, (state, call, file, function) in EXPECTED.items():
        total = sum(by_label(profile, 'state', thread).values())
        assert abs(total - length) < 0.02 * length, (thread, total, length)
        rows = [s for s in profile.samples if s.labels.get('thread') == thread
                and (s.labels.get('state'), s.labels.get('call'), s.labels.get('file')) == (state, call, file)]
        there = sum(s.values[1] for s in rows) / 1e9
        # on a busy machine one that wakes up waits for a processor
        states = by_label(profile, 'state', thread)
        assert there + states.get('runnable', 0) > 0.95 * length, (thread, there, states)
        assert there > 0.5 * length, (thread, there, states)
        assert all(function in profile.functions(s) for s in rows), (thread, [profile.functions(s) for s in rows])
    running = by_label(profile, 'state', 'running')
    assert running['running'] + running.get('runnable', 0) > 0.97 * length, running
    both = by_label(profile, 'state', 'both')
    assert abs(sum(both.values()) - length) < 0.02 * length, both
    states = by_label(profile, 'state')
    assert states.get('unexplained', 0) < 0.03 * sum(states.values()), states
    assert re.search(r'11 threads, 2[0-9.]+ s = .* s running \+ .* s waiting for a processor \+ ', said), said


def sums_are_the_kernels():
    """Running and runnable time against /proc's own sums, read around the window."""
    def sums(pid):
        total = [0, 0]
        for tid in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{tid}/schedstat') as file:
                ran, queued, _ = map(int, file.read().split())
            total[0] += ran
            total[1] += queued
        return total
    with Program(target('wall_states')) as program:
        before, begin = sums(program.pid), time.monotonic()
        profile, _ = wall(program.pid, 3, '--no-symbols')
        after, end = sums(program.pid), time.monotonic()
    states = by_label(profile, 'state')
    # the window is a part of what lies between the two readings
    part = profile.duration / 1e9 / (end - begin)
    ran, queued = ((b - a) / 1e9 * part for a, b in zip(before, after))
    assert abs(states['running'] - ran) < 0.05 * ran + 0.1, (states, ran)
    assert abs(states['runnable'] - queued) < 0.15 * queued + 0.15, (states, queued)


def a_collector_knows_the_running_stacks():
    folder = FOLDER.name
    server = subprocess.Popen([PROF, 'serve', '--socket', folder + '/socket', '--http', '127.0.0.1:0',
                               '--dir', folder + '/out'], stderr=subprocess.PIPE, text=True)
    try:
        address = None
        while not address:
            address = re.search(r'serving http://([0-9.:]+)/', server.stderr.readline())
        env = {**os.environ, 'LD_PRELOAD': LIBPROF, 'LIBPROF_SOCKET': folder + '/socket'}
        with Program(target('wall_states'), env=env) as program:
            url = f'http://{address[1]}/p/{program.pid}/debug/pprof/wall?seconds=2'
            with urllib.request.urlopen(url, timeout=60) as answer:
                assert 'wall' in answer.headers['Content-Disposition'], answer.headers
                with open(folder + '/served.pb.gz', 'wb') as out:
                    out.write(answer.read())
            profile = pprof.Profile(folder + '/served.pb.gz')
        rows = [s for s in profile.samples if s.labels.get('thread') == 'running'
                and s.labels['state'] == 'running']
        spun = sum(s.values[1] for s in rows if 'spins' in profile.functions(s)) / 1e9
        ran = sum(s.values[1] for s in rows) / 1e9
        assert spun > 0.95 * ran > 0.5, (spun, ran)
        assert not any('[running]' in profile.functions(s) for s in rows), rows
    finally:
        server.kill()
        server.wait()


def refusals():
    done = subprocess.run([PROF, 'wall', '--seconds', '1', '999999'], capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr == 'prof: 999999: no such process\n', done.stderr
    done = subprocess.run([PROF, 'wall', 'x'], capture_output=True, text=True)
    assert done.returncode == 2 and 'give one process number' in done.stderr, done.stderr
    if os.getuid() == 0:
        with Program(target('wall_states')) as program:
            done = subprocess.run(['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', PROF,
                                   'wall', '--seconds', '1', str(program.pid)],
                                  capture_output=True, text=True)
            assert done.returncode == 1 and 'rights of a debugger' in done.stderr, done.stderr


if not os.path.exists('/proc/self/schedstat'):
    skip('this kernel has no /proc/PID/schedstat')
tests(known_answers, sums_are_the_kernels, a_collector_knows_the_running_stacks, refusals)
