#!/usr/bin/env python3
"""The CPU profile against `perf record -e cpu-clock` of the very same run: self time of
the ten functions that perf finds hottest, in points of all samples. By user time: what the kernel
does for a program stands under one address in ours, in many in perf's.

Arguments: prof, libprof.so. Within 2 points in the long form (LIBPROF_TEST_LONG), whose samples
are enough for that, else within 5. A program whose hot functions have no symbols
(perf's [unknown]) is shown, not judged. Skips (77) without perf."""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

prof, library = map(os.path.abspath, sys.argv[1:3])
LONG = 6 if os.environ.get("LIBPROF_TEST_LONG") else 1
allowed = 2.0 if LONG > 1 else 5.0

PYTHON = f"""
import json, re
d = {{str(i): [i, str(i), {{'a': i * 1.5}}] for i in range(20000)}}
for _ in range({20 * LONG}):
    json.loads(json.dumps(d))
    sorted(str(i * 7919 % 100003) for i in range(100000))
"""
SQL = f"""
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < {400000 * LONG})
insert into t select i, 'row ' || (i * 7919 % 100003), i * 0.5 from n;
create index tb on t(b);
select count(*), sum(c) from t where b like '%99%';
select b, count(*) from t group by b order by 2 desc, 1 limit 3;
select count(*) from t x join t y on x.b = y.b where x.a % 7 = 0;
"""
PROGRAMS = {
    "python3": (["python3", "-c", PYTHON], None),
    "sqlite3": (["sqlite3", ":memory:"], SQL),
}


def plain(name):
    """Without what compilers and versions hang on."""
    return re.split(r"[.@]", name.strip().lstrip("_"))[0]


def perf_shares(data):
    text = subprocess.run(["perf", "script", "-i", data, "-F", "ip,sym"], capture_output=True,
                          text=True).stdout
    counts = {}
    for line in text.splitlines():
        address, _, symbol = line.strip().partition(" ")
        if address and not address.startswith("ffff"):  # the kernel's
            counts[plain(symbol)] = counts.get(plain(symbol), 0) + 1
    total = sum(counts.values())
    return {name: 100 * n / total for name, n in counts.items()}, total


def our_shares(profile):
    text = subprocess.run([prof, "top", "-noinlines", "-trim=false", "-nodecount", "100000", "-unit",
                           "ms", "--quiet", profile], capture_output=True, text=True).stdout
    shares = {}
    for line in text.splitlines():
        found = re.match(r"\s*([\d.]+)(?:ms)?\s+[\d.]+%\s+[\d.]+%\s+[\d.]+(?:ms)?\s+[\d.]+%\s+(.+)$", line)
        if found:
            name = plain(re.sub(r"^.*\] ", "", found[2]))
            shares[name] = shares.get(name, 0) + float(found[1])
    total = sum(shares.values())
    return {name: 100 * n / total for name, n in shares.items()} if total else {}


def compare(name, command, source):
    with tempfile.TemporaryDirectory() as directory:
        data = directory + "/perf.data"
        done = subprocess.run(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", "997", "-o", data, "env",
             "LD_PRELOAD=" + library, "LIBPROF_DIR=" + directory, "LIBPROF_CPU_HZ=250",
             "LIBPROF_PROFILES=cpu", "LIBPROF_ONLY=" + name + "*"] + command,
            input=source, text=True, capture_output=True)
        dumps = glob.glob(directory + "/*.cpu.pb.gz")
        if done.returncode != 0 or not dumps:
            print(f"skipped: perf can't record {name}: {done.stderr.strip()[-200:]}")
            return None
        theirs, total = perf_shares(data)
        ours = our_shares(dumps[-1])
        worst = 0
        print(f"{name}: {total} samples of perf's")
        for function in sorted(theirs, key=theirs.get, reverse=True)[:10]:
            difference = ours.get(function, 0) - theirs[function]
            worst = max(worst, abs(difference))
            print(f"  {function:40} perf {theirs[function]:6.2f} %  ours {ours.get(function, 0):6.2f} %"
                  f"  {difference:+.2f}")
        return worst if theirs.get("[unknown]", 0) < 1 else 0


if not shutil.which("perf"):
    print("skipped: no perf")
    sys.exit(77)
results = {name: compare(name, *program) for name, program in PROGRAMS.items() if shutil.which(name)}
if not results or None in results.values():
    sys.exit(77)
sys.exit(any(worst > allowed for worst in results.values()))
