"""Bad input and bad command lines: one clear line, exit status, nothing left behind."""

import gzip
import os
import subprocess
import unittest

from case import Case

HEAP = ("heap profile: 3: 300 [5: 500] @ heap/2\n"
        "2: 200 [3: 300] @ 0x1001 0x2001\n"
        "1: 100 [2: 200] @ 0x3001 0x2001\n"
        "--- Memory map: ---\n"
        "00001000-00003000 r-xp 00000000 08:01 4 /nowhere/app\n"
        "00003000-00004000 r-xp 00000000 08:01 5 /nowhere/libx.so.1\n")


class Input(Case):
    def setUp(self):
        self.write("heap.txt", HEAP.encode())
        self.prof_ok("merge", "heap.txt", "-o", "heap.pb.gz")

    def write(self, name, data):
        with open(self.path(name), "wb") as out:
            out.write(data)
        return name

    def refuse(self, status, expected, *arguments):
        done = self.prof(*arguments)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stderr}")
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(expected, done.stderr)
        self.assertEqual(done.stdout, "")

    def test_bad_files(self):
        data = open(self.path("heap.pb.gz"), "rb").read()
        raw = gzip.decompress(data)
        for name, content, expected in [
            ("empty", b"", "empty"),
            ("cut.gz", data[:-9], "truncated"),
            ("cut", raw[:len(raw) // 2], "truncated"),
            ("noise", b"\x07\x03noise" * 9, "unrecognized profile format"),
            ("words", b"this is no profile\n", "unrecognized profile format"),
            ("absurd", b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7fx", "claims 9223372036854775807"),
            ("bad.txt", HEAP.replace("2: 200 [", "0: 200 [").encode(), "inuse count was 0"),
        ]:
            self.write(name, content)
            for command in ["top", "text", "raw", "stats", "leaks"]:
                self.refuse(1, f"prof: {name}: ", command, "-q", name)
                self.refuse(1, expected, command, "-q", name)
            self.refuse(1, expected, "symbolize", "-q", name, "-o", "never.pb.gz")
            self.assertFalse(os.path.exists(self.path("never.pb.gz")))

    def test_bomb(self):
        """A few kB of gzip that hold half a GiB of zeros are not unpacked."""
        block = gzip.compress(bytes(1 << 24), 9)
        self.write("bomb", block * 33)
        self.refuse(1, "larger than 512 MiB", "top", "-q", "bomb")

    def test_stats_of_a_stripped_program(self):
        """Its own account of its memory; stacks that end in a _start without a name count."""
        env = dict(self.env, LD_PRELOAD=os.environ["LIBPROF_SO"], LIBPROF_HEAP_RATE="1",
                   LIBPROF_DIR=self.path("told"))
        subprocess.run(["ls", "/"], env=env, check=True, stdout=subprocess.DEVNULL)
        text = self.prof_ok("stats", "-q", "told")
        for line in ["heap at its largest +[0-9.]+[kM]B", "resident at most +[0-9.]+MB",
                     r"complete +(\d+) \( +100% reach"]:
            self.assertRegex(text, line)

    def test_run_refuses_a_bad_directory(self):
        """Before the program runs, not after hours."""
        self.refuse(126, "prof: heap.txt: no profiles can be written there: Not a directory",
                    "run", "-o", "heap.txt", "touch", "ran")
        self.assertFalse(os.path.exists(self.path("ran")))
        # Parents are made; nothing stays of it when there is nothing to write.
        self.assertEqual(self.prof("run", "-o", "new/deep", "true").returncode, 0)
        self.assertEqual(os.listdir(self.path("new")), [])

    def test_directory_of_programs(self):
        """Whose dumps are added up is told, and can be chosen."""
        os.mkdir(self.path("mixed"))
        with open(self.path("heap.pb.gz"), "rb") as file:
            data = file.read()
        for name in ["cc1.11.0001.heap", "cc1.12.0001.heap", "cc1.12.0002.heap", "ld.gold.13.0001.heap",
                     "ld.gold.13.0001.cpu"]:
            self.write(f"mixed/{name}.pb.gz", data)
        done = self.prof("top", "--no-symbols", "mixed")
        self.assertEqual(done.stderr, "prof: mixed: 3 heap profiles added up: cc1 (2 processes), "
                         "ld.gold (pid 13); -program picks; -profile shows cpu\n")
        self.assertIn("900B total", done.stdout)
        for program, total, told in [
            ("cc1", "600B", "2 heap profiles added up: cc1 (2 processes)"),
            ("cc1.12", "300B", "mixed/cc1.12.0002.heap.pb.gz"),
            ("ld*", "300B", "mixed/ld.gold.13.0001.heap.pb.gz"),
        ]:
            done = self.prof("top", "--no-symbols", "-program", program, "mixed")
            self.assertIn(total + " total", done.stdout)
            self.assertIn(told, done.stderr)
        self.refuse(1, "of a program 'as' in this directory: there are cc1 (2 processes), ld.gold",
                    "top", "-program", "as", "mixed")

    def test_run_passes_arguments(self):
        """Options before the program are prof's; the program gets its own, all and only."""
        for options in [[], ["--"], ["-q", "-o", "dumps", "--"], ["-o", "dumps"]]:
            done = self.prof("run", *options, "printf", "<%s>", "a", "-b", "--", "c d")
            self.assertEqual((done.returncode, done.stdout), (0, "<a><-b><--><c d>"), options)

    def test_bad_places(self):
        self.refuse(1, "prof: nothing: No such file", "top", "-q", "nothing")
        os.makedirs(self.path("dir"), exist_ok=True)
        self.refuse(1, "prof: dir: no dumps", "top", "-q", "dir")
        self.refuse(1, "No such file", "merge", "heap.txt", "-o", "nodir/x")
        self.refuse(1, "is a directory", "merge", "heap.txt", "-o", "dir")
        self.assertEqual(os.listdir(self.path("dir")), [])
        self.refuse(1, "parsing focus regexp", "top", "-q", "-focus=(", "heap.txt")
        self.refuse(1, "no sample type 'moon': the profile has", "top", "-q", "-sample_index=moon",
                    "heap.txt")

    @unittest.skipIf(os.geteuid() == 0, "root may read everything")
    def test_no_permission(self):
        os.chmod(self.path("heap.txt"), 0)
        self.refuse(1, "prof: heap.txt: Permission denied", "top", "heap.txt")

    def test_full_disk(self):
        with open("/dev/full", "w") as full:
            import subprocess
            from case import PROF
            done = subprocess.run([PROF, "merge", self.path("heap.txt"), "-o", "-"], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertIn("No space left", done.stderr)

    def test_mixed_types(self):
        self.write("threads.txt", b"threads profile: total 1\n1 @ 0x1\n")
        self.refuse(1, "incompatible", "top", "-q", "heap.txt", "threads.txt")

    def test_bad_command_lines(self):
        self.refuse(2, "no command 'tpo': did you mean 'top'?", "tpo", "heap.txt")
        self.refuse(2, "no option --nodecuont: did you mean --nodecount?", "top", "--nodecuont", "3", "heap.txt")
        self.refuse(2, "no command 'quux': see prof --help", "quux")
        self.refuse(2, "no option --bogus", "top", "--bogus", "heap.txt")
        self.refuse(2, "needs a value", "top", "heap.txt", "-focus")
        self.refuse(2, "does not take 'many'", "top", "-n", "many", "heap.txt")
        self.refuse(2, "where to?", "merge", "heap.txt")
        self.refuse(2, "function", "peek", "heap.txt")

    def test_both_spellings(self):
        wanted = self.prof_ok("top", "-q", "-cum", "-nodecount=1", "heap.txt")
        for options in [["--cum", "--nodecount", "1"], ["-cum=true", "-n", "1"],
                        ["--cum", "-n=1"]]:
            self.assertEqual(self.prof_ok("top", "-q", *options, "heap.txt"), wanted)
            self.assertEqual(self.prof_ok("top", "heap.txt", "-q", *options), wanted)

    def test_directory_takes_newest(self):
        os.makedirs(self.path("dumps"), exist_ok=True)
        more = HEAP.replace("2: 200 [3: 300]", "9: 900 [9: 900]")
        for name, text in [("a.b.7.0001", HEAP), ("a.b.7.0002", more), ("a.b.8.0001", HEAP)]:
            self.write("one.txt", text.encode())
            self.prof_ok("merge", "one.txt", "-o", f"dumps/{name}.heap.pb.gz")
        self.assertIn("of 1300B total", self.prof_ok("top", "-q", "-unit=B", "dumps"))
        self.refuse(1, "no dump of kind 'cpu'", "top", "-profile", "cpu", "dumps")

    def test_missing_is_told(self):
        done = self.prof("top", "heap.txt")
        self.assertEqual(done.returncode, 0)
        self.assertIn("/nowhere/app (build id unknown): 2 of 2 addresses have no name: No such file",
                      done.stderr)
        self.assertIn("[libx.so.1]", done.stdout)

    def test_leaks(self):
        self.write("known.supp", b"# ours\nleak:libx.so*1$\n")
        out = self.prof_ok("leaks", "-q", "--suppressions", "known.supp", "heap.txt")
        self.assertIn("200 byte(s) in 2 object(s) allocated from:\n    #0 0x1000 (/nowhere/app)", out)
        self.assertIn("1        100 libx.so*1$", out)
        self.assertIn("SUMMARY: 200 byte(s) in 2 object(s) in use, allocated at 1 place(s)\n", out)
        self.write("bad.supp", b"leak:a\nrace:b\n")
        self.refuse(1, "line 2: 'race:b' is not leak:PATTERN", "leaks", "-q", "--suppressions",
                    "bad.supp", "heap.txt")

    def test_help(self):
        overview = self.prof_ok("--help")
        commands = [line.split()[0] for line in overview.splitlines() if line.startswith("  ")
                    and line[2].islower()]
        self.assertIn("symbolize", commands)
        for command in commands:
            text = self.prof_ok("help", command)
            self.assertIn("Usage: prof " + command, text)
            self.assertEqual(self.prof_ok(command, "--help"), text)
        self.assertIn("LIBPROF_HEAP_RATE", self.prof_ok("env"))


if __name__ == "__main__":
    unittest.main()
