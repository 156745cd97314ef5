#!/usr/bin/env python3
"""Unmodified programs with and without libprof: nothing that their callers can see
may differ. usage: matrix.py [--short] [--jobs N] [--out FILE] [NAME...]"""
import argparse
import concurrent.futures
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, '../lib')]
import pprof  # noqa: E402
import watch  # noqa: E402
from programs import BATCH  # noqa: E402
from run import LIBPROF  # noqa: E402
from servers import SERVERS  # noqa: E402

CASES = {case.name: case for case in BATCH + SERVERS}
MODES = {
    'default': {},
    'exact': {'LIBPROF_HEAP_RATE': '1', 'LIBPROF_CPU_HZ': '1000'},
    'storm': {'LIBPROF_MAX_FILES': '60'},
}
PATIENCE = {'plain': 1, 'default': 2, 'exact': 5, 'storm': 4}
SHORT = ['bash', 'dash', 'busybox sh', 'sort, join, uniq', 'gcc', 'g++', 'python3', 'perl', 'Go with cgo', 'sqlite3',
         'jq', 'xz -T4', 'git', 'ripgrep', 'redis-server']
PLAIN_RUNS = 10  # more runs without libprof, when something differs
READ_MOST = 1 << 19  # bytes of a profile that are read here; pprof reads one of any size


def packages_missing(case):
    missing = []
    for package in case.packages:
        done = subprocess.run(['dpkg-query', '-W', '-f', '${db:Status-Status}', package],
                              capture_output=True, text=True)
        if done.stdout != 'installed':
            missing.append(package)
    return missing


def check_profiles(directory, result):
    files = sorted(glob.glob(directory + '/**/*.pb.gz', recursive=True), key=os.path.getsize)
    small = [path for path in files if os.path.getsize(path) < READ_MOST]
    for path in small[-6:] + small[:6]:
        try:
            profile = pprof.Profile(path)
            if '.heap.' in path and profile.total('inuse_space') > profile.total('alloc_space'):
                result.problems.append(f'{os.path.basename(path)}: more in use than allocated')
        except (AssertionError, ValueError, EOFError, OSError, IndexError, KeyError) as error:
            result.problems.append(f'{os.path.basename(path)}: {type(error).__name__} {error}')
    if files and shutil.which('go'):
        done = subprocess.run(['go', 'tool', 'pprof', '-raw', '-symbolize=none', files[-1]],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, 'PPROF_TMPDIR': directory})
        if done.returncode:
            result.problems.append(f'pprof can not read {files[-1]}: {done.stderr[:200]}')
    left = [os.path.basename(path) for path in glob.glob(directory + '/**/.*.tmp', recursive=True)]
    if left:
        result.problems.append(f'unfinished: {left[:3]}')
    return len(files)


def one_run(case, mode, top, storm_signal):
    """-> (Result, profiles, signals sent, catches SIGUSR2 itself)"""
    work, out = os.path.join(top, 'work'), os.path.join(top, 'out.' + mode)
    shutil.rmtree(work, ignore_errors=True)
    os.mkdir(work)
    settings = {}
    if mode != 'plain':
        os.mkdir(out)
        os.chmod(out, 0o1777)  # servers change their user
        settings = {'LD_PRELOAD': os.path.join(top, 'libprof.so'), 'LIBPROF_DIR': out, **MODES[mode]}
    if mode == 'storm' and storm_signal != signal.SIGUSR2:
        settings['LIBPROF_SIGNAL'] = f'RTMIN+{storm_signal - signal.SIGRTMIN}'
    looks = watch.Watch(out, storm_signal if mode == 'storm' else None)
    result = case.run(work, settings, PATIENCE[mode], looks)
    looks.stop()
    left = watch.end_left_over()
    result.visible['left running'] = sorted(left)
    if looks.foreign and mode != 'plain':
        result.problems.append(f'our descriptors in the program: {sorted(looks.foreign)[:3]}')
    return result, check_profiles(out, result) if settings else 0, looks.sent, looks.own_usr2


def differences(plain, result):
    for key in plain.visible.keys() | result.visible.keys():
        was, now = plain.visible.get(key), result.visible.get(key)
        if was != now:
            yield f'{key}: {str(was)[-250:]!r} became {str(now)[-250:]!r}'


NUMBERS = {'threads', 'descriptors'}


def compare_with_itself(case, top, usual, result, wrong):
    """-> what is still wrong, and a note. What differs is looked for in more runs without
    libprof (usual: those so far). A server's number of threads or descriptors may be
    anything within what they have shown to be usual, if they differ among
    themselves; of everything else it is only told."""
    differing = [key for key in usual[0].visible if usual[0].visible[key] != result.visible.get(key)]
    numbers = set(differing) <= NUMBERS and differing[0] if differing else None

    def is_usual():
        seen = [run.visible.get(numbers) for run in usual]
        return min(seen) < max(seen) and min(seen) <= result.visible[numbers] <= max(seen)

    runs = 0
    while runs < (PLAIN_RUNS if numbers else 1) and not (numbers and is_usual()):
        usual.append(one_run(case, 'plain', top, None)[0])
        runs += 1
    if numbers and len(differing) == 1 and is_usual():
        seen = [run.visible[numbers] for run in usual]
        return [], f'{min(seen)} to {max(seen)} {numbers} by itself'
    itself = [f'differs by itself: {w}' for w in differences(usual[0], usual[-1])]
    return itself or wrong, None


def run_case(case, modes):
    watch.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix='matrix.', ignore_cleanup_errors=True) as top:
        os.chmod(top, 0o755)
        shutil.copy(LIBPROF, top)
        plain, _, _, own_usr2 = one_run(case, 'plain', top, None)
        row = {'name': case.name, 'date': time.strftime('%Y-%m-%d'), 'plain': round(plain.seconds, 2), 'own_usr2': own_usr2, 'modes': {}}
        usual = [plain]
        if plain.problems:
            return {**row, 'skip': f'without libprof: {"; ".join(plain.problems)}'[:300]}
        for mode in modes:
            if mode == 'storm' and not case.storm:
                continue
            number = signal.SIGRTMIN + 7 if own_usr2 else signal.SIGUSR2
            result, profiles, sent, _ = one_run(case, mode, top, number)
            # unasked, only profiles with samples are written
            if not profiles and (mode == 'exact' or sent and not own_usr2):
                result.problems.append('no profile')
            wrong = result.problems + list(differences(plain, result))
            if wrong and not result.problems:
                wrong, note = compare_with_itself(case, top, usual, result, wrong)
                if note:
                    row.setdefault('notes', []).append(note)
            if case.count:
                row['count'] = re.search(case.count, plain.visible['stdout']).group(0)
            row['modes'][mode] = {'wrong': wrong, 'seconds': round(result.seconds, 2),
                                  'profiles': profiles, 'sent': sent}
        return row


def table(rows):
    newest = max((row.get('date', '') for row in rows), default='')
    out = ['| program | without | ' + ' | '.join(MODES) + ' |', '|---|---|' + '---|' * len(MODES)]
    for row in rows:
        if 'skip' in row:
            out.append(f'| {row["name"]} | skipped: {row["skip"]} | | | |')
            continue
        cells = []
        for mode in MODES:
            run = row['modes'].get(mode)
            if not run:
                cells.append('')
                continue
            text = f'{run["seconds"]} s, {run["profiles"]} profiles'
            if mode == 'storm':
                text += f', {run["sent"]} signals' + (' (RTMIN+7)' if row['own_usr2'] else '')
            cells.append(('ok, ' if not run['wrong'] else '**differs**, ') + text)
        more = [*([row['count']] if 'count' in row else []), *sorted(set(row.get('notes', [])))]
        if row.get('date') != newest:
            more.append(f'run {row.get("date", "before 2026-11-22")}')
        name = row['name'] + (f' ({"; ".join(more)})' if more else '')
        out.append(f'| {name} | {row["plain"]} s | ' + ' | '.join(cells) + ' |')
    return '\n'.join(out) + '\n'


HEAD = '''# Unmodified programs under libprof

Generated by `scripts/matrix`. Compared with the run without libprof: exit status, output, error
output, files made, processes left; for servers what their client got, and the server's descriptors and threads when
idle. Every profile must be readable, none unfinished. default: as it comes. exact: every allocation, 1000 Hz.
storm: a dump asked for ten times a second of every process (by a real-time signal where the program uses SIGUSR2 itself);
it pauses while a server's descriptors and threads are counted, once they have been the same for two seconds.
Seconds are from one run on a busy machine: they show that nothing hangs, not what libprof costs.

'''


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--short', action='store_true')
    parser.add_argument('--jobs', type=int, default=2)
    parser.add_argument('--out', help='the table, in Markdown')
    parser.add_argument('--rows', help='keeps the rows, so that names can be run again')
    parser.add_argument('--none', action='store_true', help='only write the table')
    parser.add_argument('--packages', action='store_true', help='list the packages that are needed')
    parser.add_argument('--one', help=argparse.SUPPRESS)
    parser.add_argument('names', nargs='*')
    arguments = parser.parse_args()
    if arguments.packages:
        print(*sorted({p for case in CASES.values() for p in case.packages}))
        return 0
    if arguments.one:
        print(json.dumps(run_case(CASES[arguments.one], ['exact', 'storm'] if arguments.short else MODES)))
        return 0
    names = [] if arguments.none else arguments.names or (SHORT if arguments.short else list(CASES))

    def row_of(name):
        missing = packages_missing(CASES[name])
        if missing:
            return {'name': name, 'skip': 'not available: ' + ' '.join(missing)}
        command = [sys.executable, os.path.abspath(__file__), '--one', name]
        try:
            done = subprocess.run(command + ['--short'] * arguments.short, capture_output=True,
                                  text=True, timeout=1500)
            if done.stderr.strip():
                print(name, done.stderr[-9000:], file=sys.stderr)
            return json.loads(done.stdout.splitlines()[-1])
        except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
            return {'name': name, 'plain': 0, 'own_usr2': False, 'modes': {
                'default': {'wrong': [f'the matrix itself: {error}'], 'seconds': 0, 'profiles': 0, 'sent': 0}}}

    rows, failed, kept = [], 0, {}
    if arguments.rows and os.path.exists(arguments.rows):
        with open(arguments.rows) as file:
            kept = json.load(file)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for row in pool.map(row_of, names):
            rows.append(row)
            kept[row['name']] = row
            if arguments.rows:
                with open(arguments.rows, 'w') as file:
                    json.dump(kept, file)
            if 'skip' in row:
                print(f'skip {row["name"]}: {row["skip"]}', flush=True)
                continue
            wrong = [f'{mode}: {w}' for mode, run in row['modes'].items() for w in run['wrong']]
            failed += bool(wrong)
            print(('not ok ' if wrong else 'ok ') + row['name'], row['plain'],
                  *(run['seconds'] for run in row['modes'].values()), flush=True)
            for line in wrong:
                print('    ' + line, flush=True)
    if arguments.out:
        shown = [kept[name] for name in CASES if name in kept]
        done = [row for row in shown if 'skip' not in row]
        differing = sum(any(run['wrong'] for run in row['modes'].values()) for row in done)
        with open(arguments.out, 'w') as file:
            file.write(HEAD + f'{len(done)} programs, {differing} with differences, {len(shown) - len(done)} '
                       f'skipped; {max((row.get("date", "") for row in done), default="")}, where a row does not say otherwise.\n\n' + table(shown))
    print(f'{len(rows)} programs, {failed} with differences')
    return failed != 0


if __name__ == '__main__':
    sys.exit(main())
