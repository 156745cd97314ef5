/*
 * Which program this is.
 *
 * Context: both are immutable after the first call, which the first start of the
 * recorder makes; a constructor's or a hook's before any other thread is there.
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
