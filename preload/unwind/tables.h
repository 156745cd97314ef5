/*
 * Unwind tables, and the rules that they give: what a walk needs where the cache has no rule,
 * or a rule isn't enough. Private to preload/unwind/.
 */
#ifndef LIBPROF_UNWIND_TABLES_H
#define LIBPROF_UNWIND_TABLES_H

#include "unwind/cache.h"
#include "unwind/cfi.h"
#include "unwind/module_table.h"
#include "unwind/rule.h"
#include "unwind/walk_state.h"

/* What one reading of the tables gives. ~900 bytes: never in the loop's frame. */
struct reading {
    struct cfi_scratch scratch;
    struct cfi_fde fde;
    struct cfi_row row;
};

enum tables { TABLES_ROW, TABLES_NONE, TABLES_MALFORMED, TABLES_AWAY };

/* Runs `use` on the row in force at pc while its tables are sure to be there; *status: what it
 * answered, with TABLES_ROW. */
enum tables tables_read(const struct module_entry *entry, uintptr_t pc, struct reading *reading,
                        struct effort *effort,
                        enum walk_status (*use)(const struct reading *, void *), void *data,
                        enum walk_status *status);

/* The rule of a PC that isn't in the cache, nor was: read, and entered. */
uint64_t tables_read_rule(uintptr_t pc, bool by_frame_pointer, struct effort *effort);

/* Do tables cover this PC? (By the cache, or by reading them.) */
bool tables_cover(uintptr_t pc, struct effort *effort);

/* Addresses without a module (JIT code) are remembered with the table's version
 * in place of the offsets. */
static inline uint64_t tables_rule_unmapped(void)
{
    return (uint64_t)module_table_version() << 17 | rule_make_special(RULE_NO_CFI, 0);
}

/* Does what the cache has still hold? */
static inline bool tables_rule_is_current(uint64_t rule)
{
    unsigned module = rule_module(rule);
    if (module == 0)
        return rule == tables_rule_unmapped();
    return module_is_current(module);
}

/* The rule of a PC. rule: what cache_find knows of it. */
static inline uint64_t tables_rule(uintptr_t pc, uint64_t rule, bool by_frame_pointer,
                                   struct effort *effort)
{
    if (rule != RULE_NONE && tables_rule_is_current(rule))
        return rule;
    rule = cache_find_earlier(pc);
    if (rule == RULE_NONE || !tables_rule_is_current(rule))
        return tables_read_rule(pc, by_frame_pointer, effort);
    cache_enter(pc, rule);
    return rule;
}

#endif
