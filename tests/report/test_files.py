"""Names from files that are hard to get at: not at their path, packed, or without headers."""

import os
import random
import shutil
import struct
import subprocess
import sys
import unittest

from case import Case

# Prints its own stack and mappings; with an argument, waits then until its input ends.
PROGRAM = r"""
#include <stdio.h>
static inline __attribute__((always_inline)) void *inner(void)
{
    void *here;
    asm volatile("lea 0(%%rip), %0\nnop" : "=r"(here));
    return here;
}
__attribute__((noinline)) void *outer_function(void) { return inner(); }
int main(int argc, char **argv)
{
    char line[4096];
    printf("threads profile: total 1\n1 @ 0x%lx\n", (long)outer_function());
    puts("\n--- Memory map: ---");
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), maps))
        fputs(line, stdout);
    puts("end");
    fflush(stdout);
    return argc > 1 ? getchar() == 0 : 0;
}
"""
FULL = ["inner", "outer_function"]


class Files(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(cls.dir + "/app.c", "w") as out:
            out.write(PROGRAM)

    def build(self, *flags):
        done = self.run_it("gcc", "-O1", *flags, "-o", "app", "app.c")
        self.assertEqual(done.returncode, 0, done.stderr)

    def names(self, *options):
        text = self.prof_ok("traces", "-q", "--no-cache", *options, "app.txt")
        return [line[13:].replace(" (inline)", "") for line in text.splitlines()
                if line.startswith(" ")]

    def run_app(self):
        with open(self.path("app.txt"), "w") as out:
            subprocess.run([self.path("app")], stdout=out, check=True)

    # ---- A process that runs, and whose file is not at its path ----

    def names_alive(self, command, meanwhile=lambda: None, **options):
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                 cwd=self.dir, **options)
        with child, open(self.path("app.txt"), "w") as out:
            for line in iter(child.stdout.readline, "end\n"):
                self.assertTrue(line, "the program ended early")
                out.write(line)
            out.flush()
            meanwhile()
            names = self.names("--pid", str(child.pid))
            child.stdin.close()
        return names

    def test_a_deleted_file(self):
        self.build("-g")
        self.assertEqual(self.names_alive(["./app", "wait"], lambda: os.unlink(self.path("app"))),
                         FULL)

    def test_a_file_that_was_upgraded_in_place(self):
        def upgrade():
            self.run_it("gcc", "-O0", "-g", "-Dinner=newer", "-o", "new", "app.c")
            os.rename(self.path("new"), self.path("app"))
        self.build("-g", "-Wl,--build-id=none")
        self.assertEqual(self.names_alive(["./app", "wait"], upgrade), FULL)

    def test_a_memfd(self):
        self.build("-g")
        start = ("import os, sys; fd = os.memfd_create('a program', 0);"
                 "os.write(fd, open('app', 'rb').read()); os.execve(fd, ['app', 'wait'], {})")
        self.assertEqual(self.names_alive([sys.executable, "-c", start]), FULL)

    def test_another_mount_namespace(self):
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode:
            self.skipTest("this user may not make a mount namespace")
        self.build("-g")
        os.makedirs(self.path("inside"), exist_ok=True)
        script = "mount -t tmpfs none inside && cp app inside/app && exec inside/app wait"
        self.assertEqual(self.names_alive(["unshare", "-m", "sh", "-c", script]), FULL)

    def test_another_process_by_that_id(self):
        """The id may be used again: another process's file is not taken."""
        self.build("-g")
        self.run_app()
        os.rename(self.path("app"), self.path("moved"))
        self.assertNotIn("outer_function", self.names("--pid", str(os.getpid())))

    def test_a_path_that_is_no_file(self):
        """Reading a FIFO waits for a writer: a profile may name one."""
        os.mkfifo(self.path("fifo"))
        with open(self.path("app.txt"), "w") as out:
            out.write("threads profile: total 1\n1 @ 0x400010\n\n--- Memory map: ---\n"
                      f"400000-401000 r-xp 00000000 08:01 77 {self.path('fifo')}\n")
        self.assertNotIn("outer_function", self.names())

    # ---- Forms of the file ----

    def test_no_section_headers(self):
        """sstrip leaves what the loader needs: the dynamic symbols."""
        for style in ["gnu", "sysv", "both"]:
            with self.subTest(style=style):
                self.build("-rdynamic", f"-Wl,--hash-style={style}")
                with open(self.path("app"), "r+b") as app:
                    app.seek(0x28)
                    app.write(struct.pack("<Q", 0))  # e_shoff
                    app.seek(0x3c)
                    app.write(struct.pack("<HH", 0, 0))  # e_shnum, e_shstrndx
                self.run_app()
                self.assertEqual(self.names(), ["outer_function"])

    def test_damaged_headers(self):
        """Sizes, places and counts that lie: names may be lost, nothing else."""
        numbers = [0, 1, 7, 0xffff, 0x7fffffff, 0xffffffff, 1 << 63, (1 << 64) - 8, (1 << 64) - 1]
        chance = random.Random(1)
        for flags in (["-g"], ["-rdynamic", "-Wl,--hash-style=sysv"],
                      ["-rdynamic", "-Wl,--hash-style=gnu"]):
            self.build(*flags)
            self.run_app()
            with open(self.path("app"), "rb") as file:
                whole = file.read()
            programs, sections = struct.unpack_from("<QQ", whole, 32)
            places = [sections + 4 * n for n in range((len(whole) - sections) // 4 - 1)]
            places += [programs + 8 * n for n in range(7 * struct.unpack_from("<H", whole, 56)[0])]
            dynamic = next(struct.unpack_from("<IIQQQQQQ", whole, programs + 56 * n)
                           for n in range(20) if whole[programs + 56 * n] == 2)
            entries = [dynamic[2] + 8 * n for n in range(dynamic[5] // 8)]
            for turn in range(100):
                damaged = bytearray(whole)
                if flags != ["-g"] and turn % 2:
                    struct.pack_into("<Q", damaged, 0x28, 0)  # e_shoff
                    struct.pack_into("<HH", damaged, 0x3c, 0, 0)  # e_shnum, e_shstrndx
                for _ in range(chance.choice([1, 4, 16])):
                    at = chance.choice(chance.choice([places, entries]))
                    old = struct.unpack_from("<Q", whole, at)[0]
                    struct.pack_into("<Q", damaged, at,
                                     chance.choice(numbers + [(old + 1) % (1 << 64)] * 4))
                os.unlink(self.path("app"))
                with open(self.path("app"), "wb") as file:
                    file.write(damaged)
                done = self.prof("traces", "-q", "--no-cache", "app.txt")
                self.assertEqual(done.returncode, 0, f"{flags} {turn}: {done.stderr}")

    def pack(self):
        done = self.run_it("objcopy", "--compress-debug-sections=zstd", "app")
        if done.returncode:
            self.skipTest("objcopy can't: " + done.stderr[:100])

    def test_zstd(self):
        self.build("-g")
        self.pack()
        self.run_app()
        self.assertEqual(self.names(), FULL)

    def test_damaged_zstd_is_told(self):
        self.build("-g")
        self.pack()
        sections = self.run_it("readelf", "-SW", "app").stdout
        row = next(line for line in sections.splitlines() if ".debug_info" in line)
        fields = row[row.index("]") + 1:].split()
        with open(self.path("app"), "r+b") as app:
            app.seek(int(fields[3], 16) + 60)
            app.write(b"\xff" * 40)
        self.run_app()
        done = self.prof("traces", "--no-cache", "app.txt")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("outer_function", done.stdout)
        self.assertRegex(done.stderr, "app: lines and inlined functions are missing: .*zstd")

    def test_packages_of_split_units(self):
        for packer, flags in (("dwp", ["-gdwarf-4"]), ("llvm-dwp", ["-gdwarf-5"]),
                              ("llvm-dwp", ["-gdwarf-5", "-ffunction-sections"])):
            tool = shutil.which(packer) or shutil.which(packer + "-14")
            if not tool:
                continue  # gold's, LLVM's
            with self.subTest(packer=packer, flags=flags):
                self.build("-g", "-gsplit-dwarf", *flags)
                done = self.run_it(tool, "-e", "app", "-o", "app.dwp")
                self.assertEqual(done.returncode, 0, done.stderr)
                for name in os.listdir(self.dir):
                    if name.endswith(".dwo"):
                        os.unlink(self.path(name))
                self.run_app()
                self.assertEqual(self.names(), FULL)
                os.unlink(self.path("app.dwp"))
                done = self.prof("traces", "--no-cache", "app.txt")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stderr, "app: lines and inlined functions are missing: "
                                 r".*\.dwo is not there, nor is it in .*/app\.dwp")

    def test_a_damaged_package_is_none(self):
        tool = shutil.which("llvm-dwp") or shutil.which("llvm-dwp-14")
        if not tool:
            self.skipTest("llvm-dwp is not installed")
        self.build("-g", "-gsplit-dwarf")
        self.assertEqual(self.run_it(tool, "-e", "app", "-o", "whole").returncode, 0)
        for name in os.listdir(self.dir):
            if name.endswith(".dwo"):
                os.unlink(self.path(name))
        self.run_app()
        with open(self.path("whole"), "rb") as file:
            whole = file.read()
        chance = random.Random(1)
        for _ in range(60):
            damaged = bytearray(whole[:chance.choice([len(whole), chance.randrange(len(whole))])])
            for _ in range(20):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            with open(self.path("app.dwp"), "wb") as file:
                file.write(damaged)
            done = self.prof("traces", "--no-cache", "app.txt")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("outer_function", done.stdout)


if __name__ == "__main__":
    unittest.main()
