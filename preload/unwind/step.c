#include "unwind/cache.h"
#include "unwind/cfi.h"
#include "unwind/module_private.h"
#include "unwind/rule.h"
#include "unwind/walk.h"

/* What one reading of the tables gives. ~900 bytes: never in the loop's frame. */
struct reading {
    struct cfi_scratch scratch;
    struct cfi_fde fde;
    struct cfi_row row;
};

enum tables { TABLES_ROW, TABLES_NONE, TABLES_MALFORMED, TABLES_AWAY };

/* Runs `use` on the row in force at pc while its tables are sure to be there. */
static enum tables read_tables(const struct module_entry *entry, uintptr_t pc,
                               struct reading *reading, struct effort *effort,
                               enum walk_status (*use)(const struct reading *, void *), void *data,
                               enum walk_status *status)
{
    struct cfi_source source = {(uintptr_t)entry->module.eh_frame_hdr, entry->cfi_low,
                                entry->cfi_high, false, effort};
    if (!source.hdr)
        return TABLES_NONE;
    bool direct = module_read_begin(entry);
    source.copied = !direct;
    enum cfi_found found = cfi_find_fde(&source, pc, &reading->scratch, &reading->fde);
    enum tables tables = TABLES_ROW;
    if (found == CFI_FOUND && cfi_run(&reading->fde, pc, &reading->row))
        *status = use(reading, data);
    else if (!direct)
        tables = TABLES_AWAY; /* it may be that they couldn't be copied */
    else
        tables = found == CFI_NOT_COVERED ? TABLES_NONE : TABLES_MALFORMED;
    if (direct)
        module_read_end(entry);
    return tables;
}

struct pack_request {
    uintptr_t pc;
    unsigned module;
    uint64_t rule;
};

static enum walk_status pack(const struct reading *reading, void *data)
{
    struct pack_request *request = data;
    request->rule = rule_pack(&reading->fde, &reading->row, request->pc, request->module);
    return WALK_ON;
}

/* Addresses without a module (JIT code) are remembered with the table's version
 * in place of the offsets. */
static uint64_t rule_unmapped(void)
{
    return (uint64_t)module_table_version() << 17 | rule_make_special(RULE_NO_CFI, 0);
}

static bool rule_is_current(uint64_t rule)
{
    unsigned module = rule_module(rule);
    if (module == 0)
        return rule == rule_unmapped();
    return module_is_current(module);
}

/* Is it the frame of a signal trampoline, as a return address - 1? Its code is
 * readable: it has a module. */
static bool before_sigreturn(uintptr_t pc, struct effort *effort)
{
    uint8_t code[ARCH_SIGRETURN_BYTES];
    return module_copy(code, pc + 1, sizeof code, effort) && arch_is_sigreturn(code);
}

/* A PC that isn't in the cache, nor was. */
__attribute__((noinline, cold)) static uint64_t read_rule(uintptr_t pc, bool by_frame_pointer,
                                                           struct effort *effort)
{
    struct reading reading;
    struct pack_request request = {pc, module_find_within(pc, effort), RULE_NONE};
    const struct module_entry *entry = module_entry_get(request.module);
    enum walk_status status;
    if (!entry) {
        request.rule = rule_unmapped();
        if (!effort->spent)
            cache_enter(pc, request.rule);
        return request.rule;
    }
    if (by_frame_pointer)
        request.rule = before_sigreturn(pc, effort) ? rule_make_special(RULE_NO_CFI, request.module)
                                            : rule_frame_pointer(request.module);
    else if (read_tables(entry, pc, &reading, effort, pack, &request, &status) != TABLES_ROW)
        request.rule = rule_make_special(RULE_NO_CFI, request.module);
    /* While a dlclose is under way nothing is learnt of what it might take. */
    if (!entry->permanent)
        request.rule |= RULE_TRANSIENT;
    if (!effort->spent && module_is_current(request.module))
        cache_enter(pc, request.rule);
    return request.rule;
}

/* rule: what cache_find knows of this PC. */
static inline uint64_t find_rule(uintptr_t pc, uint64_t rule, bool by_frame_pointer,
                                 struct effort *effort)
{
    if (rule != RULE_NONE && rule_is_current(rule))
        return rule;
    rule = cache_find_earlier(pc);
    if (rule == RULE_NONE || !rule_is_current(rule))
        return read_rule(pc, by_frame_pointer, effort);
    cache_enter(pc, rule);
    return rule;
}

bool step_has_tables(uintptr_t pc, struct effort *effort)
{
    uint64_t rule = find_rule(pc, cache_find(pc), false, effort);
    return (rule & RULE_PLAIN) || rule_special(rule) != RULE_NO_CFI;
}

struct apply_request {
    struct arch_regs *regs;
    bool *exact;
    struct memory *memory;
};

static bool apply_rule(const struct cfi_rule *rule, const struct arch_regs *old, uintptr_t cfa,
                       struct memory *memory, uintptr_t *value)
{
    uintptr_t address = cfa + (uintptr_t)(intptr_t)rule->value;
    const uint8_t *block = (const uint8_t *)(intptr_t)rule->value;
    switch (rule->kind) {
    case CFI_OFFSET:
        return memory_read(memory, address, value);
    case CFI_VAL_OFFSET:
        *value = address;
        return true;
    case CFI_REGISTER:
        if (rule->value < 0 || rule->value >= ARCH_REGISTERS)
            return false;
        *value = old->r[rule->value];
        return true;
    case CFI_EXPRESSION:
        return expr_eval(expr_at_block(block), old, UINT64_MAX, memory, &cfa, &address) &&
               memory_read(memory, address, value);
    case CFI_VAL_EXPRESSION:
        return expr_eval(expr_at_block(block), old, UINT64_MAX, memory, &cfa, value);
    default:
        *value = 0;
        return true;
    }
}

/* Applies a row to the full register set. */
static enum walk_status apply(const struct reading *reading, void *data)
{
    const struct apply_request *request = data;
    const struct cfi_row *row = &reading->row;
    struct arch_regs *regs = request->regs, old = *regs;
    uintptr_t cfa;
    /* The kernel's own tables for aarch64 give the PC but not the link register. */
    if (ARCH_RA != ARCH_PC && reading->fde.signal_frame &&
        guess_signal_step(regs, request->exact, request->memory))
        return WALK_ON;
    if (row->rules[arch_row(ARCH_RA)].kind == CFI_UNDEFINED)
        return WALK_COMPLETE;
    if (!row->cfa_is_expression)
        cfa = old.r[row->cfa_register] + (uintptr_t)row->cfa_offset;
    else if (!expr_eval(expr_at_block((const uint8_t *)(intptr_t)row->cfa_offset), &old, UINT64_MAX,
                        request->memory, NULL, &cfa))
        return WALK_BROKEN;
    regs->r[ARCH_SP] = cfa;
    for (int i = 0; i < ARCH_ROWS; i++) {
        const struct cfi_rule *rule = &row->rules[i];
        if (rule->kind == CFI_SAME)
            continue;
        /* A callee-saved register that can't be had matters only if it is used. */
        if (!apply_rule(rule, &old, cfa, request->memory, &regs->r[arch_row_register(i)])) {
            if (arch_row_register(i) == ARCH_RA || arch_row_register(i) == ARCH_SP)
                return WALK_BROKEN;
            regs->r[arch_row_register(i)] = 0;
        }
    }
    regs->r[ARCH_PC] = arch_code_address(regs->r[ARCH_RA]);
    bool signal_frame = reading->fde.signal_frame;
    uintptr_t sp = regs->r[ARCH_SP];
    /* An interrupted function may have left its frame already: its return address
     * is in a register (aarch64's leaves; the last jump of _Unwind_RaiseException). */
    bool rises = sp > old.r[ARCH_SP] || (*request->exact && sp == old.r[ARCH_SP]);
    if (!signal_frame && !rises)
        return WALK_BROKEN;
    memory_adopt(request->memory, sp);
    *request->exact = signal_frame;
    return regs->r[ARCH_PC] == 0 ? WALK_COMPLETE : WALK_ON;
}

/* A step by the tables with every register. false: no table covers the PC. */
__attribute__((noinline, cold)) static bool step_by_tables(const struct module_entry *entry,
                                                           uintptr_t pc,
                                                           struct apply_request *request,
                                                           enum walk_status *status)
{
    struct reading reading;
    return entry && read_tables(entry, pc, &reading, &request->memory->effort, apply, request, status) == TABLES_ROW;
}

/* One step with every register. */
static enum walk_status step_full(struct arch_regs *regs, bool *exact, struct memory *memory)
{
    uintptr_t pc = regs->r[ARCH_PC] - (*exact ? 0 : 1);
    struct apply_request request = {regs, exact, memory};
    unsigned module = module_find_within(pc, &memory->effort);
    enum walk_status status = WALK_BROKEN;
    if (step_by_tables(module_entry_get(module), pc, &request, &status))
        return status;
    return guess_step(regs, exact, memory, module);
}

/* Brings the anchor up to the frame the walk stands on. */
static bool reach(struct walk *walk)
{
    if (!walk->anchor_valid)
        return false;
    while (walk->anchor_steps < walk->steps) {
        if (step_full(&walk->anchor, &walk->anchor_exact, &walk->memory) != WALK_ON)
            return false;
        walk->anchor_steps++;
    }
    return walk->anchor.r[ARCH_SP] == walk->sp &&
           walk->anchor.r[ARCH_PC] - (walk->anchor_exact ? 0 : 1) == walk->lookup;
}

/* A step that may need, or may give, registers beyond the three. */
static enum walk_status step_by_registers(struct walk *walk, bool guess, unsigned module)
{
    bool reached = reach(walk);
    walk->lacks_registers |= !reached;
    if (!reached && !guess)
        return walk->anchor_valid = false, WALK_BROKEN;
    if (!reached) {
        memset(&walk->anchor, 0, sizeof walk->anchor);
        walk->anchor.r[ARCH_PC] = walk->lookup + (walk->exact ? 0 : 1);
        walk->anchor.r[ARCH_SP] = walk->sp;
        walk->anchor.r[ARCH_FP] = walk->fp;
        walk->anchor_exact = walk->exact;
    }
    enum walk_status status =
        guess ? guess_step(&walk->anchor, &walk->anchor_exact, &walk->memory, module)
              : step_full(&walk->anchor, &walk->anchor_exact, &walk->memory);
    walk->anchor_steps = walk->steps + 1;
    walk->lookup = walk->anchor.r[ARCH_PC] - (walk->anchor_exact ? 0 : 1);
    walk->sp = walk->anchor.r[ARCH_SP];
    walk->fp = walk->anchor.r[ARCH_FP];
    walk->exact = walk->anchor_exact;
    return status;
}

/* A plain or realigned frame, wherever its memory lies. */
static enum walk_status step_by_offsets(struct walk *walk, uint64_t rule)
{
    uintptr_t cfa, ra, fp = walk->fp, fp_at;
    if (rule & RULE_PLAIN) {
        cfa = (rule & RULE_BASE_FP ? walk->fp : walk->sp) + (uintptr_t)rule_cfa_offset(rule);
        fp_at = cfa + (uintptr_t)rule_fp_offset(rule);
    } else {
        fp_at = walk->fp + (uintptr_t)rule_fp_offset(rule);
        if (!memory_read(&walk->memory, walk->fp + (uintptr_t)rule_cfa_offset(rule), &cfa))
            return WALK_BROKEN;
    }
    if (cfa <= walk->sp) {
        /* The end of a chain of frame pointers; not an end that tables have. */
        return walk->by_frame_pointer && walk->fp == 0 ? WALK_COMPLETE : WALK_BROKEN;
    }
    if (!memory_read(&walk->memory, cfa + (uintptr_t)rule_ra_offset(rule), &ra))
        return WALK_BROKEN;
    if ((!(rule & RULE_PLAIN) || (rule & RULE_FP_SAVED)) && !memory_read(&walk->memory, fp_at, &fp))
        return WALK_BROKEN;
    ra = arch_code_address(ra);
    walk->fp = fp;
    walk->sp = cfa;
    walk->lookup = ra - 1;
    walk->exact = false;
    memory_adopt(&walk->memory, cfa);
    return ra == 0 ? WALK_COMPLETE : WALK_ON;
}

/* A leaf that keeps its return address in the link register: only where the
 * registers are known, which is at the interrupted frame. */
static enum walk_status step_by_link_register(struct walk *walk, uint64_t rule)
{
    uintptr_t ra = arch_code_address(walk->anchor.r[ARCH_RA]);
    if (!walk->exact || !walk->anchor_valid || walk->anchor_steps != walk->steps)
        return WALK_BROKEN;
    walk->sp += (uintptr_t)rule_cfa_offset(rule);
    walk->lookup = ra - 1;
    walk->exact = false;
    return ra == 0 ? WALK_COMPLETE : WALK_ON;
}

enum walk_status step_any(struct walk *walk, uint64_t rule, unsigned *module)
{
    rule = find_rule(walk->lookup, rule, walk->by_frame_pointer && !walk_is_own(walk),
                     &walk->memory.effort);
    *module = rule_module(rule);
    if (walk->steps >= WALK_MAX_STEPS || walk->memory.effort.spent)
        return WALK_BROKEN;
    if (walk->by_frame_pointer && walk->exact && !walk_is_own(walk))
        return step_by_registers(walk, true, *module);
    if (rule & RULE_PLAIN)
        return step_by_offsets(walk, rule);
    switch (rule_special(rule)) {
    case RULE_END:
        return WALK_COMPLETE;
    case RULE_DEREF:
        return step_by_offsets(walk, rule);
    case RULE_NO_CFI:
        return step_by_registers(walk, true, *module);
    case RULE_LEAF:
        return step_by_link_register(walk, rule);
    default: /* RULE_TABLE */
        return step_by_registers(walk, false, *module);
    }
}
