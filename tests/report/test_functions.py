"""Two functions are never shown as one because their short names are equal."""

import os
import shutil
import subprocess
import unittest

from case import Case

# Each function notes an address of its own; the program prints them as stacks of one frame. With an
# argument it prints the last alone, an inlined lambda's.
PROGRAM = r"""
#include <functional>
#include <stdio.h>
static unsigned long places[32];
static int count;
/* the line keeps compilers from making one function of two equal ones */
#define HERE() asm volatile("lea 0(%%rip), %0 # %c1" : "=r"(places[count++]) : "i"(__LINE__))
#define NOINLINE __attribute__((noinline))
#define INLINE inline __attribute__((always_inline))

namespace {
struct Lexer { NOINLINE void parse() { HERE(); } };
struct Parser { NOINLINE void parse() { HERE(); } };
template <class T> struct Box { INLINE void open() { HERE(); } };
}
namespace app { namespace { struct Inner { INLINE void go() { HERE(); } }; } }
namespace lib { struct Outer { struct Inner { INLINE void go() { HERE(); } }; }; }
static NOINLINE void outside() {
    struct Local { NOINLINE void work() { HERE(); } } local;
    local.work();
}
static NOINLINE void call(const std::function<void()> &f) { f(); }

int main(int argc, char **argv)
{
    char line[4096];
    Lexer().parse();
    Parser().parse();
    Box<int>().open();
    app::Inner().go();
    lib::Outer::Inner().go();
    outside();
    call([] { HERE(); });
    call([] { HERE(); });
    auto first = []() __attribute__((always_inline)) { HERE(); };
    auto second = []() __attribute__((always_inline)) { HERE(); };
    first();
    second();
    int from = argc > 1 ? count - 1 : 0;
    printf("threads profile: total %d\n", count - from);
    for (int n = from; n < count; n++)
        printf("1 @ 0x%lx\n", places[n]);
    puts("\n--- Memory map: ---");
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof(line), maps))
        fputs(line, stdout);
    return 0;
}
"""
NAMES = {"(anonymous namespace)::Lexer::parse", "(anonymous namespace)::Parser::parse",
         "(anonymous namespace)::Box::open", "app::(anonymous namespace)::Inner::go",
         "lib::Outer::Inner::go"}


class Functions(Case):
    def build(self, compiler, *flags):
        with open(self.path("names.cc"), "w") as out:
            out.write(PROGRAM)
        done = self.run_it(compiler, *flags, "-o", "names", "names.cc")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.run_program()

    def run_program(self, *arguments):
        with open(self.path("names.txt"), "w") as out:
            subprocess.run([self.path("names"), *arguments], stdout=out, check=True)

    def innermost(self):
        """The innermost function of each stack."""
        text = self.prof_ok("traces", "-q", "--no-cache", "names.txt")
        rows = [line for line in text.splitlines() if line.startswith(" ")]
        return [row[13:].replace(" (inline)", "") for row in rows if row[:13].strip()]

    def test_short_names_are_told_apart(self):
        for compiler in ["g++", "clang++"]:
            if not shutil.which(compiler):
                continue
            for level in ["-O0", "-O2"]:
                for debug in [["-g"], ["-gdwarf-4"], ["-g", "-gsplit-dwarf"]]:
                    if compiler == "clang++" and "-gsplit-dwarf" in debug:
                        continue  # its .dwo file goes when it compiles and links at once
                    with self.subTest(compiler=compiler, level=level, debug=debug):
                        self.build(compiler, level, *debug)
                        self.check(self.innermost())

    def check(self, names):
        self.assertEqual(len(names), 10)
        self.assertEqual(len(set(names)), 10, names)
        self.assertLessEqual(NAMES, set(names))
        lambdas = [n for n in names if "lambda" in n or "$_" in n]
        self.assertEqual(len(lambdas), 4, names)
        self.assertTrue(all(n.startswith("main::") for n in lambdas), names)
        self.assertEqual(len([n for n in names if "Local::work" in n]), 1, names)

    def test_a_lambda_of_a_split_unit_comes_first(self):
        """Nothing else has had libdw read the unit's table of files before."""
        for debug in ["-gdwarf-4", "-gdwarf-5"]:
            with self.subTest(debug=debug):
                self.build("g++", "-O2", debug, "-gsplit-dwarf")
                self.run_program("last")
                self.assertRegex(self.innermost()[0], r"^main::.*lambda at names.cc:\d+:\d+")

    def test_short_names_in_a_package_of_split_units(self):
        for packer, debug in (("dwp", "-gdwarf-4"), ("llvm-dwp", "-gdwarf-5")):
            tool = shutil.which(packer) or shutil.which(packer + "-14")
            if not tool:
                continue  # gold's, LLVM's
            with self.subTest(packer=packer):
                # llvm-dwp 14 never ends on gcc's lists of locations (.debug_loclists.dwo)
                self.build("g++", "-O2", debug, "-gsplit-dwarf", "-fno-var-tracking",
                           "-fno-var-tracking-assignments")
                done = self.run_it(tool, "-e", "names", "-o", "names.dwp")
                self.assertEqual(done.returncode, 0, done.stderr)
                for name in os.listdir(self.dir):
                    if name.endswith(".dwo"):
                        os.unlink(self.path(name))
                self.check(self.innermost())
                os.unlink(self.path("names.dwp"))


if __name__ == "__main__":
    unittest.main()
