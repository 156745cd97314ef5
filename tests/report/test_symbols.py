"""Names of native code: every way to link and to keep debug information."""

import os
import shutil
import subprocess
import unittest

from case import Case

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <vector>
namespace app { namespace detail {
template <class T> struct Worker {
    __attribute__((noinline)) void *run(T, void **) { return __builtin_return_address(0); }
};
}}
static inline __attribute__((always_inline)) void *inner_inline() {
    app::detail::Worker<double> w;
    void *p;
    return w.run(1.0, &p);
}
static inline __attribute__((always_inline)) void *mid_inline() { return inner_inline(); }
__attribute__((noinline)) void *outer_function() { void *p = mid_inline(); asm volatile(""); return p; }
int main()
{
    char line[4096];
    void *a = outer_function();
    app::detail::Worker<double> w;
    auto run = &app::detail::Worker<double>::run;
    void *code = *(void **)&run;
    printf("threads profile: total 1\n1 @ 0x%lx 0x%lx\n", (long)code + 2, (long)a);
    puts("\n--- Memory map: ---");
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), maps))
        fputs(line, stdout);
    return 0;
}
"""
FULL = ["app::detail::Worker::run", "inner_inline", "mid_inline", "outer_function"]
SYMBOLS = ["app::detail::Worker::run", "outer_function"]


class Symbols(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(cls.dir + "/app.cc", "w") as out:
            out.write(PROGRAM)

    def build(self, *flags, compiler="g++"):
        done = self.run_it(compiler, "-O2", *flags, "-Wl,--build-id", "-o", "app", "app.cc")
        if done.returncode:
            self.skipTest(f"{compiler} {flags}: {done.stderr[:200]}")
        self.dump()

    def dump(self):
        with open(self.path("app.txt"), "w") as out:
            subprocess.run([self.path("app")], stdout=out, check=True)

    def names(self, *options):
        text = self.prof_ok("traces", "-q", "--no-cache", *options, "app.txt")
        rows = [line[13:].replace(" (inline)", "") for line in text.splitlines()
                if line.startswith(" ")]
        return rows

    def check_build(self, wanted, *flags, **kwargs):
        with self.subTest(flags=flags):
            self.build(*flags, **kwargs)
            self.assertEqual(self.names(), wanted)

    def test_layouts(self):
        for linker in ["bfd", "gold", "lld", "mold"]:
            if not shutil.which("ld." + linker):
                continue
            for pie in ["-pie", "-no-pie"]:
                for separate in ["separate-code", "noseparate-code"]:
                    self.check_build(FULL, "-g", f"-fuse-ld={linker}", f"-f{pie[1:]}", pie,
                                     "-Wl,-z," + separate)

    def test_forms(self):
        for flags in [["-gdwarf-4"], ["-gdwarf-5"], ["-g", "-gz"], ["-g", "-gsplit-dwarf"],
                      ["-g", "-static"], ["-g", "-fdebug-types-section"], ["-g", "-flto"],
                      ["-g", "-ffunction-sections", "-Wl,--gc-sections"]]:
            self.check_build(FULL, *flags)
        self.check_build(SYMBOLS)
        if shutil.which("clang++"):
            self.check_build(FULL, "-g", compiler="clang++")

    def test_styles(self):
        self.build("-g")
        self.assertIn("app::detail::Worker<double>::run(double, void**)", self.names("--full"))
        self.assertIn("_ZN3app6detail6WorkerIdE3runEdPPv", self.names("--mangled"))

    def test_lines_and_offsets(self):
        self.build("-g")
        text = self.prof_ok("text", "-q", "--no-cache", "app.txt")
        call = next(i for i, line in enumerate(PROGRAM.splitlines(), 1) if "w.run(1.0" in line)
        self.assertRegex(text, rf"#\t0x[0-9a-f]+\tinner_inline\+0x[0-9a-f]+\t+{self.dir}/app.cc:{call}\n")
        self.assertRegex(text, r"app::detail::Worker::run\+0x1\t")

    def test_source_and_machine_code(self):
        self.build("-g")
        text = self.prof_ok("list", "-q", "inner_inline", "app.txt")
        self.assertRegex(text, r"\n +\. +1 +\d+:    return w.run\(1.0, &p\);\n")
        text = self.prof_ok("list", "-q", "--asm", "outer_function", "app.txt")
        costs = [line for line in text.splitlines() if line.split()[1:2] == ["1"]]
        self.assertEqual(len(costs), 3, text)  # the total, the function, one call
        self.assertRegex(costs[2], r"call.*Worker<double>::run.*;app.cc:\d+")

    def test_separate_debug_files(self):
        self.build("-g")
        for command in (["objcopy", "--only-keep-debug", "app", "app.debug"],
                        ["strip", "--strip-all", "app"]):
            self.assertEqual(self.run_it(*command).returncode, 0)
        self.assertEqual([n for n in self.names() if "app" not in n], [])
        self.assertNotIn("outer_function", self.names())
        self.assertEqual(self.run_it("objcopy", "--add-gnu-debuglink=app.debug", "app").returncode, 0)
        self.assertEqual(self.names(), FULL)
        # A debug file of another build is not believed.
        os.rename(self.path("app"), self.path("kept"))
        with open(self.path("app.cc"), "a") as out:
            out.write("int another_build;\n")
        self.run_it("g++", "-O1", "-g", "-Wl,--build-id", "-o", "other", "app.cc")
        self.run_it("objcopy", "--only-keep-debug", "other", "app.debug")
        os.rename(self.path("kept"), self.path("app"))
        self.assertNotIn("outer_function", self.names())

    def test_stripped_files_are_told_in_a_line(self):
        """A desktop program has fifty stripped libraries, and a report has ten lines."""
        lines = ["threads profile: total 1", "1 @ 0x500021 0x400021 0x400031 0x600021", "",
                 "--- Memory map: ---"]
        self.build("-g")
        self.run_it("strip", "--strip-all", "app")
        text = self.run_it("readelf", "-lW", "app").stdout
        offset, size = next((int(f[1], 16), int(f[4], 16)) for f in map(str.split, text.splitlines())
                            if f[:1] == ["LOAD"] and "E" in f[6:-1])
        for base, name in ((0x400000, "first"), (0x500000, "second"), (0x600000, "third")):
            shutil.copy(self.path("app"), self.path(name))
            lines.append(f"{base:x}-{base + (size + 0xfff & ~0xfff):x} r-xp {offset:x} 08:01 5 {self.path(name)}")
        with open(self.path("stripped.txt"), "w") as out:
            out.write("\n".join(lines) + "\n")
        done = self.prof("top", "--no-cache", "stripped.txt")
        self.assertEqual(done.returncode, 0)
        told = [line for line in done.stderr.splitlines() if "stripped" in line]
        self.assertEqual(told, ["prof: 3 stripped files, 4 of 4 addresses have no name: first 2 of 2, "
                                "second 1 of 1, third 1 of 1: keep their debug files at "
                                "/usr/lib/debug/.build-id/, or set DEBUGINFOD_URLS"])

    def test_code_without_a_file_is_explained(self):
        """Of a just-in-time compiler, unless it told its names; not a stray address or two."""
        for n in 2, 3:
            with open(self.path("jit.txt"), "w") as out:
                out.write("threads profile: total 1\n1 @ " + " ".join(hex(0x7f0000001001 + i)
                                                                     for i in range(n)))
                out.write("\n\n--- Memory map: ---\n00400000-00401000 r-xp 0 08:01 5 /bin/app\n")
            told = self.prof("top", "--pid", "999999999", "jit.txt").stderr
            self.assertEqual("3 addresses outside of any file have no name: code made at run time "
                             "gets names from /tmp/perf-999999999.map" in told, n == 3, told)

    def test_stripped_functions_stay_apart(self):
        """Without symbols a function is called FILE+0xSTART, START being where it begins."""
        self.build("-g")
        table = self.run_it("nm", "-C", "app").stdout
        starts = {line.split(maxsplit=2)[2].split("(")[0]: int(line.split()[0], 16)
                  for line in table.splitlines() if line[0] != " " and "[clone" not in line}
        wanted = [f"app+{starts[name]:#x}" for name in ("app::detail::Worker<double>::run",
                                                       "outer_function")]
        self.run_it("strip", "--strip-all", "app")
        self.assertEqual(self.names(), wanted)
        done = self.prof("top", "--no-cache", "app.txt")
        self.assertRegex(done.stderr, "2 of 2 addresses have no name: it is stripped: ")
        # From the cache the same; and all names as soon as there is a debug file again.
        for _ in range(2):
            self.assertIn(wanted[1], self.prof_ok("top", "-q", "app.txt"))

    def test_mini_debuginfo(self):
        """.gnu_debugdata, as Fedora ships it: an xz-packed symbol table."""
        if not shutil.which("xz"):
            self.skipTest("no xz")
        self.build("-g")
        for command in (["objcopy", "-S", "--remove-section", ".comment", "--keep-symbol",
                         "_Z14outer_functionv", "app", "mini"],
                        ["xz", "mini"],
                        ["strip", "--strip-all", "app"],
                        ["objcopy", "--add-section", ".gnu_debugdata=mini.xz", "app"]):
            self.assertEqual(self.run_it(*command).returncode, 0, command)
        self.assertEqual(self.names()[1], "outer_function")

    def test_debuginfod(self):
        """A server is asked when DEBUGINFOD_URLS names one, else nobody is."""
        self.build("-g")
        build_id = self.run_it("readelf", "-n", "app").stdout.split("Build ID: ")[1].split()[0]
        folder = self.path("server/buildid/" + build_id)
        os.makedirs(folder)
        for command in (["objcopy", "--only-keep-debug", "app", folder + "/debuginfo"],
                        ["strip", "--strip-all", "app"]):
            self.assertEqual(self.run_it(*command).returncode, 0, command)
        self.assertNotIn("outer_function", self.names())
        self.env["DEBUGINFOD_URLS"] = "file://" + self.path("server") + "/"
        try:
            names = self.names()
        finally:
            del self.env["DEBUGINFOD_URLS"]
        if names != FULL and not self.run_it("sh", "-c", "ls /usr/lib/*/libdebuginfod.so.1").stdout:
            self.skipTest("no libdebuginfod")
        self.assertEqual(names, FULL)

    def test_vdso(self):
        """The vDSO is no file: its symbols come from our own, which is the same."""
        with open("/proc/self/maps") as file:
            maps = file.read()
        if "[vdso]" not in maps:
            self.skipTest("no vDSO")
        # A process of its own tells where its vDSO and clock_gettime in it are.
        with open(self.path("clock.c"), "w") as out:
            out.write(r"""
#include <stdio.h>
#include <sys/auxv.h>
#include <link.h>
#include <string.h>
int main(void)
{
    char *base = (char *)getauxval(AT_SYSINFO_EHDR);
    ElfW(Ehdr) *e = (void *)base;
    ElfW(Phdr) *p = (void *)(base + e->e_phoff);
    ElfW(Dyn) *d = NULL;
    for (int i = 0; i < e->e_phnum; i++)
        if (p[i].p_type == PT_DYNAMIC)
            d = (void *)(base + p[i].p_offset);
    ElfW(Sym) *symbols = NULL;
    char *names = NULL;
    for (; d->d_tag; d++)
        if (d->d_tag == DT_SYMTAB)
            symbols = (void *)(base + d->d_un.d_ptr);
        else if (d->d_tag == DT_STRTAB)
            names = base + d->d_un.d_ptr;
    for (ElfW(Sym) *s = symbols + 1; (char *)s < names; s++)
        if (strcmp(names + s->st_name, "__vdso_clock_gettime") == 0)
            printf("threads profile: total 1\n1 @ %p\n", base + s->st_value + 1);
    puts("\n--- Memory map: ---");
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        fputs(line, stdout);
    return 0;
}
""")
        self.assertEqual(self.run_it("gcc", "-o", "clock", "clock.c").returncode, 0)
        with open(self.path("clock.txt"), "w") as out:
            subprocess.run([self.path("clock")], stdout=out, check=True)
        self.assertRegex(self.prof_ok("top", "-q", "clock.txt"), r"(__vdso_)?clock_gettime")

    def test_rebuilt_file_is_refused(self):
        self.build("-g")
        self.prof_ok("symbolize", "-q", "app.txt", "-o", "named.pb.gz")
        maps = open(self.path("app.txt")).read()
        notes = self.run_it("readelf", "-n", "app").stdout
        build_id = notes.split("Build ID: ")[1].split()[0]
        start = next(l for l in maps.splitlines() if " r-xp " in l and l.endswith("/app"))
        span, _, offset = start.split()[:3]
        with open(self.path("app.txt"), "w") as out:
            out.write(maps.split("\n---")[0] + f"\n--- Memory map: ---\n{span} {self.path('app')} "
                      f"(@{offset}) {'0' * 40}\n")
        done = self.prof("traces", "--no-cache", "app.txt")
        self.assertIn(f"another build ({build_id})", done.stderr)
        self.assertNotIn("outer_function", done.stdout)

    def test_jit(self):
        with open(self.path("jit.txt"), "w") as out:
            out.write(f"threads profile: total 1\n1 @ 0x70000011 0x70000111\n"
                      "--- Memory map: ---\n70000000-70001000 r-xp 00000000 00:00 0 \n")
        pid = os.getpid()
        path = f"/tmp/perf-{pid}.map"
        with open(path, "w") as out:
            out.write("70000000 80 old name\n70000000 80 js:render (a b)\n70000100 20 js:main\n")
        try:
            text = self.prof_ok("traces", "-q", "--pid", str(pid), "jit.txt")
        finally:
            os.unlink(path)
        self.assertIn("js:render (a b)", text)
        self.assertIn("js:main", text)

    def test_cache(self):
        self.build("-g")
        first = self.prof_ok("text", "-q", "app.txt")
        stored = os.listdir(self.dir + "/cache/libprof/symbols")
        self.assertGreater(len(stored), 0)
        self.assertEqual(self.prof_ok("text", "-q", "app.txt"), first)
        # Damage is survived, and repaired.
        for name in stored:
            with open(f"{self.dir}/cache/libprof/symbols/{name}", "r+") as f:
                f.truncate(os.path.getsize(f.name) // 2)
        self.assertEqual(self.prof_ok("text", "-q", "app.txt"), first)


if __name__ == "__main__":
    unittest.main()
