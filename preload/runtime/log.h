/*
 * The one way in which libprof speaks: a line on stderr, "libprof: ...".
 *
 * Written with write(2) from a stack buffer, limited in number, and only while
 * descriptor 2 is still the file it was at start: a program that closes it and
 * gets its database as descriptor 2 must not find our words in there (hazard 33).
 *
 * Silent while system calls are forbidden (kit/sys.h).
 *
 * Context: AS-safe, errno untouched; any thread, the bare thread too.
 */
#ifndef LIBPROF_RUNTIME_LOG_H
#define LIBPROF_RUNTIME_LOG_H

#include <stdbool.h>

enum log_level { LOG_QUIET, LOG_WARN, LOG_VERBOSE };

/* Notes what descriptor 2 is, and how much is said. Constructor only; before
 * it nothing is written. */
void log_init(enum log_level level);

/* One line, without its newline; formats as text_format. level: LOG_WARN for
 * what the user should act on, LOG_VERBOSE for what helps to understand. */
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
