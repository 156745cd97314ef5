/* The limits of the calling thread's stack, as the recorder would tell them to the unwinder. */
#ifndef TESTS_UNIT_UNWIND_OWN_STACK_H
#define TESTS_UNIT_UNWIND_OWN_STACK_H

#include "unwind/unwind.h"

#include <pthread.h>

static inline struct unwind_stack own_stack(void)
{
    pthread_attr_t attributes;
    void *address;
    size_t size;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &address, &size);
    pthread_attr_destroy(&attributes);
    return (struct unwind_stack){.low = (uintptr_t)address, .high = (uintptr_t)address + size};
}

#endif
