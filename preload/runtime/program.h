/*
 * Which program this is.
 *
 * Context: AS-safe. The first call is made by one thread: at the start where LIBPROF_ONLY
 * is set, else when the ledger is made. Not before it is needed: to look up /proc/self takes
 * the kernel 12 us in a new process, a quarter of all that libprof does at its start.
 */
#ifndef LIBPROF_RUNTIME_PROGRAM_H
#define LIBPROF_RUNTIME_PROGRAM_H

/*
 * The file it runs from, absolute, as it was called when it was started; "" when neither
 * /proc nor the kernel says. A program that was given to the loader (ld.so PROGRAM) is
 * that program, not the loader. Static storage.
 */
const char *program_path(void);

/*
 * As it was started, without folders: a program of many names (busybox, redis) goes by
 * the one that was asked for. NULL when the kernel didn't say. The kernel's own copy,
 * which lasts.
 */
const char *program_name(void);

#endif
