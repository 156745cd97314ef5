/*
 * Can this process be attached to? What /proc tells, asked before anything is touched.
 */
#ifndef COLLECTOR_ATTACH_TARGET_H
#define COLLECTOR_ATTACH_TARGET_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * False with *err filled in, in one line that names the reason and the remedy: no such
 * process, a kernel thread, a zombie, stopped, traced by another process, another user's,
 * forbidden by Yama, static, 32-bit, of another C library, or already under libprof.
 * force: try a process under a seccomp filter, whose rules cannot be read.
 */
bool target_check(pid_t pid, bool force, struct error *err);

/* Is an injected libprof.so loaded there, armed or not? */
bool target_is_attached(pid_t pid);

#endif
