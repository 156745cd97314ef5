"""scripts/bench: what libprof costs, side by side with its peers.

Each mode is run in pairs with its base, A B, B A, ...; a pair's ratio is of CPU time of the
whole tree of processes. The median of the ratios is shown with its spread (the quartiles), so
that what a busy machine does to one run weighs nothing, and with the interval in which the true
median lies with 95 % confidence (bootstrapped). The ratio of the fastest runs, the least disturbed
ones, stands beside it.
"""
import argparse
import os
import platform
import random
import statistics
import sys
import tempfile
import time

import modes
import workloads


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method='inclusive')
    return low, high


def interval(values, samples=4000):
    """Of the median, 95 %: what it would be in other runs like these (Efron's bootstrap)."""
    rng = random.Random(1)
    medians = sorted(statistics.median(rng.choices(values, k=len(values))) for _ in range(samples))
    return medians[samples // 40], medians[-1 - samples // 40]


def spread_text(bounds):
    return f'{bounds[0]:.3f}-{bounds[1]:.3f}'


class Row:
    """What the pairs of one workload and mode came to."""

    def __init__(self, workload, mode, pairs):
        self.workload, self.mode, self.pairs = workload, mode, pairs
        ratios = [with_.cpu / without.cpu for without, with_ in pairs]
        self.ratio, self.spread = statistics.median(ratios), quartiles(ratios)
        self.interval = interval(ratios)
        self.fastest = (min(with_.cpu for _, with_ in pairs) /
                        min(without.cpu for without, _ in pairs))
        self.wall = statistics.median(with_.wall / without.wall for without, with_ in pairs)
        self.added = statistics.median(with_.cpu - without.cpu for without, with_ in pairs)
        self.peak = statistics.median(with_.peak - without.peak for without, with_ in pairs) / 1024
        self.written = statistics.median(with_.written for _, with_ in pairs)
        self.more = {key: [with_.more[key] / without.more[key] for without, with_ in pairs]
                     for key in pairs[0][1].more}

    def cells(self):
        note = ', '.join(f'{name} {statistics.median(self.more[key]):.3f}x '
                         f'({spread_text(interval(self.more[key]))})' for key, name in
                         (('rps', 'requests/s'), ('p99', 'p99')) if key in self.more)
        each = self.added / self.workload.ops * 1e9 if self.workload.ops else None
        if each is not None:
            unit = self.workload.unit
            added = f'{each / 1000:+.1f} us a {unit}' if abs(each) >= 2000 else f'{each:+.1f} ns a {unit}'
        else:
            added = f'{self.added * 1000:+.0f} ms'
        return [self.mode.title, f'{self.ratio:.3f}', spread_text(self.interval),
                spread_text(self.spread), f'{self.fastest:.3f}', added, f'{self.wall:.2f}', f'{self.peak:+.1f}', f'{self.written / 1024:.0f}',
                str(len(self.pairs)), note]


HEADER = ['under', 'CPU', '95 %', 'quartiles', 'of the fastest', 'added CPU', 'wall', 'peak MiB', 'KiB written', 'pairs', '']


def markdown_table(header, rows):
    lines = ['| ' + ' | '.join(header) + ' |', '|' + '---|' * len(header)]
    lines += ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join(lines)


def measure(workload, wanted, pairs, directory):
    """Rows of one workload, its modes taken in turn so that none has the quiet hour."""
    chosen = []
    for mode in wanted:
        if (workload.only and mode.name not in workload.only) or \
           (mode.only and workload.name not in mode.only):
            continue
        reason = mode.why_not()
        if reason:
            print(f'{mode.title}: left out: {reason}', file=sys.stderr)
        else:
            chosen.append(mode)
    found = {mode.name: [] for mode in chosen}
    for turn in range(pairs):
        for mode in list(chosen):
            if turn >= mode.pairs:
                continue
            order = [modes.MODES[mode.base], mode]
            if turn % 2:
                order.reverse()
            try:
                results = workload.run_pair(order, f'{directory}/run')
            except (RuntimeError, OSError) as error:
                print(f'{workload.title}: {mode.title}: left out: {error}', file=sys.stderr)
                chosen.remove(mode)
                continue
            found[mode.name].append(tuple(reversed(results)) if turn % 2 else tuple(results))
    return [Row(workload, mode, found[mode.name]) for mode in wanted if found.get(mode.name)]


def machine():
    model = next((line.split(':')[1].strip() for line in open('/proc/cpuinfo')
                  if line.startswith('model name')), platform.machine())
    memory = int(open('/proc/meminfo').readline().split()[1]) >> 20
    system = next((line.split('"')[1] for line in open('/etc/os-release')
                   if line.startswith('PRETTY_NAME')), platform.system())
    return (f'{model}, {os.cpu_count()} processors, {memory} GiB; {system}, Linux '
            f'{platform.release()}, glibc {platform.libc_ver()[1]}')


def write_between_marks(path, text, mark='bench'):
    """Replaces what stands between the marks <!-- MARK --> and <!-- /MARK -->; a file
    without them gets them at its end."""
    begin, end = f'<!-- {mark} -->', f'<!-- /{mark} -->'
    try:
        with open(path) as file:
            old = file.read()
    except FileNotFoundError:
        old = ''
    if begin in old and end in old:
        head, rest = old.split(begin, 1)
        tail = rest.split(end, 1)[1]
    else:
        head, tail = old, '\n'
    with open(path + '.new', 'w') as file:
        file.write(f'{head}{begin}\n{text}\n{end}{tail}')
    os.replace(path + '.new', path)


def choose(names, table, groups, kind):
    out = []
    for name in names:
        for each in groups.get(name, (name,)):
            if each not in table:
                sys.exit(f'scripts/bench: {each}: no such {kind}; there are: '
                         f'{" ".join([*groups, *table])}')
            if each not in out:
                out.append(each)
    return [table[name] for name in out]


def main():
    parser = argparse.ArgumentParser(prog='scripts/bench', description=__doc__.split('\n')[0])
    parser.add_argument('workload', nargs='*', default=list(workloads.WORKLOADS),
                        help='of: ' + ' '.join([*workloads.GROUPS, *workloads.WORKLOADS]))
    parser.add_argument('--mode', action='append',
                        help='only these, of: ' + ' '.join(modes.MODES))
    parser.add_argument('--pairs', type=int, default=10, help='of runs (10; fewer of the slow peers)')
    parser.add_argument('--write', metavar='FILE', help='also between the marks of this file')
    options = parser.parse_args()
    if options.pairs < 1:
        parser.error('--pairs: at least 1')
    chosen = choose(options.workload, workloads.WORKLOADS, workloads.GROUPS, 'workload')
    wanted = choose(options.mode or [name for name in modes.MODES
                                     if name not in ('tcmalloc', 'jemalloc')],
                    modes.MODES, {}, 'mode')
    text = [f'{machine()}; {time.strftime("%Y-%m-%d")}, load {os.getloadavg()[0]:.1f} at the start.']
    print(text[0], flush=True)
    with tempfile.TemporaryDirectory(prefix='libprof-bench-') as directory:
        for workload in chosen:
            rows = measure(workload, wanted, options.pairs, directory)
            text.append(f'**{workload.title}**\n\n' + markdown_table(
                HEADER, [row.cells() for row in rows]))
            print('\n' + text[-1], flush=True)
    if options.write:
        write_between_marks(options.write, '\n\n'.join(text))


if __name__ == '__main__':
    for name, workload in workloads.WORKLOADS.items():
        workload.name = name
    main()
