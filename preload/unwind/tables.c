#include "unwind/tables.h"
#include "unwind/module_object.h"
#include "unwind/module_unload.h"

enum tables tables_read(const struct module_entry *entry, uintptr_t pc, struct reading *reading,
                        struct effort *effort,
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

/* Is it the frame of a signal trampoline, as a return address - 1? Its code is
 * readable: it has a module. */
static bool before_sigreturn(uintptr_t pc, struct effort *effort)
{
    uint8_t code[ARCH_SIGRETURN_BYTES];
    return module_copy(code, pc + 1, sizeof code, effort) && arch_is_sigreturn(code);
}

__attribute__((noinline, cold)) uint64_t tables_read_rule(uintptr_t pc, bool by_frame_pointer,
                                                          struct effort *effort)
{
    struct reading reading;
    struct pack_request request = {pc, module_find_within(pc, effort), RULE_NONE};
    const struct module_entry *entry = module_entry_get(request.module);
    enum walk_status status;
    if (!entry) {
        request.rule = tables_rule_unmapped();
        if (!effort->spent)
            cache_enter(pc, request.rule);
        return request.rule;
    }
    if (by_frame_pointer)
        request.rule = before_sigreturn(pc, effort) ? rule_make_special(RULE_NO_CFI, request.module)
                                                    : rule_frame_pointer(request.module);
    else if (tables_read(entry, pc, &reading, effort, pack, &request, &status) != TABLES_ROW)
        request.rule = rule_make_special(RULE_NO_CFI, request.module);
    /* While a dlclose is under way nothing is learnt of what it might take. */
    if (!entry->permanent)
        request.rule |= RULE_TRANSIENT;
    if (!effort->spent && module_is_current(request.module))
        cache_enter(pc, request.rule);
    return request.rule;
}

bool tables_cover(uintptr_t pc, struct effort *effort)
{
    uint64_t rule = tables_rule(pc, cache_find(pc), false, effort);
    return (rule & RULE_PLAIN) || rule_special(rule) != RULE_NO_CFI;
}
