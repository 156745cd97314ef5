#!/usr/bin/env python3
"""Whose unlock is to blame, where that isn't plain."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import run, target, tests  # noqa: E402

MS = 100


def unlocks(kind):
    """-> ns waited at least and at most, what the profiles have for each function."""
    done = run([target('unlocks'), kind, str(MS)], block_rate=1, mutex_fraction=1)
    assert done.status == 0 and done.err == '', f'{done.status} {done.err}'
    least, most = (int(n) for n in done.out.split())

    def delay(name, function):
        if not done.files(name, 'unlocks'):
            return 0
        profile = done.profile(name, 'unlocks', symbolize=True)
        return profile.total('delay', lambda sample: function in profile.functions(sample))
    return least, most, delay


def an_unlock_that_fails_is_charged_nothing():
    least, most, delay = unlocks('stolen')
    assert least <= delay('block', 'waiter') <= most
    assert delay('mutex', 'thief') == 0
    assert least <= delay('mutex', 'holder') <= most, (least, delay('mutex', 'holder'), most)


def another_process_is_not_charged_to_an_unlock_of_this_one():
    least, most, delay = unlocks('shared')
    assert least <= delay('block', 'waiter') <= most, (least, delay('block', 'waiter'), most)
    assert delay('mutex', 'waiter') == 0


def who_was_cancelled_waits_no_more():
    least, most, delay = unlocks('abandoned')
    # not what the first one would have waited, from its cancellation to the unlock in between
    assert delay('mutex', 'abandoned') == 0
    assert least <= delay('mutex', 'holder') <= most, (least, delay('mutex', 'holder'), most)


tests(an_unlock_that_fails_is_charged_nothing,
      another_process_is_not_charged_to_an_unlock_of_this_one, who_was_cancelled_waits_no_more)
