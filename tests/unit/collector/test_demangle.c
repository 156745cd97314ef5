/* Names as pprof shows them by default, in full, and raw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "symbolize/demangle.h"

static const struct {
    const char *mangled, *plain, *full;
} names[] = {
    {"_ZN3app6detail6WorkerIdE3runEdPPv.isra.0", "app::detail::Worker::run",
     "app::detail::Worker<double>::run(double, void**)"},
    {"_ZlsRSoRKSt6vectorIiSaIiEE", "operator<<",
     "operator<<(std::ostream&, std::vector<int, std::allocator<int> > const&)"},
    {"_ZNK1AclEv", "A::operator()", "A::operator()() const"},
    {"_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector::push_back",
     "std::vector<int, std::allocator<int> >::push_back(int&&)"},
    {"_ZN12_GLOBAL__N_13fooEi", "(anonymous namespace)::foo", "(anonymous namespace)::foo(int)"},
    {"_Znwm", "operator new", "operator new(unsigned long)"},
    {"_ZltRK1AS1_", "operator<", "operator<(A const&, A const&)"},
    {"_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE", "core::fmt::Formatter::write_str",
     "core::fmt::Formatter::write_str"},
    {"_RNvC6_123foo3bar", "123foo::bar", "123foo::bar"},
    {"_D4test3fooAa", "test.foo", "test.foo"},
    {"main", "main", "main"},
    {"memcpy@@GLIBC_2.14", "memcpy", "memcpy"},
    {"parse.part.3.cold", "parse", "parse"},
    {"lib.so.name", "lib.so.name", "lib.so.name"},
    {"", "", ""},
};

static void check(const char *name, enum demangle_style style, const char *expected)
{
    char *text = demangle_name(name, style);
    assert_string_equal(text, expected);
    free(text);
}

static void shows_all_styles(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        check(names[i].mangled, DEMANGLE_SHORT, names[i].plain);
        check(names[i].mangled, DEMANGLE_FULL, names[i].full);
        check(names[i].mangled, DEMANGLE_NONE, names[i].mangled);
    }
}

static void takes_any_length(void **state)
{
    (void)state;
    /* 20 kB of words; nested deep; and what only looks mangled. (libiberty itself gives
     * up on names a thousand levels deep: they stay as they are.) */
    char *long_name = malloc(30000), *at = long_name;
    at += sprintf(at, "_ZN");
    for (int i = 0; i < 100; i++)
        at += sprintf(at, "200n%0199d", i);
    sprintf(at, "Ei");
    char *text = demangle_name(long_name, DEMANGLE_FULL);
    assert_int_equal(strlen(text), 100 * 200 + 99 * 2 + strlen("(int)"));
    free(text);
    at = long_name + sprintf(long_name, "_ZN");
    for (int i = 0; i < 800; i++)
        at += sprintf(at, "4part");
    sprintf(at, "Ev");
    text = demangle_name(long_name, DEMANGLE_SHORT);
    assert_true(strncmp(text, "part::part::", 12) == 0);
    free(text);
    memset(long_name + 3, '9', 29000);
    long_name[29000] = '\0';
    text = demangle_name(long_name, DEMANGLE_FULL);
    assert_string_equal(text, long_name);
    free(text);
    free(long_name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_all_styles),
        cmocka_unit_test(takes_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
