"""prof trace: what happened when, for timeline viewers; also after kill -9."""
import collections
import glob
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
import pprof  # noqa: E402
from run import LIBPROF, LONG, PROF, target, tests  # noqa: E402

FOLDER = tempfile.TemporaryDirectory()
KILLS = 200 if LONG else 4


class Server:
    def __enter__(self):
        self.socket = FOLDER.name + '/socket'
        self.process = subprocess.Popen([PROF, 'serve', '--socket', self.socket, '--http', '127.0.0.1:0',
                                         '--dir', FOLDER.name + '/out'], stderr=subprocess.PIPE, text=True)
        self.address = None
        while not self.address:
            found = re.search(r'serving http://([0-9.:]+)/', self.process.stderr.readline())
            self.address = found and found[1]
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def start(self, *command, **settings):
        env = {**os.environ, 'LD_PRELOAD': LIBPROF, 'LIBPROF_SOCKET': self.socket,
               **{'LIBPROF_' + key.upper(): str(value) for key, value in settings.items()}}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
        assert process.stdout.readline() == 'ready\n'
        return process

    def trace(self, pid, query):
        url = f'http://{self.address}/p/{pid}/debug/pprof/trace?{query}'
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.headers, answer.read()


def hand_overs():
    """Each wait is there, when it was by the program's clock, with the unlock that ended it."""
    with Server() as server:
        process = server.start(target('handed_over'), '20')
        headers, text = server.trace(process.pid, 'seconds=3&format=json')
        said = process.communicate(timeout=20)[0]
    trace = json.loads(text)
    assert headers['Content-Type'] == 'application/json', headers
    assert trace['schema'] == 'libprof-trace-1' and trace['program'] == 'handed_over', text[:200]
    names = [thread['name'] for thread in trace['threads']]
    events = trace['events']
    kinds = collections.Counter(event['kind'] for event in events)
    assert kinds['create'] == kinds['thread begin'] == kinds['thread end'] == 2, kinds
    spent = sum(e['value'] for e in events if e['kind'] == 'cpu' and names[e['thread']] == 'handed_over')
    assert 0.2e9 < spent < 0.4e9, spent
    logged = [tuple(map(int, line.split()[1:])) for line in said.splitlines() if line.startswith('wait')]
    waits = [e for e in events if e['kind'] == 'wait' and names[e['thread']] == 'waiter']
    unlocks = [int(line.split()[1]) for line in said.splitlines() if line.startswith('unlock')]
    assert len(logged) > 10, said
    off = []
    for begin, end in logged:
        wait = min(waits, key=lambda w: abs(w['end_ns'] - end))
        off += [abs(wait['begin_ns'] - begin), abs(wait['end_ns'] - end)]
        assert 'waits' in trace['stacks'][wait['stack']], trace['stacks'][wait['stack']]
        by = events[wait['woken_by']]
        assert by['kind'] == 'unlock' and names[by['thread']] == 'holder', by
        assert 'holds' in trace['stacks'][by['stack']]
        off.append(min(abs(by['end_ns'] - unlock) for unlock in unlocks))
    print('off by', statistics.median(off) / 1e3, 'us, at most', max(off) / 1e3)
    assert statistics.median(off) < 20000, off
    assert trace['lost'] == 0, trace['lost']


def formats():
    with Server() as server:
        process = server.start(target('handed_over'), '10', trace='flight')
        process.communicate(timeout=20)
        headers, text = server.trace(process.pid, 'last=60&format=chrome')
        perfetto_headers, perfetto = server.trace(process.pid, 'last=60')
        try:
            server.trace(process.pid, 'last=60&format=nonesuch')
            raise AssertionError('an unknown format is answered')
        except urllib.error.HTTPError as error:
            assert error.code == 400, error
    chrome = json.loads(text)['traceEvents']
    phases = collections.Counter(event['ph'] for event in chrome)
    assert phases['X'] >= 5 and phases['s'] == phases['f'] >= 5 and phases['i'] > 20, phases
    assert '.pftrace"' in perfetto_headers['Content-Disposition'], perfetto_headers
    # the format's own numbers: packets of field 1, events of field 11, samples of field 66
    packets = [dict(pprof._fields(value)) for number, value in pprof._fields(perfetto) if number == 1]
    assert sum(11 in packet for packet in packets) == 2 * phases['X'] + phases['i'] - sum(66 in p for p in packets)
    assert sum(66 in packet for packet in packets) >= 20 and sum(60 in packet for packet in packets) >= 4
    try:
        from perfetto.protos.perfetto.trace import perfetto_trace_pb2
    except ImportError:
        print('not compared with Perfetto\'s own description: the package perfetto is not installed')
        return
    decoded = perfetto_trace_pb2.Trace()
    decoded.ParseFromString(perfetto)
    slices = [p.track_event for p in decoded.packet if p.HasField('track_event')]
    assert sum(s.type == s.TYPE_SLICE_BEGIN and s.name.startswith('wait: mutex in waits') for s in slices) >= 5
    starts = {flow for s in slices for flow in s.flow_ids}
    ends = {flow for s in slices for flow in s.terminating_flow_ids}
    assert ends and ends <= starts, (starts, ends)


def the_last_moments_of_a_killed_process():
    """kill -9 at any moment: what the program said last is there, and nothing is torn."""
    for n in range(KILLS):
        out = f'{FOLDER.name}/killed{n}'
        run = subprocess.Popen([PROF, 'run', '-q', '--trace', '-o', out, target('handed_over'), '0'],
                               stdout=subprocess.PIPE, text=True)
        lines = [run.stdout.readline()]
        end = time.time() + 1.2 + n % 7 * 0.013
        while time.time() < end:
            lines.append(run.stdout.readline())
        child, = subprocess.run(['pgrep', '-P', str(run.pid)], capture_output=True, text=True).stdout.split()
        os.kill(int(child), signal.SIGKILL)
        lines += run.communicate(timeout=20)[0].splitlines()
        file, = glob.glob(out + '/handed_over.*.pftrace')
        with open(file, 'rb') as opened:
            packets = [dict(pprof._fields(v)) for number, v in pprof._fields(opened.read()) if number == 1]
        times = sorted(packet[8] for packet in packets if 11 in packet)
        waits = [int(line.split()[2]) for line in lines if line.startswith('wait')]
        # the last wait that it told before it was killed
        assert waits and min(abs(at - waits[-1]) for at in times) < 5000000, (waits[-1], times[-3:])
        assert all(waits[0] - 10**10 < at < waits[-1] + 10**9 for at in times), times


def a_full_ring_keeps_the_newest():
    with Server() as server:
        process = server.start(target('handed_over'), '100', trace='flight', trace_memory='64k', cpu_hz=1000)
        process.communicate(timeout=30)
        time.sleep(0.5)
        _, text = server.trace(process.pid, 'last=60&format=json')
    events = json.loads(text)['events']
    assert 100 < len(events) <= 2048, len(events)
    assert any(event['kind'] == 'thread end' for event in events[-5:]), events[-5:]


def nothing_is_written_unless_wanted():
    with Server() as server:
        process = server.start(target('handed_over'), '10')
        process.communicate(timeout=20)
        _, text = server.trace(process.pid, 'last=60&format=json')
    assert json.loads(text)['events'] == [], text[:300]
    assert not glob.glob(f'{FOLDER.name}/out/*.{process.pid}.pftrace')


def the_command():
    with Server() as server:
        process = server.start(target('handed_over'), '40')
        out = FOLDER.name + '/c.json'
        done = subprocess.run([PROF, 'trace', '--http', server.address, '--seconds', '1', '--to', 'json', '-o', out,
                               str(process.pid)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done
        with open(out) as file:
            assert json.load(file)['pid'] == process.pid
        done = subprocess.run([PROF, 'trace', '--to', 'gif', '1'], capture_output=True, text=True)
        assert done.returncode == 2 and 'perfetto, chrome or json' in done.stderr, done
        process.kill()


tests(hand_overs, formats, the_last_moments_of_a_killed_process, a_full_ring_keeps_the_newest,
      nothing_is_written_unless_wanted, the_command)
