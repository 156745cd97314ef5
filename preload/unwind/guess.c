#include "unwind/guess.h"
#include "kit/sections.h"
#include "unwind/module_table.h"
#include "unwind/tables.h"

#define CODE_WINDOW 8

/* Bytes of code around an address; false when they can't be read. Code of an object that was
 * loaded at the start stays where it is, so it is loaded; any other is copied by the kernel. */
__attribute__((no_sanitize("address"))) static bool
read_code(struct memory *memory, uintptr_t address, uint8_t code[], unsigned size)
{
    const struct module_entry *entry =
        module_entry_get(module_find_within(address, &memory->effort));
    if (entry && entry->permanent && entry->is_code_readable &&
        address + size <= entry->module.limit) {
        memcpy(code, (const void *)address, size);
        return true;
    }
    for (unsigned done = 0; done < size; done += sizeof(uintptr_t)) {
        uintptr_t word;
        if (!memory_read(memory, address + done, &word))
            return false;
        unsigned rest = size - done;
        memcpy(code + done, &word, rest < sizeof word ? rest : sizeof word);
    }
    return true;
}

bool guess_signal_step(struct arch_regs *regs, bool *exact, struct memory *memory)
{
    uint8_t code[ARCH_SIGRETURN_BYTES];
    if (!read_code(memory, regs->r[ARCH_PC], code, sizeof code) || !arch_is_sigreturn(code))
        return false;
    uintptr_t context = arch_sigreturn_context(regs->r[ARCH_SP]);
    struct arch_regs interrupted;
    for (unsigned i = 0; i < ARCH_REGISTERS; i++)
        if (!memory_read(memory, context + arch_context_offset(i), &interrupted.r[i]))
            return false;
    *regs = interrupted;
    *exact = true;
    memory_adopt(memory, regs->r[ARCH_SP]);
    return true;
}

#if defined(__x86_64__)
/* Does a call instruction end at this address? */
static bool follows_call(struct memory *memory, uintptr_t address)
{
    uint8_t code[CODE_WINDOW];
    if (address < CODE_WINDOW || address >> 47 != 0 ||
        !read_code(memory, address - CODE_WINDOW, code, CODE_WINDOW))
        return false;
    const uint8_t *end = code + CODE_WINDOW;
    if (end[-5] == 0xe8)
        return true;
    /* ff /2 with 0 to 5 bytes of addressing after the ModRM byte. */
    for (int size = 2; size <= 7; size++)
        if (end[-size] == 0xff && (end[1 - size] >> 3 & 7) == 2)
            return true;
    return false;
}

#define SCAN_WORDS 64        /* of the stack that are looked at for a return address */
#define FUNCTION_MAX 0x8000u /* libgmp's longest loop, unrolled, takes 5 KiB */

/* Where a jump table entry (PLT) at `target` leads to; 0 if it isn't one. */
static uintptr_t follow_plt(struct memory *memory, uintptr_t target)
{
    uint8_t code[16];
    int32_t distance;
    uintptr_t function;
    unsigned at = 0;
    if (!read_code(memory, target, code, sizeof code))
        return 0;
    if (memcmp(code, "\xf3\x0f\x1e\xfa", 4) == 0) /* endbr64 */
        at = 4;
    at += code[at] == 0xf2; /* bnd */
    if (code[at] != 0xff || code[at + 1] != 0x25)
        return 0;
    memcpy(&distance, code + at + 2, sizeof distance);
    return memory_read(memory, target + at + 6 + (uintptr_t)(intptr_t)distance, &function)
               ? function
               : 0;
}

/* Where the direct call that ends at `ra` leads to; 0 if there is none. */
static uintptr_t call_target(struct memory *memory, uintptr_t ra)
{
    uint8_t code[CODE_WINDOW];
    int32_t distance;
    uintptr_t target;
    if (!read_code(memory, ra - CODE_WINDOW, code, sizeof code))
        return 0;
    memcpy(&distance, code + CODE_WINDOW - sizeof distance, sizeof distance);
    target = ra + (uintptr_t)(intptr_t)distance;
    if (code[CODE_WINDOW - 5] == 0xe8)
        return target;
    if (code[CODE_WINDOW - 6] == 0xff && code[CODE_WINDOW - 5] == 0x15) /* call *slot(%rip) */
        return memory_read(memory, target, &target) ? target : 0;
    return 0;
}

/* Does a call to `target` arrive in the function that pc lies in: not far below
 * it, in its module, and without tables as it is? */
static bool arrives(uintptr_t target, uintptr_t pc, unsigned module, struct memory *memory)
{
    return target != 0 && target <= pc && pc - target < FUNCTION_MAX &&
           module_find_within(target, &memory->effort) == module &&
           !tables_cover(target, &memory->effort);
}

/* Assembly that pushes and calls, but has no tables (libgmp, video codecs): looks
 * up the stack for the return address of a call that arrives here. A stale one
 * of another function is told by where its call leads. */
static bool step_scan(struct arch_regs *regs, struct memory *memory, unsigned module)
{
    if (memory->effort.scans == 0)
        return false;
    memory->effort.scans--;
    uintptr_t sp = regs->r[ARCH_SP], pc = regs->r[ARCH_PC], word;
    for (uintptr_t at = sp; at < sp + SCAN_WORDS * 8 && memory_read(memory, at, &word); at += 8) {
        if (word >> 47 != 0 || word < 0x10000 || word - sp < 0x100000 ||
            !module_find_within(word - 1, &memory->effort))
            continue;
        uintptr_t target = call_target(memory, word), first;
        if (!arrives(target, pc, module, memory))
            target = target ? follow_plt(memory, target) : 0;
        if (!arrives(target, pc, module, memory))
            continue;
        /* Did the function begin with push %rbp? Then it's under the return address. */
        if (at > sp && memory_read(memory, target, &first) && (uint8_t)first == 0x55)
            memory_read(memory, at - 8, &regs->r[ARCH_FP]);
        regs->r[ARCH_PC] = word;
        regs->r[ARCH_SP] = at + 8;
        return true;
    }
    return false;
}

/* Where a scan found nothing and the frame pointer led to a call: the frame pointer comes first
 * there from then on (V8's built-in code, chromium). By PC, one beside the other; an entry that
 * another PC has overwritten costs one more scan. */
#define BY_FRAME_POINTER_MAX 2048u
static COLD_TABLE _Atomic(uintptr_t) by_frame_pointer[BY_FRAME_POINTER_MAX];

static _Atomic(uintptr_t) *by_frame_pointer_at(uintptr_t pc)
{
    return &by_frame_pointer[(pc ^ pc >> 11) % BY_FRAME_POINTER_MAX];
}

/* Does the frame pointer lead to the return address of a call? */
static bool frame_pointer_leads_to_call(const struct arch_regs *regs, struct memory *memory)
{
    uintptr_t fp = regs->r[ARCH_FP], ra;
    return fp >= regs->r[ARCH_SP] && fp % sizeof ra == 0 && memory_read(memory, fp + 8, &ra) &&
           ra >> 47 == 0 && module_find_within(ra - 1, &memory->effort) != 0 &&
           follows_call(memory, ra);
}

/* By a scan, unless it is known to lead nowhere here. */
static bool step_without_tables(struct arch_regs *regs, struct memory *memory, unsigned module)
{
    uintptr_t pc = regs->r[ARCH_PC];
    _Atomic(uintptr_t) *known = by_frame_pointer_at(pc);
    if (atomic_load_explicit(known, memory_order_relaxed) == pc &&
        frame_pointer_leads_to_call(regs, memory))
        return false;
    bool scanned = memory->effort.scans > 0;
    if (step_scan(regs, memory, module))
        return true;
    if (scanned && !memory->effort.spent && frame_pointer_leads_to_call(regs, memory))
        atomic_store_explicit(known, pc, memory_order_relaxed);
    return false;
}

/* A leaf that was interrupted before it made its frame, or makes none: is the
 * return address on top of the stack, or under the frame pointer just pushed? */
static bool step_leaf(struct arch_regs *regs, struct memory *memory)
{
    uintptr_t word;
    uint8_t before;
    uintptr_t sp = regs->r[ARCH_SP];
    if (memory_read(memory, sp, &word) && follows_call(memory, word)) {
        regs->r[ARCH_PC] = word;
        regs->r[ARCH_SP] = sp + 8;
        return true;
    }
    if (word == regs->r[ARCH_FP] && read_code(memory, regs->r[ARCH_PC] - 1, &before, 1) &&
        before == 0x55 /* push %rbp */ && memory_read(memory, sp + 8, &word) &&
        follows_call(memory, word)) {
        regs->r[ARCH_PC] = word;
        regs->r[ARCH_SP] = sp + 16;
        return true;
    }
    return false;
}
#else
static bool step_without_tables(struct arch_regs *regs, struct memory *memory, unsigned module)
{
    return false; /* calls leave no trace on the stack here */
}

/* The link register holds the return address until a frame record is made;
 * then the record's copy is the same, unless calls were made since. */
static bool step_leaf(struct arch_regs *regs, struct memory *memory)
{
    uintptr_t saved;
    uintptr_t lr = arch_code_address(regs->r[ARCH_RA]);
    if (lr == 0 || lr == regs->r[ARCH_PC] || !module_find_within(lr - 1, &memory->effort) ||
        (memory_read(memory, regs->r[ARCH_FP] + 8, &saved) && arch_code_address(saved) == lr))
        return false;
    regs->r[ARCH_PC] = lr;
    return true;
}
#endif

enum walk_status guess_step(struct arch_regs *regs, bool *exact, struct memory *memory,
                            unsigned module)
{
    uintptr_t fp = regs->r[ARCH_FP], sp = regs->r[ARCH_SP], ra, caller_fp;
    /* Trampolines belong to the C library, the vDSO or the program: they have a module. */
    if ((module != 0 || ARCH_TRAMPOLINE_ANYWHERE) && guess_signal_step(regs, exact, memory))
        return WALK_ON;
    bool leaf = *exact;
    *exact = false;
    if (module != 0 && !module_entry_get(module)->is_loader &&
        step_without_tables(regs, memory, module)) {
        memory_adopt(memory, regs->r[ARCH_SP]);
        return WALK_ON;
    }
    if (leaf && step_leaf(regs, memory))
        return WALK_ON;
    /* The ABI asks for a zero in the outermost frame, the kernel starts the loader
     * with one, and makers of coroutines follow. Elsewhere it's just a number. */
    if (fp == 0)
        return module == 0 || module_entry_get(module)->is_loader ? WALK_COMPLETE : WALK_BROKEN;
    if (fp < sp || fp % sizeof(uintptr_t) != 0 || !memory_read(memory, fp, &caller_fp) ||
        !memory_read(memory, fp + 8, &ra))
        return WALK_BROKEN;
    ra = arch_code_address(ra);
    if (ra == 0)
        return WALK_COMPLETE;
    /* A register that isn't a frame pointer can point at anything: go on only
     * into code, or when a chain goes on in memory that nobody has a name for. */
    if (!module_find_within(ra - 1, &memory->effort) && (module != 0 || caller_fp <= fp))
        return WALK_BROKEN;
    regs->r[ARCH_PC] = ra;
    regs->r[ARCH_SP] = fp + 16;
    regs->r[ARCH_FP] = caller_fp;
    memory_adopt(memory, fp + 16);
    return WALK_ON;
}
