/*
 * Checked reads of the memory a stack may lie in: never a fault, whatever the
 * registers and the stack hold.
 *
 * One region at a time is trusted and read by plain loads: what lies between
 * the stack pointer and the known end of the thread's stack, or pages that the
 * kernel has said are readable and that hold, or adjoin, the stack this thread
 * runs on (which nobody can take away under it). Any other address may be
 * unmapped by another thread at any moment, so it is copied by the kernel.
 *
 * Context: AS-safe; errno is never touched (raw system calls).
 */
#ifndef LIBPROF_UNWIND_STACK_MEMORY_H
#define LIBPROF_UNWIND_STACK_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A word at any address: stacks that lie are misaligned, too. */
typedef uintptr_t memory_word __attribute__((may_alias, aligned(1)));

/*
 * What one event (one walk) may still cost the kernel. Every checked read of the
 * walk is counted here; once none is left, what is not trusted counts as
 * unreadable, nothing is concluded from that for later walks, and the walk ends
 * as UNWIND_BROKEN. NULL in place of a pointer to it: no bound (constructor,
 * dlclose hook, tests).
 */
struct effort {
    unsigned calls; /* system calls left */
    unsigned scans; /* stack scans left (guess.c) */
    bool spent;     /* something was refused */
};

/* A cold walk needs a dozen calls for each module that nothing has met before, and one for
 * each page of a stack whose limits are not known. */
#define EFFORT_CALLS 128
#define EFFORT_SCANS 16
/* Another thread's stack costs a call for each word: two a frame, of 1024 frames at most. */
#define EFFORT_CALLS_FOREIGN (2 * 1024 + EFFORT_CALLS)

struct memory {
    struct effort effort;
    uintptr_t low;                   /* of the trusted region */
    uintptr_t span;                  /* a word at `a` may be loaded if a - low <= span */
    uintptr_t stack_low, stack_high; /* the thread's stack as the caller knows it, or 0, 0 */
    bool foreign;                    /* another thread's: nothing is trusted */
};

/* stack_low, stack_high: as in struct unwind_stack. sp: where the walk begins.
 * running: sp is the calling function's own, hence its page is mapped. */
void memory_init(struct memory *memory, uintptr_t stack_low, uintptr_t stack_high, uintptr_t sp,
                 bool running);

/* For another thread's stack, which may go away while it is read: all is copied by the kernel. */
void memory_init_foreign(struct memory *memory);

/* The walk goes on at sp, perhaps on another stack: moves the trusted region there. */
void memory_adopt(struct memory *memory, uintptr_t sp);

/* The part of memory_read for addresses outside the trusted region. */
bool memory_read_unknown(struct memory *memory, uintptr_t address, uintptr_t *value);

/* One word. false: it can't be read. */
__attribute__((no_sanitize("address"))) static inline bool
memory_read(struct memory *memory, uintptr_t address, uintptr_t *value)
{
    if (address - memory->low <= memory->span) {
        *value = *(const memory_word *)address;
        return true;
    }
    return memory_read_unknown(memory, address, value);
}

enum memory_copy { MEMORY_COPIED, MEMORY_UNREADABLE, MEMORY_NO_WAY };

/* Copies size bytes by way of the kernel: no fault even when another thread
 * unmaps them meanwhile. MEMORY_NO_WAY: no system call may be made, or it is
 * forbidden here. MEMORY_UNREADABLE, too, when the effort is spent. */
enum memory_copy memory_copy(void *to, uintptr_t from, size_t size, struct effort *effort);

/* Is the word at this address readable now? false under sys_forbidden. */
bool memory_is_readable(uintptr_t address, struct effort *effort);

#endif
