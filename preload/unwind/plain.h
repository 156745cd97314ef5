/*
 * One plain frame on the thread's own stack: what the walker's inner loops
 * (walk.c, memo.c) do for nearly every frame. Private to preload/unwind/.
 *
 * What a walk costs is one chain of dependent steps: the return address gives
 * the cache entry, the entry the CFA, the CFA the next return address. Keep
 * everything else off it: RULE_BASE_FP is a branch, not a select, for the
 * branch predictor knows the answer before the rule is there.
 */
#ifndef LIBPROF_UNWIND_PLAIN_H
#define LIBPROF_UNWIND_PLAIN_H

#include "unwind/arch.h"
#include "unwind/cache.h"
#include "unwind/module_table.h"
#include "unwind/rule.h"
#include "unwind/stack_memory.h"
#include "unwind/unwind.h"

/* next: the frame's address + 1; for all frames but the first the return address itself. */
struct plain_state {
    uintptr_t next, sp, fp;
};

/* Where the words are that a step has read. fp_at: 0 when the frame pointer is unchanged. */
struct plain_words {
    uintptr_t ra_at, fp_at;
};

static inline uint64_t make_frame(uintptr_t lookup, unsigned module)
{
    return (lookup & ((UINT64_C(1) << UNWIND_ADDRESS_BITS) - 1)) | (uint64_t)module
                                                                       << UNWIND_ADDRESS_BITS;
}

__attribute__((no_sanitize("address"), always_inline)) static inline uintptr_t
plain_load(uintptr_t address)
{
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a word of the stack */
    return *(const memory_word *)address;
}

/*
 * To the caller's frame. false: the frame isn't a plain one, or lies elsewhere;
 * the state is as it was. last: the highest word of the trusted region, which
 * holds state->sp. *module: that of the frame left.
 */
__attribute__((no_sanitize("address"), always_inline)) static inline bool
plain_step(struct plain_state *state, uintptr_t last, unsigned *module, struct plain_words *words)
{
    uintptr_t sp = state->sp, fp = state->fp;
    uint64_t rule = cache_find(state->next - 1);
    if (__builtin_expect((rule & (RULE_PLAIN | RULE_TRANSIENT)) != RULE_PLAIN, 0) &&
        (!(rule & RULE_PLAIN) || !module_is_current(rule_module(rule))))
        return false;
    uintptr_t cfa = (uintptr_t)rule_cfa_offset(rule) + sp;
    if (rule & RULE_BASE_FP) {
        cfa = (uintptr_t)rule_cfa_offset(rule) + fp;
        __asm__("" : "+r"(cfa)); /* not a conditional move */
    }
    uintptr_t ra_at = cfa + (uintptr_t)rule_ra_offset(rule);
    __asm__("" : "+r"(ra_at)); /* so that the load below addresses by cfa, one step earlier */
    /* The trusted region reaches from below sp to `last`. */
    if (__builtin_expect(ra_at - sp > last - sp, 0) ||
        (ARCH_RA != ARCH_PC && __builtin_expect(cfa <= sp, 0)))
        return false;
    words->ra_at = ra_at;
    words->fp_at = 0;
    if (rule & RULE_FP_SAVED) {
        uintptr_t fp_at = cfa + (uintptr_t)rule_fp_offset(rule);
        if (__builtin_expect(fp_at - sp > last - sp, 0))
            return false;
        words->fp_at = fp_at;
        fp = plain_load(fp_at);
    }
    *module = rule_module(rule);
    state->next = arch_code_address(plain_load(cfa + (uintptr_t)rule_ra_offset(rule)));
    state->sp = cfa;
    state->fp = fp;
    return true;
}

#endif
