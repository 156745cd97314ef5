"""What `prof serve` takes for the processes that report to it: part of scripts/bench scale.

The processes are interpreters that have started and wait: as many as a machine with many small
services has, each with some dozen sampled stacks.
"""
import os
import re
import subprocess
import time
import urllib.request

import modes

PROF = os.path.join(modes.BUILD, 'collector/prof')
COUNTS = (1, 10, 100, 500)
PROGRAM = ['/usr/bin/python3', '-S', '-c', 'import sys; sys.stdin.read()']
REST = 10  # seconds in which nobody asks, after so many in which they start


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def resident_kib(pid):
    with open(f'/proc/{pid}/status') as file:
        text = file.read()
    return [int(re.search(rf'{key}:\s+(\d+)', text)[1]) for key in ('VmRSS', 'RssAnon')]


class Collector:
    """prof serve on a port and a socket of its own."""

    def __init__(self, directory):
        self.socket = f'{directory}/socket'
        self.process = subprocess.Popen(
            [PROF, 'serve', '--http', '127.0.0.1:0', '--socket', self.socket, '--dir',
             f'{directory}/out'], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            found = re.search(r'serving (http://[0-9.:]+)/', line)
            if found:
                self.address = found[1]
                return
        raise RuntimeError('prof serve does not start')

    def get(self, path):
        with urllib.request.urlopen(self.address + path, timeout=60) as answer:
            return answer.read()

    def running(self):
        return [line.split(b'\t')[0].decode() for line in self.get('/ps').splitlines()
                if b'\trunning\t' in line]

    def stop(self):
        self.process.terminate()
        self.process.communicate(timeout=60)


def measure(count, directory):
    """[count, MiB resident, of these its own, CPU ms a second at rest, ms for one heap profile]"""
    os.makedirs(directory)
    collector = Collector(directory)
    env = modes.clean_environment() | {'LD_PRELOAD': modes.LIBPROF, 'LIBPROF_SOCKET': collector.socket,
                                       'LIBPROF_DIR': f'{directory}/fallback'}
    programs = [subprocess.Popen(PROGRAM, env=env, stdin=subprocess.PIPE) for _ in range(count)]
    try:
        end = time.time() + 60
        while len(collector.running()) < count and time.time() < end:
            time.sleep(0.1)
        known = collector.running()
        if len(known) < count:
            raise RuntimeError(f'{len(known)} of {count} processes reported')
        time.sleep(REST)
        before = cpu_seconds(collector.process.pid)
        time.sleep(REST)
        rest = (cpu_seconds(collector.process.pid) - before) / REST
        total, own = resident_kib(collector.process.pid)
        before = cpu_seconds(collector.process.pid)
        asked = known * max(1, 200 // count)
        for pid in asked:
            collector.get(f'/p/{pid}/debug/pprof/heap')
        each = (cpu_seconds(collector.process.pid) - before) / len(asked)
    finally:
        for program in programs:
            program.stdin.close()
        for program in programs:
            program.wait(60)
        collector.stop()
    return [count, total / 1024, own / 1024, rest * 1000, each * 1000]


def sweep(directory):
    rows = []
    for count in COUNTS:
        rows.append(measure(count, f'{directory}/collector.{count}'))
        print('processes %d: %.1f MiB (own %.1f), %.1f ms/s at rest, %.2f ms a profile'
              % tuple(rows[-1]), flush=True)
    return rows
