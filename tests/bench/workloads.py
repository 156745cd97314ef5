"""What is run: small loops that show one cost each, and programs that people use."""
import os
import random
import subprocess

import modes
import servers

BIN = modes.BIN


class Workload:
    """title; command(directory) -> argv, made once; ops: how many of `unit` one run does.

    only: the modes that make sense here, if not all.
    """

    def __init__(self, title, command, ops=0, unit='', env=None, only=None):
        self.title, self._command, self.ops, self.unit = title, command, ops, unit
        self.env, self.only, self._made = env or {}, only, None

    def run(self, mode, directory):
        if self._made is None:
            self._made = self._command(os.path.dirname(directory))
        return modes.finish(modes.start(self._made, mode, directory, self.env))

    def run_pair(self, pair, directory):
        """-> the Results of a run under each of two modes, in that order."""
        return [self.run(mode, directory) for mode in pair]


def _write(directory, name, text):
    path = os.path.join(directory, name)
    with open(path, 'w') as file:
        file.write(text)
    return path


def _sqlite3(directory):
    path = _write(directory, 'load.sql', """
create table item(id integer primary key, name text, price real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000)
insert into item select i, 'item number ' || (i * 7919 % 100000), i * 0.25 from n;
create index by_name on item(name);
select count(*), sum(length(name)) from item where name like '%99%';
select substr(name, 1, 14) as g, count(*), group_concat(id) from item group by g order by 2 desc limit 5;
select count(*) from (select distinct upper(name) || price from item order by 1);
select count(*) from item a join item b on a.name = b.name where a.id % 3 = 0;
select sum(length(printf('%s-%d-%f', name, id, price))) from item;
""")
    return ['sqlite3', ':memory:', f'.read {path}']


def _python3(directory):
    path = _write(directory, 'load.py', """
import json
data = [{'id': n, 'name': f'item {n}', 'tags': [f't{n % k}' for k in (2, 3, 5)],
         'at': {'x': n * 0.5, 'y': None}} for n in range(3000)]
for turn in range(16):
    text = json.dumps(data, indent=1)
    assert json.loads(text) == data
print(len(text))
""")
    return ['/usr/bin/python3', path]  # not whatever shim stands before it in PATH


def _cc1(directory):
    """A C file of 40 functions with loops, switches and structures, always the same."""
    rng = random.Random(1)
    parts = ['struct item { long a, b; struct item *next; char name[16]; };\n'
             'extern long use(struct item *, long);\n']
    for n in range(40):
        cases = '\n'.join(f'        case {k}: s ^= i->a * {rng.randrange(3, 99)} + x; '
                          f'if (s % {rng.randrange(3, 9)}) i->b += use(i, s); break;'
                          for k in range(8))
        parts.append(f"""
long function_{n}(struct item *i, long x)
{{
    long s = {rng.randrange(1000)}, table[16];
    for (int k = 0; k < 16; k++)
        table[k] = x * k + i->name[k];
    for (; i; i = i->next) {{
        switch ((i->a ^ s) & 7) {{
{cases}
        }}
        for (int k = 0; k < 16; k++)
            s += table[k] * (i->b >> (k & 3)){f' + function_{rng.randrange(n)}(i, k)' if n else ''};
    }}
    return s;
}}
""")
    path = _write(directory, 'load.c', ''.join(parts))
    cc1 = subprocess.run(['gcc', '-print-prog-name=cc1'], capture_output=True, text=True,
                         check=True).stdout.strip()
    return [cc1, '-quiet', '-O2', path, '-o', os.path.join(directory, 'load.s')]


HEAP = ('none', 'default', 'exact', 'heaptrack', 'jeprof')


def _c(program, *arguments):
    return lambda directory: [f'{BIN}/{program}', *map(str, arguments)]


WORKLOADS = {
    'pair': Workload('malloc+free, 12 frames', _c('pair', 3000000, 9), 3e6, 'pair',
                     only=HEAP + ('massif',)),
    'mixed': Workload('mixed sizes, depth 10', _c('mixed', 2000000, 1), 2e6, 'pair', only=HEAP),
    'mixed2': Workload('the same in 2 threads', _c('mixed', 1000000, 2), 2e6, 'pair', only=HEAP),
    'handoff': Workload('one thread allocates, another frees', _c('mixed', 1000000, 'handoff'),
                        1e6, 'pair', only=HEAP),
    'templates': Workload('C++, deep templates', _c('templates', 60), only=HEAP),
    'lock': Workload('uncontended mutex', _c('lock', 'pair', 20000000), 2e7, 'pair',
                     only=('none', 'default')),
    'spawn': Workload('fork, exec /bin/true, wait', _c('spawn', 150, '/bin/true'), 150, 'process',
                      only=('none', 'empty', 'default')),
    'sqlite3': Workload('sqlite3', _sqlite3),
    'python3': Workload('python3 json, PYTHONMALLOC=malloc', _python3,
                        env={'PYTHONMALLOC': 'malloc'}),
    'cc1': Workload('cc1 -O2', _cc1),
}
WORKLOADS.update(servers.SERVERS)
# What is asked for by a group's name.
GROUPS = {
    'heap': ('pair', 'mixed', 'mixed2', 'handoff', 'templates', 'sqlite3', 'python3', 'cc1'),
    'cpu': ('sqlite3', 'python3', 'cc1'),
    'programs': ('sqlite3', 'python3', 'cc1', 'redis'),
    'servers': ('redis-io', 'memcached', 'mariadb', 'postgresql'),
}
