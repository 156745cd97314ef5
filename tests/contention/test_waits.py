#!/usr/bin/env python3
"""Waits of known length: as long in the profiles, and on the right stacks."""
import glob
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from pprof import Profile  # noqa: E402
from run import PROF, environment, run, target, tests  # noqa: E402

EVERYTHING = {'block_rate': 1, 'mutex_fraction': 1}


def waits(*arguments, **settings):
    done = run([target('waits'), *map(str, arguments)], **settings)
    assert done.status == 0 and done.err == '', f'{done.status} {done.err}'
    return done


def symbolized(path, directory):
    out = path + '.sym'
    subprocess.run([PROF, 'symbolize', path, '-o', out], check=True, capture_output=True,
                   env={**os.environ, 'XDG_CACHE_HOME': directory})
    return out


def bounds(done):
    """ns: at least and at most so long did it wait, by the program's own clock."""
    return tuple(int(n) for n in done.out.split()[-2:])


def delay(profile, *functions, lock=None):
    """ns, and contentions, of the samples with all of these functions."""
    def wanted(sample):
        names = profile.functions(sample)
        return all(f in names for f in functions) and lock in (None, sample.labels.get('lock'))
    return profile.total('delay', wanted), profile.total('contentions', wanted)


def near(got, expected, share=0.05, what=''):
    assert abs(got - expected) <= share * expected, f'{what} {got} instead of {expected}'


def within(got, least, most, what=''):
    """Holds however busy the machine is: libprof's two readings of the clock lie
    between the program's outer and its inner two."""
    assert least <= got <= most, f'{what}: {got} is not in {least}..{most}'


def closely(check, ms):
    """Runs check(ms), which returns how far the bounds it checked were apart: [(least, most)].
    Bounds far apart prove little: then once more with waits twice as long."""
    apart = []
    for attempt in range(5):
        apart = check(ms)
        if all(most <= 1.05 * least for least, most in apart):
            return
        ms *= 2
    assert False, f'never quiet enough to tell: {apart}'


def n_waiters_wait_n_times_as_long():
    def check(ms):
        done = waits('held', 8, ms, **EVERYTHING)
        least, most = bounds(done)
        assert least >= 8 * ms * 1e6
        block, mutex = (done.profile(p, symbolize=True) for p in ('block', 'mutex'))
        assert block.types == mutex.types == ['contentions', 'delay']
        assert block.default_type == 'delay' and block.period == 1
        ns, count = delay(block, 'mutex_waiter', lock='mutex')
        within(ns, least, most, 'block')
        assert count == 8
        # the time that the waiters make each other wait is theirs
        ns, count = delay(mutex, 'mutex_holder', lock='mutex')
        within(ns, least, most, 'holder')
        assert count == 8
        within(delay(mutex)[0], least, most, 'mutex')
        return [(least, most)]
    closely(check, 50)


def the_leaf_is_the_function_that_waits():
    done = waits('held', 2, 20, **EVERYTHING)
    for profile, caller, leaf in (('block', 'mutex_waiter', 'pthread_mutex_lock'),
                                  ('mutex', 'mutex_holder', 'pthread_mutex_unlock')):
        profile = done.profile(profile, symbolize=True)
        found = [profile.functions(s) for s in profile.samples
                 if caller in profile.functions(s)]
        assert found and all(leaf in names[0] and names[1] == caller for names in found), found


def long_and_short_waits_count_alike():
    for settings in (EVERYTHING, {'mutex_fraction': 1}):
        for rounds, ms in ((500, 2), (1, 1000)):
            done = waits('rounds', rounds, ms, **settings)
            least, most = bounds(done)
            assert least >= rounds * ms * 1e6
            for name, function in (('block', 'mutex_waiter'), ('mutex', 'mutex_holder')):
                ns, count = delay(done.profile(name, symbolize=True), function, lock='mutex')
                within(ns, least, most, f'{name} of {rounds} waits')
                near(count, rounds, 0.001)


def the_defaults_miss_no_long_wait():
    for arguments, count in ((('rounds', 1, 50), 1), (('rounds', 10, 5), 10), (('held', 3, 50), 3)):
        for seed in range(1, 4):
            done = waits(*arguments, seed=seed)
            least, most = bounds(done)
            for name, function in (('block', 'mutex_waiter'), ('mutex', 'mutex_holder')):
                ns, found = delay(done.profile(name, symbolize=True), function, lock='mutex')
                within(ns, least, most, f'{name} of {arguments}')
                assert found == count, f'{name} of {arguments}: {found} waits'


def a_deadlock_shows_in_a_snapshot():
    with tempfile.TemporaryDirectory() as directory:
        program = subprocess.Popen([target('deadlock')], env=environment(directory),
                                   stdout=subprocess.PIPE, text=True)
        try:
            program.stdout.readline()  # all of them wait
            start = time.monotonic()
            delays = []
            for dump in (1, 2):
                time.sleep(0.3)
                program.send_signal(signal.SIGUSR2)
                files = []
                while len(files) < dump and time.monotonic() < start + 30:
                    time.sleep(0.02)
                    files = sorted(glob.glob(f'{directory}/deadlock.*.block.pb.gz'))
                assert len(files) == dump, os.listdir(directory)
                profile = Profile(symbolized(files[-1], directory))
                ns, count = delay(profile, 'take_second', lock='mutex')
                assert count == 3 and ns > 3 * 0.3e9, (count, ns)
                assert delay(profile, 'read_what_is_written', lock='rwlock')[1] == 1
                delays.append(ns)
            # three threads, and 0.3 s between the dumps
            assert 3 * 0.3e9 < delays[1] - delays[0] < 3 * (time.monotonic() - start) * 1e9, delays
        finally:
            program.kill()
            program.communicate()


def sampling_keeps_the_sums():
    # Mutex's variance is below that of drawing one wait in `fraction`: (fraction - 1) * the sum
    # of squares. Block's, with probability wait/rate, is less than rate * the sum.
    done = waits('rounds', 4000, 1, block_rate='20ms', mutex_fraction=20)
    least, most = bounds(done)
    squares = int(done.out.split()[1]) * 1e6
    for name, function, variance in (('block', 'mutex_waiter', 20e6 * most),
                                     ('mutex', 'mutex_holder', 19 * squares + 20e6 * most)):
        ns, count = delay(done.profile(name, symbolize=True), function)
        spread = 5 * variance ** 0.5
        within(ns, least - spread, most + spread, name)
        near(count, 4000, 0.4, what=name)


def storm_keeps_the_sums(kind, unlocked):
    """One call or wait in 64 is looked at, and stands for 64, no whole number of times FRACTION:
    over many runs the error is chance's.
    Rate 2 records all that is looked at, so that nothing else is thinned. unlocked: at least this
    share of a wait is over when its unlock comes; the rest is the way from there to the waiter."""
    WEIGHT, FRACTION, RUNS = 64, 3, 12
    for attempt in range(4):
        found = {'block': [0, 0], 'mutex': [0, 0]}
        least = most = 0
        for seed in range(1, RUNS + 1):
            done = waits('storm', 4000, *kind, block_rate=2, mutex_fraction=FRACTION,
                         seed=seed + attempt * RUNS)
            squares = int(done.out.split()[1]) * 1e6
            low, high = bounds(done)
            least, most = least + low, most + high
            for name in found:
                found[name][0] += delay(done.profile(name, symbolize=True), 'storm_lock')[0]
                found[name][1] += (WEIGHT - 1) * squares
        for name, share in (('block', 1), ('mutex', unlocked)):
            ns, sigma = found[name][0], found[name][1] ** 0.5
            print(f'{name}: {ns / 1e6:.1f} ms, of {least / 1e6:.1f} to {most / 1e6:.1f}, sigma '
                  f'{sigma / 1e6:.1f}', flush=True)
            within(ns, share * least - 4 * sigma, most + 4 * sigma, name)
        # A few waits of milliseconds, on a busy machine, prove little: once more then.
        if found['mutex'][1] ** 0.5 < most / 8:
            return
    assert False, 'never quiet enough to tell'


def storms_of_calls_keep_the_sums():
    storm_keeps_the_sums((), 0.4)


def storms_of_waits_keep_the_sums():
    storm_keeps_the_sums(('spin',), 0.8)


def every_kind_is_seen():
    # function that waits; function that makes wait, where the mutex profile has it
    kinds = {'rwlock': ('rwlock_wait', 'rwlock_hold', 'rwlock'),
             'spin': ('spin_wait', 'spin_hold', 'spinlock'),
             'cond': ('cond_wait', None, 'condition'),
             'sem': ('sem_waiter', None, 'semaphore'),
             'barrier': ('barrier_waiter', None, 'barrier'),
             'join': ('join_waiter', None, 'thread'),
             'c11': ('c11_wait', 'c11_hold', 'mutex'),
             'recursive': ('recursive_wait', 'recursive_hold', 'mutex')}
    for kind, (waiter, holder, label) in kinds.items():
        done = waits('kind', kind, 100, **EVERYTHING)
        block = done.profile('block', symbolize=True)
        least, most = bounds(done)
        assert least >= 100e6
        within(delay(block, waiter, lock=label)[0], least, most, kind)
        if holder:
            mutex = done.profile('mutex', symbolize=True)
            within(delay(mutex, holder, lock=label)[0], least, most, kind)
            # the inner unlock of a recursive mutex lets nobody go
            assert delay(mutex, 'inner_unlock') == (0, 0)
        else:
            assert not done.files('mutex') or delay(done.profile('mutex'))[0] < 10e6


def free_locks_give_nothing():
    done = waits('free', 100000, **EVERYTHING)
    assert not done.files('block') and not done.files('mutex'), done.files()


def off_is_off():
    done = waits('held', 2, 20, block_rate=0, mutex_fraction=0)
    assert not done.files('block') and not done.files('mutex')
    done = waits('held', 2, 20, profiles='block', block_rate=1)
    assert done.files('block') and not done.files('mutex')
    done = waits('held', 2, 20, profiles='mutex', mutex_fraction=1)
    assert done.files('mutex') and not done.files('block')


def a_child_charges_its_own_waits_only():
    # the child's threads, not the parent's that were waiting at the fork
    done = waits('fork', **EVERYTHING)
    for line in done.out.splitlines():
        pid, least, most = (int(n) for n in line.split())
        files = [f for f in done.files('mutex') if f'.{pid}.' in os.path.basename(f)]
        assert len(files) == 1, done.files()
        within(Profile(files[0]).total('delay'), least, most, line)
    assert len(done.out.splitlines()) == 2


tests(n_waiters_wait_n_times_as_long, the_leaf_is_the_function_that_waits,
      long_and_short_waits_count_alike, the_defaults_miss_no_long_wait,
      a_deadlock_shows_in_a_snapshot, sampling_keeps_the_sums, storms_of_calls_keep_the_sums,
      storms_of_waits_keep_the_sums, every_kind_is_seen,
      free_locks_give_nothing, off_is_off, a_child_charges_its_own_waits_only)
