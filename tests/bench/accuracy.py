"""scripts/bench accuracy: how true sampled profiles are, at the default rates.

Heap: bytes allocated by each program, sampled, against the exact count of the same run repeated;
beside it the error that sampling has by its nature. CPU: the profile's total against getrusage,
and its functions' shares against perf's of the same run (the test perf_compare, its long form).
"""
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
import bench  # noqa: E402
import modes  # noqa: E402
import pprof  # noqa: E402
import workloads  # noqa: E402

RUNS = 10


def mode(**settings):
    env = {f'LIBPROF_{key.upper()}': str(value) for key, value in settings.items()}
    return modes.Mode('accuracy', '', preload=modes.LIBPROF, env=env)


def profiles(workload, directory, **settings):
    """One run: its result and its profiles by name."""
    keep = tempfile.mkdtemp(dir=directory)
    chosen = mode(**settings)
    chosen.env['LIBPROF_DIR'] = keep
    result = workload.run(chosen, f'{directory}/run')
    found = {name.split('.')[-3]: pprof.Profile(f'{keep}/{name}')
             for name in sorted(os.listdir(keep)) if name.endswith('.pb.gz')}
    return result, found


def heap_row(workload, directory):
    _, found = profiles(workload, directory, heap_rate=1, cpu_hz=0)
    exact = found['heap'].total('alloc_space')
    errors, samples = [], []
    for seed in range(1, RUNS + 1):
        _, found = profiles(workload, directory, seed=seed, cpu_hz=0)
        errors.append(abs(found['heap'].total('alloc_space') / exact - 1))
        samples.append(exact / 524288)
    expected = 0.6745 / math.sqrt(statistics.mean(samples))  # the median of |N(0, s)|
    return [workload.title, f'{exact / 2**20:.0f} MiB', f'{statistics.median(errors):.1%}',
            f'{max(errors):.1%}', f'{expected:.1%}']


def cpu_row(workload, directory):
    ratios = []
    for _ in range(RUNS):
        result, found = profiles(workload, directory)
        cpu = found['cpu']
        ratios.append(cpu.total('cpu') / 1e9 / result.cpu)
    return [workload.title, f'{result.cpu:.2f} s', f'{statistics.median(ratios):.3f}',
            f'{min(ratios):.3f}-{max(ratios):.3f}']


def share_rows():
    test = os.path.join(os.path.dirname(__file__), '../cpu/test_perf_compare.py')
    out = subprocess.run([sys.executable, test, '', modes.LIBPROF], text=True, capture_output=True,
                         env={**os.environ, 'LIBPROF_CPU_HZ': '100', 'LIBPROF_TEST_LONG': '1'}).stdout
    rows = []
    for program, perfs, ours, reached, hottest in re.findall(
            r'^(\w+): (\d+) samples .*, (\d+) of ours, ([\d.]+) % of.*\n((?:  .*\n)*)', out, re.M):
        differences = [abs(float(d)) for d in re.findall(r'([-+][\d.]+)$', hottest, re.M)]
        rows.append([program, perfs, ours, f'{statistics.median(differences):.2f}',
                     f'{max(differences):.2f}', f'{reached} %'])
    return rows


def main():
    options = sys.argv[1:]
    path = options[options.index('--write') + 1] if '--write' in options else None
    programs = [workloads.WORKLOADS[name] for name in ('sqlite3', 'python3', 'cc1')]
    with tempfile.TemporaryDirectory(prefix='libprof-bench-') as directory:
        text = [f'{RUNS} runs each; {bench.machine()}.', '**Bytes allocated, sampled every 512 KiB, '
                'against the exact count**\n\n' + bench.markdown_table(
                    ['program', 'allocated', 'median error', 'largest', "sampling's own median"],
                    [heap_row(each, directory) for each in programs])]
        text.append('**CPU time of the profile at 100 Hz over that of getrusage**\n\n'
                    + bench.markdown_table(['program', 'a run', 'median ratio', 'range'],
                                           [cpu_row(each, directory) for each in programs]))
    text.append("**Shares of the ten functions that perf finds hottest (997 Hz, CPU clock), ours at 100 Hz of "
                'the same run, in points**\n\n' + bench.markdown_table(
                    ['program', "perf's samples", 'ours', 'median difference', 'largest',
                     'stacks that reach the start'], share_rows()))
    text = '\n\n'.join(text)
    print(text)
    if path:
        bench.write_between_marks(path, text, 'accuracy')


if __name__ == '__main__':
    main()
