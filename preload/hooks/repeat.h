/*
 * For the hooks of calls that the kernel doesn't restart: repeating one that
 * only our signal interrupted (sample/core/eintr.h). Hook context.
 */
#ifndef LIBPROF_HOOKS_REPEAT_H
#define LIBPROF_HOOKS_REPEAT_H

#include "kit/sys.h"
#include "runtime/real.h"
#include "runtime/relocated.h"
#include "sample/core/eintr.h"
#include "sample/core/gate.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Is the real function known? Resolves them all, should this be the process's first
 * hook. False: another thread is just looking them up, or the C library has no
 * such function. */
#define REPEAT_READY(name)                                                                         \
    (__builtin_expect(real.name != NULL, 1) || (gate_active(), real.name != NULL))

/* What to do then: the bare system call, its error in errno. */
static inline long repeat_raw(long result)
{
    if (result >= 0)
        return result;
    if (is_relocated()) /* else errno can't be reached */
        errno = (int)-result;
    return -1;
}

/*
 * The call's result. While our signal alone ended it, it is made again if `again` is true: an
 * expression, evaluated then, that may prepare the next call (what is left of its time). A macro,
 * for the call has to be made in the hook's own frame (eintr_ours).
 */
#define REPEAT(call, again)                                                                        \
    __extension__({                                                                                \
        __typeof__(call) result_;                                                                  \
        int saved_ = errno;                                                                        \
        EINTR_SAVE_FRAME_POINTER();                                                                \
        for (;;) {                                                                                 \
            eintr_forget();                                                                        \
            result_ = (call);                                                                      \
            if (__builtin_expect(result_ != -1, 1) || errno != EINTR || !eintr_ours())             \
                break;                                                                             \
            errno = saved_; /* the call that is made again may succeed */                          \
            if (!(again))                                                                          \
                break;                                                                             \
        }                                                                                          \
        result_;                                                                                   \
    })

/* When a wait that starts now and lasts so long ends, ns of CLOCK_MONOTONIC;
 * 0: never. timeout NULL: never. */
static inline uint64_t repeat_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t repeat_end_ms(int timeout)
{
    return timeout <= 0 ? 0 : repeat_now() + (uint64_t)timeout * 1000000u;
}

static inline uint64_t repeat_end(const struct timespec *timeout)
{
    /* what makes no sense is the kernel's to refuse; years are for ever */
    if (!timeout || timeout->tv_sec < 0 || timeout->tv_sec > UINT32_MAX)
        return 0;
    return repeat_now() + (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
}

/* What is left of it. A wait for ever stays one. */
static inline uint64_t repeat_left_ns(uint64_t end)
{
    uint64_t now = repeat_now();
    return now < end ? end - now : 0;
}

static inline int repeat_left_ms(int timeout, uint64_t end)
{
    return end ? (int)((repeat_left_ns(end) + 999999) / 1000000) : timeout;
}

static inline const struct timespec *repeat_left(const struct timespec *timeout, uint64_t end,
                                                 struct timespec *left)
{
    if (!end)
        return timeout;
    uint64_t ns = repeat_left_ns(end);
    *left = (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    return left;
}

#endif
