/*
 * libunwind as an engine: the reference the others are tested against, and a
 * way to find out whether a wrong stack is ours. On request only: it takes
 * locks, so it isn't for production.
 *
 * Loaded RTLD_LOCAL, for it exports _Unwind_* and backtrace and would take over
 * the program's exceptions. Its interface is small enough to be declared here:
 * its header isn't needed to build.
 */
#include "unwind/libunwind.h"
#include "runtime/optional.h"
#include "unwind/module.h"
#include "unwind/self.h"
#include "unwind/stack_memory.h"

#include <dlfcn.h>

#if defined(__x86_64__)
#define SYMBOL(name) "_ULx86_64_" name
#define REGISTER_IP 16 /* UNW_REG_IP */
#else
#define SYMBOL(name) "_ULaarch64_" name
#define REGISTER_IP 30 /* x30: what libunwind calls UNW_REG_IP here */
#endif

#define SIGNAL_FRAME 1 /* UNW_INIT_SIGNAL_FRAME: the first PC is exact */

/* unw_cursor_t takes 127 words on x86-64, 512 at most elsewhere. */
struct cursor {
    uintptr_t words[640];
};

static int (*init_local2)(struct cursor *, ucontext_t *, int);
static int (*step)(struct cursor *);
static int (*get_reg)(struct cursor *, int, uintptr_t *);

/* Looked up: before glibc 2.34 they are in a library that a program need not have. */
static void *(*open_library)(const char *, int);
static void *(*library_symbol)(void *, const char *);

/* POSIX has dlsym return functions as void *, which ISO C can't assign. */
static bool find_symbol(void *library, const char *name, void *function)
{
    void *symbol = library_symbol(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

bool libunwind_load(void)
{
    void *functions[] = {optional_function("dlopen"), optional_function("dlsym")};
    memcpy(&open_library, &functions[0], sizeof functions[0]);
    memcpy(&library_symbol, &functions[1], sizeof functions[1]);
    void *library = open_library && library_symbol
                        ? open_library("libunwind.so.8", RTLD_NOW | RTLD_LOCAL)
                        : NULL;
    if (!library)
        return false;
    return find_symbol(library, SYMBOL("init_local2"), &init_local2) &&
           find_symbol(library, SYMBOL("step"), &step) &&
           find_symbol(library, SYMBOL("get_reg"), &get_reg);
}

unsigned libunwind_walk(const struct arch_regs *regs, unsigned skip, uint64_t *frames, unsigned max,
                        enum unwind_end *end)
{
    ucontext_t context;
    struct cursor cursor;
    uintptr_t pc;
    unsigned written = 0, steps = 0;
    bool exact = true, leading = true;
    int more = 1;
    memset(&context, 0, sizeof context);
    arch_to_context(regs, &context);
    *end = UNWIND_BROKEN;
    if (init_local2(&cursor, &context, SIGNAL_FRAME) < 0)
        return 0;
    for (; more > 0 && written < max; steps++) {
        if (get_reg(&cursor, REGISTER_IP, &pc) < 0 || pc == 0)
            break;
        uintptr_t lookup = pc - (exact ? 0 : 1);
        leading = leading && (steps < skip || self_holds(lookup));
        if (!leading)
            frames[written++] = lookup | (uint64_t)module_find(lookup) << UNWIND_ADDRESS_BITS;
        /* unw_is_signal_frame answers for the trampoline or for the frame above
         * it, depending on the version. */
        exact = memory_is_readable(pc, NULL) && arch_is_sigreturn((const uint8_t *)pc);
        more = step(&cursor);
    }
    if (more > 0 && written == max)
        *end = UNWIND_TRUNCATED;
    else if (more >= 0)
        *end = UNWIND_COMPLETE;
    return written;
}
