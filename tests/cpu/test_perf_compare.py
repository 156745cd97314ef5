#!/usr/bin/env python3
"""The CPU profile against `perf record -e cpu-clock` of the very same run: self time of the ten
functions that perf finds hottest, in points of all samples; and how many of our
stacks reach the program's _start or a thread's start.

Most of these programs have no symbols, so functions are told apart by address: both
sides' addresses are those of one process, and .eh_frame_hdr says where functions start. The
kernel's time counts, on both sides, for the function that was in the kernel.

Arguments: prof, libprof.so. Within 2 points in the long form (LIBPROF_TEST_LONG), whose samples
are enough for that, else within 5. LIBPROF_CPU_HZ: of ours (250). Skips (77) without perf."""
import bisect
import glob
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.dont_write_bytecode = True
import pprof  # noqa: E402

library = os.path.abspath(sys.argv[2])
LONG = 6 if os.environ.get("LIBPROF_TEST_LONG") else 1
allowed = 2.0 if LONG > 1 else 5.0
rate = os.environ.get("LIBPROF_CPU_HZ", "250")

PYTHON = f"""
import json, re
d = {{str(i): [i, str(i), {{'a': i * 1.5}}] for i in range(20000)}}
for _ in range({20 * LONG}):
    json.loads(json.dumps(d))
    sorted(str(i * 7919 % 100003) for i in range(100000))
"""
SQL = f"""
create table t(a integer primary key, b text, c real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < {1200000 * LONG})
insert into t select i, 'row ' || (i * 7919 % 100003), i * 0.5 from n;
create index tb on t(b);
select count(*), sum(c) from t where b like '%99%';
select b, count(*) from t group by b order by 2 desc, 1 limit 3;
select count(*) from t x join t y on x.b = y.b where x.a % 7 = 0;
"""


def c_source():
    """Functions enough for cc1 to be busy with."""
    draw = random.Random(1).randrange
    lines = ["struct s { int a[16]; double d; };"]
    for n in range(350 * LONG):
        lines.append(
            f"int f{n}(struct s *s, int n) {{ int t = 0; for (int i = 0; i < n; i++) {{"
            f" if (s->a[i & 15] > {draw(99)}) t += s->a[(i * {draw(3, 99)}) & 15] ^ {draw(9999)};"
            f" else switch (t & 7) {{ case 1: t *= {draw(3, 99)}; break; case 2: s->d += t / 3.0;"
            f" break; case 5: t -= i << 2; default: t ^= s->a[t & 15]; }} }}"
            f" return t + (n ? f{max(0, n - 1)}(s, n - 1) : 0); }}")
    return "\n".join(lines)


def cc1():
    """The compiler proper: the driver execs it. Its path; None where it isn't installed."""
    path = shutil.which("gcc") and subprocess.run(
        ["gcc", "-print-prog-name=cc1"], capture_output=True, text=True).stdout.strip()
    return path if path and os.path.isabs(path) else None


def python3():
    """Its file: version managers put scripts before it."""
    return subprocess.run(["python3", "-c", "import sys; print(sys.executable)"],
                          capture_output=True, text=True).stdout.strip()


PROGRAMS = {
    "python3": ([python3(), "-c", PYTHON], ""),
    "sqlite3": ([shutil.which("sqlite3"), ":memory:"], SQL),
    "cc1": ([cc1(), "-quiet", "-O1", "-o", "/dev/null", "-"], c_source()),
}


class Functions:
    """Where the functions of an ELF file start, by file offset, and where the program does."""

    def __init__(self, path):
        self.starts, self.entry = [0], -1
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:  # [vdso]
            return
        entry, headers = struct.unpack_from("<QQ", data, 24)
        size, count = struct.unpack_from("<HH", data, 54)
        segments = [struct.unpack_from("<IIQQQQQQ", data, headers + n * size) for n in range(count)]
        loads = [(s[3], s[2], s[5]) for s in segments if s[0] == 1]  # address, offset, size

        def offset(address):
            return next((address - a + o for a, o, n in loads if a <= address < a + n), -1)

        self.entry = offset(entry)
        table = next((s for s in segments if s[0] == 0x6474E550), None)  # PT_GNU_EH_FRAME
        if table and data[table[2] + 2:table[2] + 4] == b"\x03\x3b":  # udata4 count, datarel sdata4
            number, = struct.unpack_from("<I", data, table[2] + 8)
            values = struct.unpack_from(f"<{2 * number}i", data, table[2] + 12)
            self.starts += sorted(offset(table[3] + start) for start in values[::2])


files = {}


class Places:
    """Which function an address of the profiled process is in."""

    def __init__(self, profile):
        self.mappings = profile.mappings
        for m in self.mappings:
            m["file"] = os.path.realpath(m["file"])
        self.files = {m["file"] for m in self.mappings}

    @staticmethod
    def in_file(file, offset):
        functions = files.get(file) or files.setdefault(file, Functions(file))
        start = functions.starts[bisect.bisect_right(functions.starts, offset) - 1]
        return file, start, functions.entry

    def place(self, address):
        for m in self.mappings:
            if m["start"] <= address < m["limit"]:
                return self.in_file(m["file"], address - m["start"] + m["offset"])
        return "?", 0, -1

    def function(self, address):
        return self.place(address)[:2]


def shares(counts):
    total = sum(counts.values())
    return {place: 100 * n / total for place, n in counts.items()}


def perf_counts(data, pid, places):
    """Samples by the innermost function outside the kernel, and names for them. perf says where
    in a file an address is, not where in the process."""
    text = subprocess.run(["perf", "script", "-i", data, "--pid", str(pid), "-F", "ip,sym,dso"],
                          capture_output=True, text=True).stdout
    counts, names = {}, {}
    for chain in text.split("\n\n"):
        for line in chain.strip().split("\n"):
            found = re.match(r"\s*([0-9a-f]+) (.*) \((.*)\)$", line)
            if not found or found[1].startswith("ffffffff"):  # the kernel's
                continue
            file = os.path.realpath(found[3])
            if file in places.files and not file.endswith("/libprof.so"):  # before exec; ours
                place = places.in_file(file, int(found[1], 16))[:2]
                counts[place] = counts.get(place, 0) + 1
                names[place] = found[2]
            break
    return counts, names


def our_counts(profile, places):
    """The same, and the share of stacks that end where programs and threads start."""
    weights = [s.values[profile.types.index("samples")] for s in profile.samples]
    counts, reached = {}, 0
    for sample, weight in zip(profile.samples, weights):
        place = places.function(sample.stack[0][0])
        counts[place] = counts.get(place, 0) + weight
        _, start, entry = places.place(sample.stack[-1][0])
        reached += weight * (start == entry)
    return counts, 100 * reached / sum(weights), sum(weights)


def compare(name, command, source):
    with tempfile.TemporaryDirectory() as directory:
        data = directory + "/perf.data"
        done = subprocess.run(
            ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", "997", "-o", data, "env",
             "LD_PRELOAD=" + library, "LIBPROF_DIR=" + directory, "LIBPROF_CPU_HZ=" + rate,
             "LIBPROF_PROFILES=cpu", f"LIBPROF_ONLY={name}*"] + command,
            input=source, text=True, capture_output=True)
        dumps = glob.glob(directory + "/*.cpu.pb.gz")
        if done.returncode != 0 or not dumps:
            print(f"skipped: perf can't record {name}: {done.stderr.strip()[-200:]}")
            return None
        profile = pprof.Profile(dumps[-1])
        places = Places(profile)
        pid = re.search(r"\.(\d+)\.\d{4}\.cpu", dumps[-1])[1]
        theirs, names = perf_counts(data, pid, places)
        ours, reached, samples = our_counts(profile, places)
    worst = 0
    print(f"{name}: {sum(theirs.values())} samples of perf's, {samples} of ours, {reached:.2f} % of "
          "which reach the start")
    theirs, ours = shares(theirs), shares(ours)
    for place in sorted(theirs, key=theirs.get, reverse=True)[:10]:
        difference = ours.get(place, 0) - theirs[place]
        worst = max(worst, abs(difference))
        label = names[place] if "unknown" not in names[place] else "%s+%#x" % (
            os.path.basename(place[0]), place[1])
        print(f"  {label:40} perf {theirs[place]:6.2f} %  ours {ours.get(place, 0):6.2f} %"
              f"  {difference:+.2f}")
    return worst <= allowed and reached >= 99


if not shutil.which("perf"):
    print("skipped: no perf")
    sys.exit(77)
chosen = sys.argv[3:] or list(PROGRAMS)
results = {name: compare(name, *PROGRAMS[name]) for name in chosen if PROGRAMS[name][0][0]}
if not results or None in results.values():
    sys.exit(77)
sys.exit(not all(results.values()))
