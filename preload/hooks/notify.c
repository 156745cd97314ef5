/*
 * Threads that the C library starts by itself, past pthread_create's symbol, to call a function
 * of the program's: SIGEV_THREAD (sigevent(7)) of timers, message queues and getaddrinfo_a.
 * The function is called by way of one of ours, which sets the thread up; the threadcreate
 * profile shows who asked for it. POSIX AIO keeps the program's own sigevent, which stays as it
 * is: its threads are noticed at their first hook.
 */
#include "hooks/export.h"
#include "kit/hash.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "runtime/real.h"
#include "runtime/relocated.h"
#include "sample/core/gate.h"
#include "sample/threadcreate.h"
#include "wire/attach_order.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

/*
 * What to call. A notification may be on its way when its timer is deleted, so an entry stays
 * as it is for ever; timers with the same function and value share one.
 */
struct notification {
    _Atomic(uint32_t) state; /* 0 = free, 1 = being filled, 2 = filled */
    void (*function)(union sigval value);
    union sigval value;
    struct thread_birth birth;
};

#define NOTIFICATIONS 1024u /* when all are taken, later ones are called directly */
#define PROBES 32u

static _Atomic(uintptr_t) table; /* NOTIFICATIONS entries */

static struct notification *notifications(void)
{
    uintptr_t have = atomic_load_explicit(&table, memory_order_acquire);
    if (have || sys_forbidden())
        return (struct notification *)have;
    size_t size = NOTIFICATIONS * sizeof(struct notification);
    void *mine = mappings_map(size);
    if (mine && atomic_compare_exchange_strong(&table, &have, (uintptr_t)mine))
        have = (uintptr_t)mine;
    else if (mine)
        mappings_unmap(mine, size);
    return (struct notification *)have;
}

/* On the new thread. libc blocks every signal in a timer's; ours is let through as in any thread
 * that is set up, and the program is told what it expects (hooks/sigmask.c). */
static void notified(union sigval value)
{
    const struct notification *notification = value.sival_ptr;
    if (gate_active() && !sys_forbidden())
        threadcreate_born_by_libc(&notification->birth);
    notification->function(notification->value);
}

/* The entry for the function and the value, or NULL. The caller's frame must be the hook's. */
static struct notification *note(const struct sigevent *event)
{
    struct notification *entries = gate_active() ? notifications() : NULL;
    uint64_t hash = hash_add(hash_add(HASH_START, (uintptr_t)event->sigev_notify_function),
                             (uintptr_t)event->sigev_value.sival_ptr);
    for (uint32_t n = 0; entries && n < PROBES; n++) {
        struct notification *entry = &entries[(hash + n) % NOTIFICATIONS];
        uint32_t state = 0;
        if (atomic_compare_exchange_strong(&entry->state, &state, 1)) {
            struct thread_birth *birth = threadcreate_begin(0);
            if (!birth) {
                atomic_store(&entry->state, 0);
                return NULL;
            }
            entry->birth = *birth;
            entry->birth.start.routine = (uintptr_t)event->sigev_notify_function;
            threadcreate_failed(birth); /* only its stack is needed: gives the record back */
            entry->function = event->sigev_notify_function;
            entry->value = event->sigev_value;
            atomic_store_explicit(&entry->state, 2, memory_order_release);
            return entry;
        }
        if (state == 2 && entry->function == event->sigev_notify_function &&
            entry->value.sival_ptr == event->sigev_value.sival_ptr)
            return entry;
    }
    return NULL;
}

/* The event that libc is given: the program's, or *copy, which leads by us. An injected library
 * leaves them alone: they would call it after it has gone. */
static struct sigevent *by_us(struct sigevent *event, struct sigevent *copy)
{
    int saved = errno;
    if (event && event->sigev_notify == SIGEV_THREAD && event->sigev_notify_function &&
        !attach_is_injected()) {
        struct notification *notification = note(event);
        if (notification) {
            *copy = *event;
            copy->sigev_notify_function = notified;
            copy->sigev_value.sival_ptr = notification;
            event = copy;
        }
    }
    errno = saved;
    return event;
}

/* Is the real function there? The library that has it may have come after libprof.so was
 * started (librt and libanl before glibc 2.34). */
#define NOTIFY_READY(name)                                                                         \
    (gate_active(), real.name || (real_resolve(attach_is_injected()), real.name))

#define NOTIFY_TIMER(symbol)                                                                       \
    EXPORT int symbol(clockid_t clock, struct sigevent *event, timer_t *timer);                    \
    int symbol(clockid_t clock, struct sigevent *event, timer_t *timer)                            \
    {                                                                                              \
        struct sigevent copy;                                                                      \
        if (!NOTIFY_READY(timer_create)) {                                                         \
            errno = ENOSYS;                                                                        \
            return -1;                                                                             \
        }                                                                                          \
        return real.timer_create(clock, by_us(event, &copy), timer);                               \
    }

#ifdef __x86_64__ /* the oldest version, GLIBC_2.2.5, has timers of another type: libc's stays */
NOTIFY_TIMER(timer_create_2_3_3)
NOTIFY_TIMER(timer_create_2_34)
__asm__(".symver timer_create_2_3_3, timer_create@GLIBC_2.3.3, remove");
__asm__(".symver timer_create_2_34, timer_create@@GLIBC_2.34, remove");
#else
NOTIFY_TIMER(timer_create)
#endif

EXPORT int mq_notify(mqd_t queue, const struct sigevent *event)
{
    struct sigevent copy;
    if (!NOTIFY_READY(mq_notify)) {
        errno = ENOSYS;
        return -1;
    }
    return real.mq_notify(queue, by_us((struct sigevent *)(uintptr_t)event, &copy));
}

EXPORT int getaddrinfo_a(int mode, struct gaicb *list[], int count, struct sigevent *event)
{
    struct sigevent copy;
    if (!NOTIFY_READY(getaddrinfo_a))
        return EAI_SYSTEM;
    return real.getaddrinfo_a(mode, list, count, by_us(event, &copy));
}
