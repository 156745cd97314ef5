/*
 * Thread creation. The new thread starts in a trampoline that sets it up and
 * jumps on to the program's start routine: the compiler makes a tail call of it
 * (-O2), so no frame of ours stands below the program's. Cancellation,
 * pthread_exit and exceptions so have nothing of ours to unwind through; the
 * thread's end is noticed by the destructor of a thread-specific key.
 *
 * glibc's thrd_create doesn't come by pthread_create's symbol: both are
 * interposed. pthread_create's two versions (2.2.5, 2.34) are one function.
 */
#include "hooks/export.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "sample/core/thread_entry.h"
#include "sample/threadcreate.h"

#include <errno.h>

/* The size of the stack that a thread with these attributes gets, as far as
 * libc tells; 0: unknown. */
static size_t stack_size(const pthread_attr_t *attributes)
{
    size_t size = 0;
    if (!real.pthread_attr_getstacksize || !real.pthread_attr_init)
        return 0;
    if (attributes)
        return real.pthread_attr_getstacksize(attributes, &size) == 0 ? size : 0;
    pthread_attr_t standard;
    if (real.pthread_attr_init(&standard) != 0)
        return 0;
    if (real.pthread_attr_getstacksize(&standard, &size) != 0)
        size = 0;
    if (real.pthread_attr_destroy)
        real.pthread_attr_destroy(&standard);
    return size;
}

static void *start_posix(void *record)
{
    struct thread_start start = threadcreate_born(record);
    return ((void *(*)(void *))start.routine)(start.argument);
}

static int start_c11(void *record)
{
    struct thread_start start = threadcreate_born(record);
    return ((int (*)(void *))start.routine)(start.argument);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    int saved = errno;
    struct thread_birth *birth = gate_active() ? threadcreate_begin(stack_size(attributes)) : NULL;
    errno = saved;
    if (!birth)
        return real.pthread_create(thread, attributes, start, argument);
    birth->start = (struct thread_start){(uintptr_t)start, argument};
    uint32_t site = birth->site;
    int error = real.pthread_create(thread, attributes, start_posix, birth);
    if (error)
        threadcreate_failed(birth);
    else
        threadcreate_done(site);
    return error;
}

EXPORT int thrd_create(thrd_t *thread, int (*start)(void *), void *argument)
{
    int saved = errno;
    struct thread_birth *birth = gate_active() ? threadcreate_begin(stack_size(NULL)) : NULL;
    errno = saved;
    if (!birth)
        return real.thrd_create ? real.thrd_create(thread, start, argument) : thrd_error;
    birth->start = (struct thread_start){(uintptr_t)start, argument};
    uint32_t site = birth->site;
    int result = real.thrd_create(thread, start_c11, birth);
    if (result != thrd_success)
        threadcreate_failed(birth);
    else
        threadcreate_done(site);
    return result;
}

/* A thread that names itself is entered under the new name at once; one that is
 * named by another shows it at its next sample. */
EXPORT int pthread_setname_np(pthread_t thread, const char *name)
{
    gate_active();
    int error = real.pthread_setname_np ? real.pthread_setname_np(thread, name) : ENOSYS;
    if (error == 0 && thread_self.index)
        thread_refresh_name();
    return error;
}
