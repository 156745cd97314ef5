#!/usr/bin/env python3
"""Sampled mode: unbiased for every size, in use as well as over the life."""
import math
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import PROF, run, target, tests  # noqa: E402

MIX = {8: 20000, 64: 10000, 512: 4000, 4096: 1500, 32768: 300, 262144: 60, 1048576: 20}
RATE = 524288
RUNS = 50


def collect():
    sums = {size: [0, 0, 0, 0] for size in MIX}
    for seed in range(1, RUNS + 1):
        done = run([target('alloc_mix')], seed=seed, heap_rate='512k', cpu_hz=0)
        assert done.status == 0 and done.err == '', done.err
        heap = done.profile('heap')
        assert heap.period == RATE
        for sample in heap.samples:
            size = sample.labels['bytes']
            if size in sums:
                sums[size] = [a + b for a, b in zip(sums[size], sample.values)]
    return {size: [v / RUNS for v in values] for size, values in sums.items()}


def means_are_within_three_standard_deviations():
    means = collect()
    for size, count in MIX.items():
        p = 1 - math.exp(-size / RATE)
        for inuse in (False, True):
            n = count / 2 if inuse else count
            sigma = math.sqrt(n * (1 - p) / p / RUNS)
            objects, space = means[size][2:] if inuse else means[size][:2]
            what = f'{size} bytes, {"in use" if inuse else "allocated"}'
            # Go's rule drops the fraction of an object (formats: scale truncates).
            assert abs(objects - n) <= 3 * sigma + 1, f'{what}: {objects:.1f} objects, not {n}'
            assert abs(space / size - n) <= 3 * sigma + 1e-3 * n, f'{what}: {space:.0f} bytes'


def top(done):
    """prof top of the heap profile: its notices, and its table."""
    shown = subprocess.run([PROF, 'top', '--no-symbols', '-unit', 'B', done.files('heap')[-1]],
                           capture_output=True, text=True, check=True)
    return shown.stderr, shown.stdout


def few_samples_are_told_with_their_error():
    """The error that prof top states is the one that the totals have, over many runs."""
    truth = sum(size * count for size, count in MIX.items()) / 2
    stated = actual = 0
    for seed in range(1, RUNS + 1):
        told, _ = top(run([target('alloc_mix')], seed=seed, heap_rate='4m', cpu_hz=0))
        found = re.search(r'some (\d+) samples: the total is ~(\d+)B \+- (\d+)B', told)
        assert found and '--exact' in told and 'LIBPROF_HEAP_RATE' in told, told
        samples, total, error = (int(n) for n in found.groups())
        assert samples < 30
        stated += error ** 2 / RUNS
        actual += (total - truth) ** 2 / RUNS
    print(f'stated {stated ** .5:.0f}, actual {actual ** .5:.0f}', flush=True)
    assert 0.6 < (stated / actual) ** 0.5 < 1.6


def many_samples_and_exact_figures_need_no_word():
    for rate in ('8k', '1'):
        told, table = top(run([target('alloc_mix')], heap_rate=rate, cpu_hz=0))
        assert 'samples' not in told and '~' not in told + table, told


def a_seed_repeats_a_run():
    def values(seed):
        heap = run([target('alloc_mix')], seed=seed, cpu_hz=0).profile('heap')
        return sorted((s.labels['bytes'], s.values) for s in heap.samples)
    assert values(7) == values(7)
    assert values(7) != values(8)


def rate_zero_is_off():
    assert run([target('alloc_mix')], heap_rate=0, cpu_hz=0).files('heap') == []


tests(means_are_within_three_standard_deviations, few_samples_are_told_with_their_error,
      many_samples_and_exact_figures_need_no_word, a_seed_repeats_a_run, rate_zero_is_off)
