#include "patch/entry.h"
#include "kit/sys.h"
#include "patch/decode.h"
#include "runtime/optional.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE ((uintptr_t)4096)
#define JUMP 5      /* bytes of a jump within 2 GiB */
#define FAR_JUMP 14 /* jmp *0(%rip), and the address */
#define REACH (INT64_C(1) << 30)
#define HINT_STEP ((uintptr_t)1 << 20)
#define HINTS 900

/* A function's part of the island: the way to the hook, and the trampoline. */
struct island {
    uint8_t to_hook[16];
    uint8_t trampoline[DECODE_MOST + FAR_JUMP + 10];
};
_Static_assert(sizeof(struct island) == 64, "a power of two to a page");

#if defined(__x86_64__)

static void put_far_jump(uint8_t *at, const void *target)
{
    static const uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0};
    memcpy(at, jump, sizeof jump);
    memcpy(at + sizeof jump, &target, sizeof target);
}

static unsigned endbr_length(const uint8_t *code, uint64_t size)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    return size >= sizeof endbr64 && memcmp(code, endbr64, sizeof endbr64) == 0 ? sizeof endbr64
                                                                                : 0;
}

/* Memory within reach of the function, below it: above lies the heap that brk extends. */
static uint8_t *map_island(const uint8_t *near, size_t size)
{
    uintptr_t hint = ((uintptr_t)near & ~(HINT_STEP - 1)) - HINT_STEP;
    for (unsigned n = 0; n < HINTS && hint > HINT_STEP; n++, hint -= HINT_STEP) {
        void *memory = (void *)sys_call6(SYS_mmap, hint, size, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (sys_is_error(memory))
            continue;
        int64_t distance = (const uint8_t *)memory - near;
        if (distance > -REACH && distance < REACH)
            return memory;
        sys_call2(SYS_munmap, memory, size); /* an older kernel takes the address for a wish */
    }
    return NULL;
}

/* Makes the island for one function; nothing of it is changed yet. */
static bool prepare(const struct entry *entry, struct island *island)
{
    unsigned skipped = endbr_length(entry->function, entry->size);
    const uint8_t *code = entry->function + skipped;
    uint64_t size = entry->size - skipped;
    unsigned written = 0;
    unsigned moved = size >= JUMP ? decode_move(code, size, JUMP, island->trampoline, &written) : 0;
    if (!moved || decode_jumps_into(entry->function, entry->size, skipped + 1, skipped + moved))
        return false;
    put_far_jump(island->trampoline + written, code + moved);
    put_far_jump(island->to_hook, entry->hook);
    int64_t distance = island->to_hook - (code + JUMP);
    return distance > -2 * REACH && distance < 2 * REACH;
}

static bool protect(const struct entry *entry, int protection)
{
    uintptr_t start = (uintptr_t)entry->function & ~(PAGE - 1);
    uintptr_t end = ((uintptr_t)entry->function + 2 * JUMP + PAGE - 1) & ~(PAGE - 1);
    return sys_call3(SYS_mprotect, start, end - start, protection) == 0;
}

static void redirect(const struct entry *entry, const struct island *island)
{
    uint8_t *code = entry->function + endbr_length(entry->function, entry->size);
    int32_t distance = (int32_t)(island->to_hook - (code + JUMP));
    code[0] = 0xe9;
    memcpy(code + 1, &distance, sizeof distance);
    *entry->original = (void *)(uintptr_t)island->trampoline;
}

bool entry_patch(const struct entry *entries, size_t count)
{
    size_t size = (count * sizeof(struct island) + PAGE - 1) & ~(PAGE - 1);
    if (!count || !*optional_single_threaded())
        return false;
    struct island *islands = (void *)map_island(entries[0].function, size);
    if (!islands)
        return false;
    bool good = true;
    for (size_t n = 0; n < count && good; n++)
        good = prepare(&entries[n], &islands[n]);
    good = good && sys_call3(SYS_mprotect, islands, size, PROT_READ | PROT_EXEC) == 0;
    /* a dry run: what is refused is refused before anything was changed */
    for (size_t n = 0; n < count && good; n++)
        good = protect(&entries[n], PROT_READ | PROT_WRITE) &&
               protect(&entries[n], PROT_READ | PROT_EXEC);
    if (!good) {
        sys_call2(SYS_munmap, islands, size);
        return false;
    }
    for (size_t n = 0; n < count; n++) {
        protect(&entries[n], PROT_READ | PROT_WRITE);
        redirect(&entries[n], &islands[n]);
        protect(&entries[n], PROT_READ | PROT_EXEC);
    }
    return true;
}

#else

bool entry_patch(const struct entry *entries, size_t count)
{
    return false;
}

#endif
