/*
 * libunwind's opinion of a stack, for comparison. Frames as in unwind.h, without
 * modules: exact PCs, or return addresses - 1.
 */
#ifndef TESTS_UNIT_UNWIND_REFERENCE_H
#define TESTS_UNIT_UNWIND_REFERENCE_H

#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>

#include "unwind/arch.h"
#include "unwind/stack_memory.h"
#include "unwind/unwind.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>

/* Above the signal trampoline the PC is exact. (unw_is_signal_frame answers for
 * the trampoline or for the frame above it, depending on the version.) */
static inline int reference_is_sigreturn(unw_word_t pc)
{
    return memory_is_readable(pc, NULL) && arch_is_sigreturn((const uint8_t *)pc);
}

static inline unsigned reference_walk(const ucontext_t *context, uint64_t *frames, unsigned max)
{
    ucontext_t copy = *context;
    unw_cursor_t cursor;
    unw_word_t pc;
    unsigned count = 0;
    int exact = 1;
    if (unw_init_local2(&cursor, (unw_context_t *)&copy, UNW_INIT_SIGNAL_FRAME) < 0)
        return 0;
    do {
        if (unw_get_reg(&cursor, UNW_REG_IP, &pc) < 0 || pc == 0)
            break;
        frames[count++] = pc - (exact ? 0 : 1);
        exact = reference_is_sigreturn(pc);
    } while (count < max && unw_step(&cursor) > 0);
    return count;
}

static inline void reference_print(const char *title, const uint64_t *frames, unsigned count)
{
    fprintf(stderr, "%s:", title);
    for (unsigned i = 0; i < count; i++)
        fprintf(stderr, " %llx", (unsigned long long)UNWIND_ADDRESS(frames[i]));
    fprintf(stderr, "\n");
}

#endif
