/* Forks that do not come by fork's symbol. Hook context. */
#ifndef LIBPROF_HOOKS_FORK_H
#define LIBPROF_HOOKS_FORK_H

/* fork(2) or clone(2) by syscall(2), with a memory of its own for the child: it returns twice. The
 * real syscall is known. */
long fork_by_syscall(long number, long a, long b, long c, long d, long e);

#endif
