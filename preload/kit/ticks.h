/*
 * The processor's counter: 64 bits that count at a constant rate (x86-64: Intel SDM vol. 3, 18.17;
 * aarch64: Arm ARM D12.1), the same on all processors; no call and no memory. Any context.
 */
#ifndef LIBPROF_KIT_TICKS_H
#define LIBPROF_KIT_TICKS_H

#include <stdint.h>

#if defined(__x86_64__)
static inline uint64_t ticks_now(void)
{
    return __builtin_ia32_rdtsc();
}
#elif defined(__aarch64__)
static inline uint64_t ticks_now(void)
{
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
}
#else
#error "no counter known for this processor"
#endif

#endif
