"""scripts/bench storms [--runs N]: what hooks cost threads that fight for a mutex.

With libprof, with hooks that only pass on, and with none (noise); see storm.c. A row is the
median of the runs' medians, and their range.
"""
import argparse
import re
import statistics
import subprocess
import tempfile

import bench
import modes

# Rounds of work with the mutex and without, 1 to 2 ns each.
STORMS = ((0, 0), (10, 10), (50, 50), (100, 100), (200, 70), (300, 1000), (500, 500))
SETTINGS = (('nothing (noise)', None, {}),
            ('hooks that pass on', f'{modes.BIN}/libpassing.so', {}),
            ('libprof, both off', modes.LIBPROF, {'BLOCK_RATE': '0', 'MUTEX_FRACTION': '0'}),
            ('libprof, 100 us', modes.LIBPROF, {'BLOCK_RATE': '100us'}),
            ('libprof, 10 ms', modes.LIBPROF, {'BLOCK_RATE': '10ms'}),
            ('libprof', modes.LIBPROF, {}))


def one(storm, preload, settings):
    with tempfile.TemporaryDirectory() as directory:
        env = modes.clean_environment() | {f'LIBPROF_{k}': v for k, v in settings.items()}
        env['LIBPROF_DIR'] = directory
        if preload:
            env['LD_PRELOAD'] = preload
        done = subprocess.run([f'{modes.BIN}/storm', '150', '2', *map(str, storm)], env=env,
                              capture_output=True, text=True, timeout=120, check=True)
    direct, wall, cpu = re.match(r'([\d.]+) ns, wall ([\d.]+) .*CPU ([\d.]+)', done.stdout).groups()
    return float(direct), float(wall), float(cpu)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--runs', type=int, default=5)
    options = parser.parse_args()
    print(bench.machine() + '\n')
    rows = []
    for storm in STORMS:
        found = {title: [] for title, _, _ in SETTINGS}
        for _ in range(options.runs):
            for title, preload, settings in SETTINGS:
                found[title].append(one(storm, preload, settings))
        for title, runs in found.items():
            direct, wall, cpu = zip(*runs)
            rows.append([f'{storm[0]}/{storm[1]}', title, f'{statistics.median(direct):.0f}',
                         f'{statistics.median(wall):.3f}', f'{min(wall):.3f}-{max(wall):.3f}',
                         f'{statistics.median(cpu):.3f}'])
    print(bench.markdown_table(['rounds with/without', 'under', 'ns a pair', 'wall', 'of the runs',
                                'CPU'], rows))


main()
