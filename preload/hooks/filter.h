/*
 * What a seccomp filter says to a system call, asked before it is installed.
 *
 * A signal handler returns by rt_sigreturn, and a filter needn't allow that: sshd's
 * doesn't, since its sandboxed child has no handlers (seccomp(2), OpenSSH's
 * sandbox-seccomp-filter.c).
 */
#ifndef LIBPROF_HOOKS_FILTER_H
#define LIBPROF_HOOKS_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

/*
 * Would the filter let the call through, all its arguments being 0? False also for
 * programs that the kernel would refuse or whose answer isn't a plain "allow". The
 * program must be readable. AS-safe.
 */
bool filter_allows(const struct sock_fprog *program, int number);

#endif
