/*
 * For the hooks of calls that wait on a descriptor: made again when our signal alone broke them
 * off (repeat.h), within the time that a socket's own limit leaves. Hook context.
 */
#ifndef LIBPROF_HOOKS_TRANSFER_H
#define LIBPROF_HOOKS_TRANSFER_H

#include "hooks/repeat.h"

/* When the transfer started, ns of CLOCK_MONOTONIC: the coarse clock (4 ms) costs a few ns on
 * every call, the exact one as much as a small transfer. */
static inline uint64_t transfer_started(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * Waits with what is left of the socket's own time (SO_RCVTIMEO, SO_SNDTIMEO) until it is ready:
 * the call itself would start from the full time again. True at once where there is no such
 * time. False: over (EAGAIN), or a signal of the program's interrupted the wait (EINTR).
 */
bool transfer_wait(int fd, bool receives, uint64_t start);

/* The call's result (repeat.h): made again within the time that the socket's own limit leaves. */
#define TRANSFER(start, receives, fd, call) REPEAT(call, transfer_wait(fd, receives, start))

#endif
