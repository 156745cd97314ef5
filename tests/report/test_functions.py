"""Two functions are never shown as one because their short names are equal."""

import shutil
import subprocess
import unittest

from case import Case

# Each function notes an address of its own; the program prints them as stacks of one frame.
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

int main()
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
    printf("threads profile: total %d\n", count);
    for (int n = 0; n < count; n++)
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
        with open(self.path("names.txt"), "w") as out:
            subprocess.run([self.path("names")], stdout=out, check=True)

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
                        names = self.innermost()
                        self.assertEqual(len(names), 8)
                        self.assertEqual(len(set(names)), 8, names)
                        self.assertLessEqual(NAMES, set(names))
                        lambdas = [n for n in names if "lambda" in n or "$_" in n]
                        self.assertEqual(len(lambdas), 2, names)
                        self.assertTrue(all(n.startswith("main::") for n in lambdas), names)
                        self.assertEqual(len([n for n in names if "Local::work" in n]), 1, names)


if __name__ == "__main__":
    unittest.main()
