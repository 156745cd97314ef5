#!/usr/bin/env python3
"""Exact mode by each engine: what is remembered between walks (unwind/memo.h) changes no stack.

libunwind walks every stack anew, by code of others: its profile is the reference, frame by frame.
"""
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../lib'))
from run import run, tests  # noqa: E402

SQL = '''
create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i+1 from n where i < 3000)
    insert into t select i, printf('%d-%s', i, hex(i)) from n;
create index x on t(b);
select count(*) from t a join t b on a.a = b.a + 1;
select length(group_concat(b)), count(distinct substr(b, 1, 2)) from t;
'''
PERL = '''
my %h;
sub walk { my $n = shift; return $n < 2 ? [$n] : [@{walk($n - 1)}, @{walk($n - 2)}] }
$h{$_ % 97} .= join ",", map { $_ * 2 } 1 .. 5 for 1 .. 3000;
eval { local $_ = $_; die { at => $_ } if $_ % 7 == 0 } for 1 .. 500;
print scalar(keys %h), " ", scalar(@{walk(15)}), "\\n";
'''


def stacks(command, engine, stdin):
    """-> {(size, frames as (file, address in it)): objects}, by which the profile differs."""
    done = run(command, stdin=stdin, heap_rate=1, cpu_hz=0, unwinder=engine, LIBPROF_DEPTH=1024,
               env_extra={'PERL_HASH_SEED': '0'})
    assert done.status == 0, (engine, done.status, done.err)
    profile = done.profile('heap', program=os.path.basename(command[0]))
    starts = {m['id']: (m['file'], m['start'] - m['offset']) for m in profile.mappings}
    found = collections.Counter()
    for sample in profile.samples:
        frames = []
        for address, mapping, _ in sample.stack:
            file, start = starts.get(mapping, ('', 0))
            frames.append((file, address - start))
        found[sample.labels.get('bytes'), tuple(frames)] += sample.values[0]
    return found


def same_stacks(command, stdin=None, of_a_name=0):
    """of_a_name: objects whose size depends on the directory's name, a random one's."""
    expected = stacks(command, 'libunwind', stdin)
    found = stacks(command, 'cfi', stdin)
    objects = sum(expected.values())
    assert objects > 10000 and len(expected) > 100, (objects, len(expected))
    assert sum(found.values()) == objects, (sum(found.values()), objects)
    others = sum((expected - found).values())
    print(f'{command[0]}: {objects} objects, {len(expected)} stacks, {others} elsewhere')
    assert others <= of_a_name, (expected - found).most_common(3) + (found - expected).most_common(3)


def statements():
    same_stacks(['sqlite3', ':memory:'], SQL)


def recursion_and_longjmp():
    same_stacks(['perl', '-e', PERL], of_a_name=8)


tests(statements, recursion_and_longjmp)
