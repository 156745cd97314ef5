"""prof attach and prof detach: programs that run already, and what is left of it afterwards."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
import pprof  # noqa: E402
from run import LONG, PROF, target, tests  # noqa: E402
from case import (CYCLES, FOLDER, SOCKET, Collector, attach, check_permission, detach, prof,  # noqa: E402
                  slots, start, started)

def descriptors(pid):
    return sorted(os.readlink(f'/proc/{pid}/fd/{fd}') for fd in os.listdir(f'/proc/{pid}/fd'))


def signals(pid):
    """Dispositions and masks of every thread, but for one ignored real-time signal: the one that
    was libprof's stays so, lest a late one end the program."""
    rows = []
    for tid in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{tid}/status') as file:
            rows += [line for line in file if line.startswith(('SigBlk', 'SigCgt', 'SigPnd'))]
            file.seek(0)
            ignored = int(re.search(r'^SigIgn:\s*(\w+)', file.read(), re.M)[1], 16)
            rows.append(ignored & (1 << 33) - 1)
            assert bin(ignored >> 33).count('1') <= 1, hex(ignored)
    return rows


def nothing_is_left():
    """Attached and detached again and again: slots, descriptors, signals are what they were."""
    with Collector():
        process = start(target('attached'), 'work')
        before = slots(process.pid), descriptors(process.pid), signals(process.pid)
        for _ in range(CYCLES):
            attach(process.pid)
            assert slots(process.pid) != before[0], 'nothing was attached to'
            detach(process.pid)
            now = slots(process.pid), descriptors(process.pid), signals(process.pid)
            # lazily bound slots may have been bound by the program itself in the meantime
            changed = {key for key in before[0] if before[0][key] != now[0][key]}
            assert not changed, changed
            assert before[1:] == now[1:], (before[1:], now[1:])
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout.read() == 'all is well\n'


def a_program_that_does_everything_at_once():
    """Threads that allocate, load libraries, throw, fork, create threads, lock, sleep."""
    with Collector():
        process = start(target('attached'), 'everything')
        stops = []
        for _ in range(CYCLES):
            stops.append(attach(process.pid))
            detach(process.pid)
        process.terminate()
        assert process.wait(20) == 0, process.stdout.read()
        assert process.stdout.read() == 'all is well\n'
        print(f'stood still for {min(stops)} to {max(stops)} ms')


def blocks_since_then_are_counted():
    """In exact mode every block of a known size that was allocated after attaching, and no other."""
    with Collector():
        process = start(target('attached'), 'blocks')  # 1,000 blocks of 1,999 bytes are there now
        attach(process.pid, '--exact')
        process.send_signal(signal.SIGUSR1)  # allocates 500 of 2,999 bytes, frees 200 of each kind
        assert process.stdout.readline() == 'done\n'
        detach(process.pid)
        process.send_signal(signal.SIGUSR1)  # not seen any more
        assert process.stdout.readline() == 'done\n'
        process.terminate()
        process.wait(20)
    files = [name for name in os.listdir(FOLDER + '/served') if f'.{process.pid}.' in name and 'heap.pb' in name]
    assert files, os.listdir(FOLDER + '/served')
    heap = pprof.Profile(FOLDER + '/served/' + sorted(files)[-1])
    sizes = {}
    for sample in heap.samples:
        size = sample.labels.get('bytes')
        sizes.setdefault(size, [0, 0])
        sizes[size][0] += sample.values[0]
        sizes[size][1] += sample.values[2]
    assert 1999 not in sizes, sizes
    assert sizes[2999] == [500, 300], sizes


def the_injector_may_die():
    """kill -9 of prof attach at each of its ptrace calls: the program goes on, and can be attached to."""
    if not shutil.which('strace'):
        print('no strace: not tried')
        return
    expected = subprocess.run([target('attached'), 'compute'], capture_output=True, text=True, timeout=60).stdout
    with Collector():
        step = 1
        while step < 400:
            process = subprocess.Popen([target('attached'), 'compute'], stdout=subprocess.PIPE, text=True)
            time.sleep(0.05)
            done = subprocess.run(['strace', '-f', '-o', '/dev/null', '-e', 'trace=ptrace', '-e',
                                   f'inject=ptrace:signal=KILL:when={step}', PROF, 'attach', '--socket',
                                   SOCKET, str(process.pid)], capture_output=True, text=True, timeout=60)
            # what was reached goes on by itself, and everything is possible again
            if done.returncode and prof('attach', '--socket', SOCKET, process.pid).returncode:
                detach(process.pid)
                attach(process.pid)
            detach(process.pid)
            out = process.communicate(timeout=60)[0]
            assert process.returncode == 0 and out == expected, (step, process.returncode, out)
            if done.returncode == 0:
                break  # fewer calls than that were made
            step += 1 if LONG else 31
        print(f'died at every {1 if LONG else 31}th of {step} calls')


def waiting_calls_go_on():
    """A sleeping or polling thread waits as long as it asked for, and sees no EINTR."""
    with Collector():
        process = start(target('attached'), 'naps')
        for _ in range(CYCLES):
            attach(process.pid)
            detach(process.pid)
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout.read() == 'all is well\n'


def refused(pid, word, *options):
    done = prof('attach', '--socket', SOCKET, *options, pid)
    assert done.returncode == 1 and done.stderr.count('\n') == 1 and word in done.stderr, (word, done)


def refusals_are_one_line():
    with Collector():
        refused(2 ** 22 - 1, 'there is no process')
        process = subprocess.Popen(['sleep', '60'])
        time.sleep(0.1)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        refused(process.pid, 'is stopped')
        process.send_signal(signal.SIGCONT)
        attach(process.pid)
        detach(process.pid)
        process.kill()
        refused(process.pid, 'has ended')
        process.wait()
        if os.geteuid() == 0:
            refused(2, 'kernel thread')
            other = subprocess.Popen(['sleep', '60'])
            as_nobody = subprocess.run(['setpriv', '--reuid=65534', '--clear-groups', PROF, 'attach', str(other.pid)],
                                       capture_output=True, text=True, cwd='/tmp', timeout=60)
            assert as_nobody.returncode != 0 and 'belongs to user 0' in as_nobody.stderr, as_nobody
            other.kill()
            other.wait()
        with open(FOLDER + '/static.c', 'w') as file:
            file.write('#include <unistd.h>\nint main(void){for(;;)pause();}')
        if subprocess.run(['cc', '-static', '-o', FOLDER + '/static', FOLDER + '/static.c']).returncode == 0:
            static = subprocess.Popen([FOLDER + '/static'])
            time.sleep(0.1)
            refused(static.pid, 'no glibc')
            static.kill()
            static.wait()
        done = prof('detach', os.getpid())
        assert done.returncode == 1 and 'is not attached' in done.stderr, done


def in_other_namespaces():
    """Own mount, pid and network namespaces; no /proc, and a root that can't be written to."""
    if os.geteuid() != 0:
        print('not root: not tried')
        return
    with Collector():
        process = subprocess.Popen(['unshare', '--mount', '--net', '--ipc', '--uts', 'sh', '-c',
                                    'mount -t tmpfs none "$1"; umount -l /proc; exec "$0" work', target('attached'), FOLDER],
                                   stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == 'ready\n'
        attach(process.pid, '--exact')
        time.sleep(0.2)
        detach(process.pid)
        process.terminate()
        process.wait(20)
    files = [name for name in os.listdir(FOLDER + '/served') if f'.{process.pid}.' in name]
    assert files, os.listdir(FOLDER + '/served')


check_permission()
try:
    tests(nothing_is_left, a_program_that_does_everything_at_once, blocks_since_then_are_counted,
          the_injector_may_die, waiting_calls_go_on, refusals_are_one_line, in_other_namespaces)
finally:
    for program in started:
        program.kill()
    shutil.rmtree(FOLDER, ignore_errors=True)
