#include "unwind/stack_memory.h"

#include "kit/sys.h"
#include "unwind/unwind.h"

#include <errno.h>
#include <sys/uio.h>

#define PAGE 4096u /* the smallest page of x86-64 and aarch64; a larger one is checked in parts */

/* How far from the trusted region a read may lie to be taken for the same
 * stack. Each page between is verified, so this bounds the work of one read. */
#define REACH_PAGES 64

static bool system_calls_allowed(void)
{
    return !sys_forbidden();
}

/* Takes one system call from the effort; false: none is left. */
static bool take_call(struct effort *effort)
{
    if (!effort)
        return true;
    if (effort->calls == 0) {
        effort->spent = true;
        return false;
    }
    effort->calls--;
    return true;
}

bool memory_is_readable(uintptr_t address, struct effort *effort)
{
    return system_calls_allowed() && take_call(effort) && sys_is_readable(address);
}

enum memory_copy memory_copy(void *to, uintptr_t from, size_t size, struct effort *effort)
{
    if (!system_calls_allowed())
        return MEMORY_NO_WAY;
    if (!take_call(effort))
        return MEMORY_UNREADABLE;
    struct iovec local = {to, size};
    struct iovec remote = {(void *)from, size};
    long copied =
        sys_call6(SYS_process_vm_readv, sys_getpid(), (long)&local, 1, (long)&remote, 1, 0);
    if (copied == (long)size)
        return MEMORY_COPIED;
    return copied == -EPERM || copied == -ENOSYS ? MEMORY_NO_WAY : MEMORY_UNREADABLE;
}

static void trust(struct memory *memory, uintptr_t low, uintptr_t high)
{
    memory->low = low;
    memory->span = high - low - sizeof(uintptr_t);
}

/* The region of one word that stands for none: it must be readable itself. */
static const uintptr_t nothing;

static void trust_nothing(struct memory *memory)
{
    memory->low = (uintptr_t)&nothing;
    memory->span = 0;
}

static bool on_known_stack(const struct memory *memory, uintptr_t sp)
{
    return sp >= memory->stack_low && sp < memory->stack_high &&
           memory->stack_high - sp >= sizeof(uintptr_t);
}

static uintptr_t page_end(uintptr_t address)
{
    return (address | (PAGE - 1)) + 1;
}

static void adopt(struct memory *memory, uintptr_t sp, bool mapped)
{
    uintptr_t end = page_end(sp);
    if (on_known_stack(memory, sp))
        trust(memory, sp, memory->stack_high);
    else if (end - sp >= sizeof(uintptr_t) && (mapped || memory_is_readable(sp, &memory->effort)))
        trust(memory, sp, end);
    else
        trust_nothing(memory);
}

void memory_init(struct memory *memory, uintptr_t stack_low, uintptr_t stack_high, uintptr_t sp,
                 bool running)
{
    memory->foreign = false;
    memory->effort = (struct effort){EFFORT_CALLS, EFFORT_SCANS, false};
    memory->stack_low = stack_low;
    memory->stack_high = stack_high;
    adopt(memory, sp, running);
}

void memory_init_foreign(struct memory *memory)
{
    memory->foreign = true;
    memory->effort.calls = EFFORT_CALLS_FOREIGN;
    memory->stack_low = memory->stack_high = 0;
    trust_nothing(memory);
}

void memory_adopt(struct memory *memory, uintptr_t sp)
{
    if (!memory->foreign && sp - memory->low > memory->span)
        adopt(memory, sp, false);
}

/* Makes the trusted region reach over the word at `address`, above it, if every page between is
 * readable. */
static bool extend(struct memory *memory, uintptr_t address)
{
    uintptr_t high = memory->low + memory->span + sizeof(uintptr_t);
    uintptr_t last = address + sizeof(uintptr_t) - 1;
    if (memory->low == (uintptr_t)&nothing || address < memory->low || last < address ||
        last - high >= (uintptr_t)REACH_PAGES * PAGE)
        return false;
    while (high <= last) {
        if (high % PAGE != 0 || !memory_is_readable(high, &memory->effort))
            return false;
        high += PAGE;
        memory->span += PAGE;
    }
    return true;
}

__attribute__((no_sanitize("address"))) bool
memory_read_unknown(struct memory *memory, uintptr_t address, uintptr_t *value)
{
    bool at_stack_end = memory->low + memory->span + sizeof(uintptr_t) == memory->stack_high;
    if (!at_stack_end && extend(memory, address)) {
        *value = *(const memory_word *)address;
        return true;
    }
    switch (memory_copy(value, address, sizeof *value, &memory->effort)) {
    case MEMORY_COPIED:
        return true;
    case MEMORY_UNREADABLE:
        return false;
    default:
        break;
    }
    /* looks at a whole word */
    if (memory->foreign || !memory_is_readable(address, &memory->effort))
        return false;
    *value = *(const memory_word *)address;
    return true;
}
