"""scripts/bench scale: how cost grows with live objects, threads, frames, stacks and processes.

Writes a table and, with gnuplot, one SVG for each question into DIRECTORY (tests/bench/plots).
"""
import os
import statistics
import subprocess
import sys
import tempfile

import bench
import collector
import modes

BIN = modes.BIN
RUNS = 3
DEEP = {'LIBPROF_DIR': '{dir}', 'LIBPROF_CPU_HZ': '0', 'LIBPROF_DEPTH': '1024'}
NONE = modes.MODES['none']
DEFAULT = modes.Mode('default', 'libprof', preload=modes.LIBPROF, env={**DEEP, 'LIBPROF_AT_EXIT': '0'})
EXACT = modes.Mode('exact', 'every allocation', preload=modes.LIBPROF,
                   env={**DEEP, 'LIBPROF_AT_EXIT': '0', 'LIBPROF_HEAP_RATE': '1'})
DUMPED = modes.Mode('dumped', 'with a dump', preload=modes.LIBPROF,
                    env={**DEEP, 'LIBPROF_HEAP_RATE': '1'})


def run(arguments, mode, directory):
    return modes.finish(modes.start([f'{BIN}/mixed', *map(str, arguments)], mode,
                                    f'{directory}/run'))


def printed(arguments, mode, directory):
    """ns an allocation, as the program says: the median of a few runs."""
    return statistics.median(float(run(arguments, mode, directory).out) for _ in range(RUNS))


# name: title, x axis, points, arguments for a point
SWEEPS = {
    'live': ('Cost of an allocation with many live objects', 'live objects',
             [10**n for n in range(3, 8)], lambda x: [500000, 'live', x]),
    'threads': ('Cost of an allocation with many threads', 'threads',
                [1, 2, 4, 8, 16, 32, 64], lambda x: [1200000 // x, x]),
    'frames': ('Cost of a pair by depth', 'frames', [10, 20, 50, 100, 200, 500],
               lambda x: [200000, 'depth', x]),
}


def sweep(name, directory):
    _, axis, points, arguments = SWEEPS[name]
    rows = []
    for x in points:
        plain, default, exact = (printed(arguments(x), mode, directory)
                                 for mode in (NONE, DEFAULT, EXACT))
        rows.append([x, plain, default, exact])
        print(f'{axis} {x}: {plain:.1f} {default:.1f} {exact:.1f} ns', flush=True)
    return rows


def dumps(directory):
    """Seconds and bytes of a dump: the difference that it makes at exit."""
    rows = []
    for stacks in (100, 1000, 10000, 100000, 300000):
        arguments = [stacks, 'stacks', stacks]
        pairs = [(run(arguments, DUMPED, directory), run(arguments, EXACT, directory))
                 for _ in range(RUNS)]
        seconds = statistics.median(a.cpu - b.cpu for a, b in pairs)
        written = statistics.median(a.written for a, _ in pairs)
        rows.append([stacks, seconds, written / 1024])
        print(f'stacks {stacks}: {seconds:.3f} s, {written / 1024:.0f} KiB', flush=True)
    return rows


def plot(directory, name, title, axis, ylabel, columns, rows):
    data = '\n'.join(' '.join(map(str, row)) for row in rows)
    curves = ', '.join(f"$data using 1:{n + 2} with linespoints lw 2 title '{column}'"
                       for n, column in enumerate(columns))
    script = f"""
set terminal svg size 640,400 font 'sans-serif,12' background '#ffffff'
set output '{directory}/{name}.svg'
set title '{title}'
set xlabel '{axis}'
set ylabel '{ylabel}'
set logscale xy
set grid
set key left top
$data << EOD
{data}
EOD
plot {curves}
"""
    subprocess.run(['gnuplot'], input=script, text=True, check=True)


def main():
    arguments = sys.argv[1:]
    here = os.path.dirname(os.path.abspath(__file__))
    out = arguments[0] if arguments else os.path.join(here, 'plots')
    os.makedirs(out, exist_ok=True)
    text = [f'Medians of {RUNS} runs; {bench.machine()}.']
    with tempfile.TemporaryDirectory(prefix='libprof-bench-') as directory:
        for name, (title, axis, _, _) in SWEEPS.items():
            rows = sweep(name, directory)
            plot(out, name, title, axis, 'ns of CPU', ('none', 'libprof', 'every allocation'), rows)
            text.append(f'**{title}** (ns of CPU; [plot](plots/{name}.svg))\n\n' + bench.markdown_table(
                [axis, 'none', 'libprof', 'every allocation'],
                [[f'{row[0]:,}', *(f'{value:.1f}' for value in row[1:])] for row in rows]))
        rows = dumps(directory)
        plot(out, 'dump', 'A dump by the number of stacks', 'stacks', 's of CPU, KiB',
             ('seconds', 'KiB'), rows)
        text.append('**A dump by the number of stacks** ([plot](plots/dump.svg))\n\n'
                    + bench.markdown_table(['stacks', 's of CPU', 'KiB written'],
                                           [[f'{row[0]:,}', f'{row[1]:.3f}', f'{row[2]:.0f}']
                                            for row in rows]))
        rows = collector.sweep(directory)
        plot(out, 'collector', 'The collector by the number of processes', 'processes',
             'MiB, CPU ms a second', ('resident', 'its own', 'at rest'),
             [[row[0], row[1], row[2], max(row[3], 0.1)] for row in rows])
        text.append('**The collector by the number of processes** ([plot](plots/collector.svg))\n\n'
                    + bench.markdown_table(
                        ['processes', 'MiB resident', 'of them its own', 'CPU ms a second at rest',
                         'CPU ms for one heap profile'],
                        [[str(row[0]), *(f'{value:.1f}' for value in row[1:])] for row in rows]))
    bench.write_between_marks(os.path.join(here, 'results.md'), '\n\n'.join(text), 'scale')


if __name__ == '__main__':
    main()
