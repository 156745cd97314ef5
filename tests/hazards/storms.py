#!/usr/bin/env python3
"""Series of the storms (dlstress, forkstorm, execstorm, usr2storm), for what goes wrong
once in many runs. usage: storms.py [--runs N] [NAME...]. One that doesn't end is shown
to gdb, then ended, and counts as a hang."""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path[:0] = [os.path.join(os.path.dirname(__file__), path) for path in ('../lib', '../matrix')]
from run import LIBPROF, environment, target  # noqa: E402
import watch  # noqa: E402

HIGH = {'cpu_hz': 1000, 'heap_rate': 1}
# command, settings, seconds it may take, expected status, seconds between SIGUSR2 (0: none;
# the other programs send their own)
STORMS = {
    'dlstress': (['loader_stress', '10'], HIGH, 120, 0, 0),
    'forkstorm': (['processes', 'fork', '256'], {'cpu_hz': 1000}, 200, 0, 0),
    'execstorm': (['processes', 'exec', '1000'], {'cpu_hz': 1000}, 200, 0, 0),
    'usr2storm': (['leave', 'load'], HIGH, 60, 14, 0.005),
}


def one_run(name):
    """-> (what went wrong or '', seconds)"""
    command, settings, patience, expected, pause = STORMS[name]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        env = environment(directory, max_files=20, at_exit=0, **settings)
        start = time.monotonic()
        with open(directory + '/err', 'w+') as err:
            process = subprocess.Popen([target(command[0]), *command[1:]], env=env,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err)
            if pause:  # its first line says that it is up
                process.stdout.readline()
            while process.poll() is None and time.monotonic() - start < patience:
                if pause:
                    process.send_signal(signal.SIGUSR2)
                time.sleep(pause or 0.05)
            seconds = time.monotonic() - start
            if process.poll() is None:
                print(watch.backtraces([process.pid] + watch.descendants(process.pid)), flush=True)
                for pid in watch.descendants(process.pid):
                    os.kill(pid, signal.SIGKILL)
                process.kill()
                process.wait()
                return f'hang: no end after {patience} s', seconds
            process.stdout.close()
            err.seek(0)
            text = err.read()
        if process.returncode != expected:
            return f'status {process.returncode}: {text[-300:]}', seconds
        return text and f'stderr: {text[-300:]}', seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--runs', type=int, default=100)
    parser.add_argument('names', nargs='*', choices=[[], *STORMS])
    arguments = parser.parse_args()
    if not os.path.exists(LIBPROF):
        sys.exit(f'{LIBPROF} is not built')
    counts = {name: [0, 0, 0.0] for name in arguments.names or STORMS}
    for number in range(arguments.runs):  # in turn: a series cut short has as many of each
        for name, count in counts.items():
            wrong, seconds = one_run(name)
            count[0] += 1
            count[2] = max(count[2], seconds)
            if wrong:
                count[1] += 1
                print(f'{name}, run {number + 1}: {wrong}', flush=True)
        print(', '.join(f'{name} {c[0]} runs, {c[1]} wrong, longest {c[2]:.1f} s'
                        for name, c in counts.items()), flush=True)
    return any(count[1] for count in counts.values())


if __name__ == '__main__':
    sys.exit(main())
