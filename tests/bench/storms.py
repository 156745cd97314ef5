"""scripts/bench storms [--runs N]: what hooks cost threads that fight for a mutex.

With libprof, also switched off, with hooks that only pass on or test a word, and with none (noise);
see storm.c. A row is the median of many short runs, for a process's fights stay as they happen to
begin, and where that lies with 95 % confidence.
"""
import argparse
import random
import re
import statistics
import subprocess
import tempfile

import bench
import modes

# Mean rounds of work with the mutex and without, 1 to 2 ns each.
STORMS = ((0, 0), (5, 5), (10, 10), (20, 20), (50, 50), (100, 100), (200, 70), (300, 1000),
          (500, 500))
SLICES = 30
SETTINGS = (('nothing (noise)', None, {}),
            ('hooks that pass on', f'{modes.BIN}/libpassing.so', {}),
            ('hooks that test a word', f'{modes.BIN}/libtesting.so', {}),
            ('libprof, both off', modes.LIBPROF, {'BLOCK_RATE': '0', 'MUTEX_FRACTION': '0'}),
            ('libprof', modes.LIBPROF, {}))


def one(storm, preload, settings):
    with tempfile.TemporaryDirectory() as directory:
        env = modes.clean_environment() | {f'LIBPROF_{k}': v for k, v in settings.items()}
        env['LIBPROF_DIR'] = directory
        if preload:
            env['LD_PRELOAD'] = preload
        done = subprocess.run([f'{modes.BIN}/storm', str(SLICES), '2', *map(str, storm)], env=env,
                              capture_output=True, text=True, timeout=120, check=True)
    direct, wall, cpu = re.match(r'([\d.]+) ns, wall ([\d.]+), CPU ([\d.]+)', done.stdout).groups()
    return float(direct), float(wall), float(cpu)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--runs', type=int, default=25)
    options = parser.parse_args()
    print(bench.machine() + '\n')
    rows = []
    for storm in STORMS:
        found = {title: [] for title, _, _ in SETTINGS}
        for _ in range(options.runs):
            for title, preload, settings in random.sample(SETTINGS, len(SETTINGS)):
                found[title].append(one(storm, preload, settings))
        for title, runs in found.items():
            direct, wall, cpu = zip(*runs)
            rows.append([f'{storm[0]}/{storm[1]}', title, f'{statistics.median(direct):.0f}',
                         f'{statistics.median(wall):.3f}',
                         bench.spread_text(bench.interval(wall)), f'{statistics.median(cpu):.3f}'])
    print(bench.markdown_table(['rounds with/without', 'under', 'ns a pair', 'wall', '95 %', 'CPU'],
                               rows))


main()
