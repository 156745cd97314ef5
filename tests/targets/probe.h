/*
 * For target programs that check their own profile: finds the ledger that the
 * preloaded libprof.so keeps in this very process and reads it as the collector
 * would. Linked with the ledger's reader only.
 *
 * Functions are asked for by name: targets are linked with -rdynamic.
 */
#ifndef LIBPROF_TESTS_PROBE_H
#define LIBPROF_TESTS_PROBE_H

#include "wire/reader.h"
#include <stdbool.h>
#include <stdint.h>

/* The view of this process's ledger; ends the test with a message when there is none. */
const struct ledger_view *probe_open(void);

/* Sum over the sites of a kind whose stack has `function` in it (anywhere;
 * leaf_only: as its leaf). NULL: all of them. The sum of counts, or of values. */
uint64_t probe_count(enum ledger_kind kind, const char *function, bool leaf_only);
uint64_t probe_value(enum ledger_kind kind, const char *function, bool leaf_only);

/* The count of those whose stack has both in it. */
uint64_t probe_count_both(enum ledger_kind kind, const char *function, const char *other);

/* The share of a kind's count whose stacks reached their thread's start. */
double probe_complete(enum ledger_kind kind);

/* Does a stack of the ledger have `function` in it? */
bool probe_stack_has(uint32_t stack, const char *function);

/* User and system time of the process so far, ns. */
uint64_t probe_rusage_ns(void);

/* Burns CPU of the calling thread for so long, ns of its CPU clock. */
void probe_burn(uint64_t ns);

/* Like assert, with what was found: printf arguments. Ends the test. */
#define probe_check(condition, ...)                                                                \
    do {                                                                                           \
        if (!(condition))                                                                          \
            probe_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                               \
    } while (0)
_Noreturn void probe_fail(const char *file, int line, const char *condition, const char *format,
                          ...) __attribute__((format(printf, 4, 5)));

/* Ends the process by SIGALRM's default action after so many seconds: a deadlock is a failure. */
void probe_watchdog(unsigned seconds);

/* 1, or `factor` when LIBPROF_TEST_LONG is set: how much longer a test is to go on. */
unsigned probe_long(unsigned factor);

#endif
