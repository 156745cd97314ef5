#!/usr/bin/env python3
"""Sampled mode: unbiased for every size, in use as well as over the life."""
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import run, target, tests  # noqa: E402

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


def a_seed_repeats_a_run():
    def values(seed):
        heap = run([target('alloc_mix')], seed=seed, cpu_hz=0).profile('heap')
        return sorted((s.labels['bytes'], s.values) for s in heap.samples)
    assert values(7) == values(7)
    assert values(7) != values(8)


def rate_zero_is_off():
    assert run([target('alloc_mix')], heap_rate=0, cpu_hz=0).files('heap') == []


tests(means_are_within_three_standard_deviations, a_seed_repeats_a_run, rate_zero_is_off)
