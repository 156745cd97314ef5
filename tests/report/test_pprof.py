"""Every report equals `go tool pprof`'s, to the letter, on profiles Go wrote."""

import os
import re
import subprocess
import unittest

from case import GO, HERE, PROF, Case

KINDS = ["heap", "allocs", "goroutine", "threadcreate", "block", "mutex"]
PROFILES = [f"{k}.pb.gz" for k in KINDS] + ["cpu.pb.gz", "heap1.pb.gz", "heap.txt", "allocs.txt",
                                            "goroutine.txt", "block.txt", "mutex.txt"]
OPTIONS = [[], ["-cum"], ["-lines"], ["-files"], ["-addresses"], ["-filefunctions"], ["-noinlines"],
           ["-focus=main"], ["-ignore=runtime"], ["-hide=runtime"], ["-show=main"],
           ["-show_from=main"], ["-prune_from=main"], ["-nodecount=3"], ["-nodefraction=0.1"],
           ["-edgefraction=0.2"], ["-trim=false"], ["-mean"], ["-sample_index=0"], ["-unit=ms"],
           ["-divide_by=3"], ["-tagfocus=req"], ["-tagignore=64b:"], ["-tagroot=user"],
           ["-tagleaf=bytes"], ["-relative_percentages", "-focus=leaf"], ["-compact_labels"]]
BASES = [["-base", "heap1.pb.gz"], ["-diff_base", "heap1.pb.gz"],
         ["-diff_base", "heap1.pb.gz", "-drop_negative"],
         ["-diff_base", "heap1.pb.gz", "-normalize", "-sample_index=alloc_space"]]


@unittest.skipUnless(GO, "go is not installed")
class SameAsPprof(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        done = cls.run_it(cls, GO, "build", "-o", "workload", os.path.join(HERE, "workload.go"))
        assert done.returncode == 0, done.stderr
        done = cls.run_it(cls, cls.dir + "/workload")
        assert done.returncode == 0, done.stderr

    def both(self, report, symbol, options, *files):
        wanted = self.run_it(GO, "tool", "pprof", "-symbolize=none",
                             f"-{report}={symbol}" if symbol else f"-{report}", *options, *files)
        found = self.prof(report, "-q", *options, *([symbol] if symbol else []), *files)
        what = f"{report} {symbol} {options} {files}: {found.stderr}"
        self.assertEqual(found.stdout, wanted.stdout, what)
        self.assertEqual(found.returncode == 0, wanted.returncode == 0, what)

    def test_top(self):
        for f in PROFILES:
            for options in OPTIONS:
                self.both("top", None, options, f)

    def test_tree_traces_tags_raw(self):
        for report in ["tree", "traces", "tags", "raw"]:
            for f in PROFILES:
                for options in ([], ["-focus=main"], ["-sample_index=0"], ["-lines"]):
                    self.both(report, None, options, f)
            for options in OPTIONS:
                self.both(report, None, options, "cpu.pb.gz")

    def test_peek_and_list(self):
        for f in PROFILES:
            for symbol in ["main", "leaf|build", r"main\.(work|mid)"]:
                self.both("peek", symbol, [], f)
                self.both("peek", symbol, ["-lines"], f)
                self.both("list", symbol, [], f)
                self.both("list", symbol, ["-sample_index=0"], f)

    def test_bases_and_sums(self):
        for report in ["top", "tree", "traces", "raw"]:
            for options in BASES:
                self.both(report, None, options, "heap.pb.gz")
            self.both(report, None, [], "heap.pb.gz", "heap1.pb.gz")
            self.both(report, None, [], "heap.txt", "heap1.pb.gz")

    def test_what_prof_writes(self):
        """Files of ours say the same in Go's tool as the ones they were made of."""
        def top(*files):
            done = self.run_it(GO, "tool", "pprof", "-symbolize=none", "-top", *files)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout
        for f in PROFILES:
            if not f.endswith(".txt"):
                self.prof_ok("symbolize", "-q", f, "-o", "out.pb.gz")
                self.assertEqual(top("out.pb.gz"), top(f), f)
        self.prof_ok("merge", "heap.pb.gz", "heap1.pb.gz", "-o", "sum.pb.gz")
        self.assertEqual(top("sum.pb.gz"), top("heap.pb.gz", "heap1.pb.gz"))
        self.prof_ok("filter", "-focus", "build", "heap.pb.gz", "-o", "part.pb.gz")
        self.assertIn("main.build", top("part.pb.gz"))
        self.assertNotIn("runtime.malg", top("part.pb.gz"))

    def values(self, path):
        """The sorted sample values of a profile, as Go's tool reads them."""
        raw = self.run_it(GO, "tool", "pprof", "-symbolize=none", "-raw", path)
        self.assertEqual(raw.returncode, 0, raw.stderr)
        lines = raw.stdout.split("Samples:\n")[1].split("Locations\n")[0].splitlines()[1:]
        return sorted(tuple(map(int, line.split(":")[0].split())) for line in lines
                      if line.split(":")[0].split()[0].lstrip("-").isdigit())

    def test_text_parses_back(self):
        for kind in KINDS:
            if kind == "threadcreate":
                continue  # Go's stacks are empty there, and its tool drops those
            with open(self.path(kind + ".ours"), "w") as out:
                out.write(self.prof_ok("text", "-q", kind + ".pb.gz"))
            self.assertEqual(self.values(kind + ".ours"), self.values(kind + ".pb.gz"), kind)

    def test_text_looks_like_gos(self):
        """The same frames, lines and alignment. (Go gives inlined callers made-up
        addresses, so those are left out.)"""
        def frames(text):
            return {re.sub("0x[0-9a-f]+", "0x", line) for line in text.splitlines()
                    if line.startswith("#\t")}
        for kind in ["mutex", "goroutine"]:  # heaps move on between the two files
            gos = open(self.path(kind + ".txt")).read()
            ours = self.prof_ok("text", "-q", kind + ".pb.gz")
            self.assertEqual(ours.split("\n")[0].split(":")[0], gos.split("\n")[0].split(":")[0])
            common = frames(ours) & frames(gos)
            self.assertGreater(len(common), 0.6 * len(frames(gos)), kind)


@unittest.skipUnless(GO, "go is not installed")
class SameOnOurOwn(SameAsPprof):
    """The same for what libprof wrote of a native program, with names filled in."""

    WORK = "my %h; $h{$_ % 5000} .= sprintf('%s-%d', 'x' x ($_ % 300), $_) for 1..120000;"

    @classmethod
    def setUpClass(cls):
        Case.setUpClass.__func__(cls)
        env = dict(cls.env, LD_PRELOAD=os.environ["LIBPROF_SO"], LIBPROF_DIR=cls.dir + "/dumps",
                   LIBPROF_HEAP_RATE="4096", LIBPROF_CPU_HZ="250")
        subprocess.run(["perl", "-e", cls.WORK], env=env, check=True)
        cls.kinds = []
        for name in sorted(os.listdir(cls.dir + "/dumps")):
            kind = name.split(".")[-3]
            done = cls.run_it(cls, PROF, "symbolize", "-q", "dumps/" + name, "-o", kind + ".pb.gz")
            assert done.returncode == 0, done.stderr
            cls.kinds.append(kind)
        assert "heap" in cls.kinds, cls.kinds

    def every(self, reports, options):
        for kind in self.kinds:
            for report in reports:
                for option in options:
                    self.both(report, None, option, kind + ".pb.gz")

    def test_top(self):
        self.every(["top"], OPTIONS)

    def test_tree_traces_tags_raw(self):
        self.every(["tree", "traces", "tags", "raw"], [[], ["-cum"], ["-lines"]])

    def test_peek_and_list(self):
        for kind in self.kinds:
            self.both("peek", "Perl_.*", [], kind + ".pb.gz")
            self.both("list", "main", [], kind + ".pb.gz")

    def test_bases_and_sums(self):
        self.both("top", None, ["-base", "heap.pb.gz"], "heap.pb.gz")
        self.both("top", None, [], "heap.pb.gz", "heap.pb.gz")

    def test_what_prof_writes(self):
        self.prof_ok("merge", "heap.pb.gz", "heap.pb.gz", "-o", "sum.pb.gz")
        self.both("top", None, [], "sum.pb.gz")

    def test_text_parses_back(self):
        """Off by one object at most where libprof rounded and Go would have truncated."""
        with open(self.path("heap.ours"), "w") as out:
            out.write(self.prof_ok("text", "-q", "heap.pb.gz"))
        ours, wanted = self.values("heap.ours"), self.values("heap.pb.gz")
        self.assertEqual(len(ours), len(wanted))
        for i in range(4):
            a, b = sum(v[i] for v in ours), sum(v[i] for v in wanted)
            self.assertLessEqual(abs(a - b), 0.001 * b + 2)

    def test_text_looks_like_gos(self):
        text = self.prof_ok("text", "-q", "heap.pb.gz")
        self.assertRegex(text, r"(?m)^#\t0x[0-9a-f]+\tPerl_\w+\+0x[0-9a-f]+\t+/")


if __name__ == "__main__":
    unittest.main()
