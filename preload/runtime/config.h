/*
 * What the user chose, from the environment: one table, parsed in one pass.
 *
 * The table also prints itself (README, `prof env`); the collector compiles
 * config.c for that, so it depends on nothing but text.h and sys.h.
 *
 * Immutable after config_init, which runs in the constructor of every process
 * that has the preload, also of those that are not to be profiled: it must be
 * cheap. No allocation, no stdio, no libc state.
 */
#ifndef LIBPROF_RUNTIME_CONFIG_H
#define LIBPROF_RUNTIME_CONFIG_H

#include "runtime/follow.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFIG_PATH_MAX 4096  /* PATH_MAX, limits.h */
#define CONFIG_SOCKET_MAX 108 /* sockaddr_un's sun_path, unix(7) */

/* In the order of the words in LIBPROF_PROFILES; a set is a mask of 1 << profile. */
enum config_profile {
    CONFIG_HEAP,
    CONFIG_CPU,
    CONFIG_THREADS,
    CONFIG_THREADCREATE,
    CONFIG_BLOCK,
    CONFIG_MUTEX,
    CONFIG_PROFILES
};

/*
 * X(variable, field, type, least, most, default, accepted, help)
 *
 * type: NUMBER, BYTES (k/m/g), NS and SECONDS (durations; the unit of a bare
 * number), SIGNAL (0 = none), AUTO_SIGNAL (0 = auto), WORD (the field is the word's index in
 * `accepted`), WORDS (a mask), PATH, STRING, BORROWED (the text where it stands, not copied).
 * least, most: of the numbers, in the field's unit. default and accepted are texts in the
 * variable's own notation.
 */
#define CONFIG_TABLE(X)                                                                            \
    X(LIBPROF_DIR, dir, PATH, 0, 0, "libprof.out", "a directory",                                  \
      "Where profiles are written, made if missing; %p is the pid, %e the program, %h the host")   \
    X(LIBPROF_SOCKET, socket, STRING, 0, 0, "",                                                    \
      "the path of a collector's socket, up to 107 bytes",                                         \
      "Collector to report to; the directory is used when it doesn't answer")                      \
    X(LIBPROF_PROFILES, profiles, WORDS, 0, 0, "heap,cpu,threads,threadcreate,block,mutex",        \
      "heap,cpu,threads,threadcreate,block,mutex", "Which profiles are taken")                     \
    X(LIBPROF_HEAP_RATE, heap_rate, BYTES, 0, UINT64_C(1) << 40, "512k", "bytes, with k, m or g",  \
      "Mean bytes allocated between two heap samples; 1 records every allocation, 0 none")         \
    X(LIBPROF_DEPTH, depth, NUMBER, 1, 1024, "128", "1 to 1024", "Most frames kept of a stack")    \
    X(LIBPROF_SIGNAL, signal, SIGNAL, 0, 0, "USR2",                                                \
      "a signal's name or number (RTMIN+3 too) that can be caught, or none",                       \
      "Signal that asks for a dump, until the program sets a handler for it or ignores it")        \
    X(LIBPROF_CPU_HZ, cpu_hz, NUMBER, 0, 10000, "100", "0 to 10000",                               \
      "CPU samples for each second of a thread's CPU time; 0 takes none")                          \
    X(LIBPROF_CPU_SIGNAL, cpu_signal, AUTO_SIGNAL, 0, 0, "auto",                                   \
      "a signal's name or number (RTMIN+3 too) that can be caught, or auto",                       \
      "Signal that takes CPU samples; auto: a free real-time signal")                              \
    X(LIBPROF_BLOCK_RATE, block_rate_ns, NS, 0, UINT64_C(3600000000000), "1ms",                    \
      "a duration up to an hour in ns, us, ms or s (a bare number is ns)",                         \
      "Waits this long are always recorded, shorter ones in proportion; 0 records none")           \
    X(LIBPROF_MUTEX_FRACTION, mutex_fraction, NUMBER, 0, 1000000, "10", "0 to 1000000",            \
      "In a storm of short waits, charge one in N to the unlock, scaled by N; 0 charges none")     \
    X(LIBPROF_INTERVAL, interval_ns, SECONDS, 0, UINT64_C(31536000000000000), "0",                 \
      "a duration up to a year in ms, s, m or h (a bare number is s)",                             \
      "Dump again and again after this time, while the program does something; 0: don't")          \
    X(LIBPROF_AT_EXIT, at_exit, NUMBER, 0, 1, "1", "0 or 1",                                       \
      "Dump when the program ends, execs or is ended by SIGTERM, SIGINT or SIGHUP")                \
    X(LIBPROF_MAX_MEMORY, max_memory, BYTES, UINT64_C(1) << 20, UINT64_C(1) << 46, "64m",          \
      "bytes, with k, m or g, at least 1m",                                                        \
      "Most memory libprof's tables take; 4g when LIBPROF_HEAP_RATE is 1 and this isn't set")      \
    X(LIBPROF_MAX_FILES, max_files, NUMBER, 0, 10000, "1000", "0 to 10000",                        \
      "Most files a process keeps; its oldest dumps are removed; 0: no limit")                     \
    X(LIBPROF_FOLLOW, follow, WORD, 0, 0, "all", "all,fork,exec,none",                             \
      "Which children are profiled: forked ones, those that exec another program, all or none")    \
    X(LIBPROF_ONLY, only, BORROWED, 0, 0, "", "program names with * and ?, separated by commas",   \
      "Profile only programs of these names")                                                      \
    X(LIBPROF_UNWINDER, unwinder, WORD, 0, 0, "cfi", "cfi,fp,libunwind",                           \
      "How stacks are walked: unwind tables, frame pointers, or the libunwind library")            \
    X(LIBPROF_LOG, log, WORD, 0, 0, "warn", "quiet,warn,verbose", "What is said on stderr")        \
    X(LIBPROF_ALLOCATORS, allocators, WORD, 0, 0, "off", "off,auto",                               \
      "auto: watch allocators that are linked into the program, by patching their entries")        \
    X(LIBPROF_TRACE, trace, WORD, 0, 0, "off", "off,flight",                                       \
      "flight: keep what happened last in a ring, for a trace (prof trace)")                       \
    X(LIBPROF_TRACE_MEMORY, trace_memory, BYTES, UINT64_C(64) << 10, UINT64_C(1) << 32, "8m",      \
      "bytes, with k, m or g, at least 64k", "Memory of that ring: 32 bytes an event")             \
    X(LIBPROF_SEED, seed, NUMBER, 0, UINT64_MAX, "0", "a number",                                  \
      "For tests: makes sampling repeatable; 0: seeded at random")

struct config {
    bool selected;           /* false: this process is left alone entirely */
    uint64_t profiles;       /* mask of 1 << enum config_profile */
    uint64_t heap_rate;      /* bytes; 0 also when heap is not among the profiles */
    uint64_t depth;          /* frames */
    uint64_t signal;         /* 0 = none */
    uint64_t cpu_hz;         /* 0 also when cpu is not among the profiles */
    uint64_t cpu_signal;     /* 0 = a free real-time signal */
    uint64_t block_rate_ns;  /* 0 also when block is not among the profiles */
    uint64_t mutex_fraction; /* 0 also when mutex is not among the profiles */
    uint64_t interval_ns;
    uint64_t at_exit;
    uint64_t max_memory;   /* bytes */
    uint64_t allocators;   /* 1 = auto: hooks/linked.h */
    uint64_t trace;        /* 1 = flight: written from the start */
    uint64_t trace_memory; /* bytes */
    uint64_t max_files;
    uint64_t follow;   /* enum config_follow */
    uint64_t unwinder; /* enum unwind_engine */
    uint64_t log;      /* enum log_level */
    uint64_t seed;
    const char *only; /* the environment's: no more than config_init may look at it */
    /* longest last: only its beginning is touched in most processes */
    char socket[CONFIG_SOCKET_MAX]; /* "" = none */
    char dir[CONFIG_PATH_MAX];      /* absolute; % patterns not yet filled in */
};

extern struct config config;

/* Takes one complaint: a whole line without newline, NUL-terminated. */
typedef void (*config_complain)(const char *line);

/*
 * Fills `config`. envp: the process's environment, not kept. exe: asks for the program's
 * path, if it is needed; invoked: argv[0]; LIBPROF_ONLY is held against both last parts;
 * either may be NULL. A value that makes no sense is complained about (in one line that
 * names the variable, the value and what is accepted) and its default used. A
 * process that is not selected complains of nothing. complain may be NULL.
 *
 * config.log is valid before the first complaint, so that the log can be set up
 * in it. Doesn't look at AT_SECURE: the caller doesn't come here then.
 */
void config_init(char *const *envp, const char *(*exe)(void), const char *invoked,
                 config_complain complain);

/* Writes the table in Markdown through put, in pieces. */
void config_print_table(void (*put)(void *context, const char *text), void *context);

/* The signal of a name ("USR2", "SIGUSR2", "RTMIN+3", "12"); -1: unknown or uncatchable. */
int config_signal_number(const char *name);

/* Whether name matches pattern (length bytes) with * and ?. */
bool config_glob(const char *pattern, size_t length, const char *name);

#endif
