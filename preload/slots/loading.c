#include "slots/loading.h"
#include "kit/sections.h"
#include "runtime/object.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The real functions, for the jumps below. */
static COLD_TABLE void *loading_real[LOADING_FUNCTIONS];
static _Atomic(bool) is_loading;
static void (*when_loaded)(void); /* set before a slot leads here */

/* Before each of them. Does `number` load something, which the next one then looks at? */
__attribute__((used)) static void *loading_prepare(unsigned number)
{
    int saved = errno;
    if (atomic_exchange(&is_loading, number < 2))
        when_loaded();
    errno = saved;
    return loading_real[number];
}

#if defined(__x86_64__)
/* The arguments are kept; r11 is free at function entry (System V ABI 3.2.2). */
#define JUMP(name, number)                                                                         \
    __asm__(".text\n"                                                                              \
            ".type " #name ", @function\n" #name ":\n"                                             \
            ".cfi_startproc\n"                                                                     \
            "endbr64\n"                                                                            \
            "push %rdi\n.cfi_adjust_cfa_offset 8\n"                                                \
            "push %rsi\n.cfi_adjust_cfa_offset 8\n"                                                \
            "push %rdx\n.cfi_adjust_cfa_offset 8\n"                                                \
            "mov $" #number ", %edi\n"                                                             \
            "call loading_prepare\n"                                                               \
            "mov %rax, %r11\n"                                                                     \
            "pop %rdx\n.cfi_adjust_cfa_offset -8\n"                                                \
            "pop %rsi\n.cfi_adjust_cfa_offset -8\n"                                                \
            "pop %rdi\n.cfi_adjust_cfa_offset -8\n"                                                \
            "jmp *%r11\n"                                                                          \
            ".cfi_endproc\n"                                                                       \
            ".size " #name ", .-" #name "\n")
#elif defined(__aarch64__)
/* x16 is free at function entry (AAPCS64 6.1.1). */
#define JUMP(name, number)                                                                         \
    __asm__(".text\n"                                                                              \
            ".type " #name ", %function\n" #name ":\n"                                             \
            ".cfi_startproc\n"                                                                     \
            "stp x0, x1, [sp, #-32]!\n.cfi_adjust_cfa_offset 32\n"                                 \
            "stp x2, x30, [sp, #16]\n"                                                             \
            ".cfi_rel_offset x30, 24\n"                                                            \
            "mov w0, #" #number "\n"                                                               \
            "bl loading_prepare\n"                                                                 \
            "mov x16, x0\n"                                                                        \
            "ldp x2, x30, [sp, #16]\n"                                                             \
            "ldp x0, x1, [sp], #32\n.cfi_adjust_cfa_offset -32\n.cfi_restore x30\n"                \
            "br x16\n"                                                                             \
            ".cfi_endproc\n"                                                                       \
            ".size " #name ", .-" #name "\n")
#endif

void *loading_dlopen(const char *, int);
void *loading_dlmopen(long, const char *, int);
void *loading_dlsym(void *, const char *);
JUMP(loading_dlopen, 0);
JUMP(loading_dlmopen, 1);
JUMP(loading_dlsym, 2);

void loading_functions(struct rebind table[LOADING_FUNCTIONS], void (*loaded)(void))
{
    when_loaded = loaded;
    static const char names[] = "dlopen\0dlmopen\0dlsym\0";
    object_first_definitions(names, loading_real);
    table[0] = (struct rebind){"dlopen", (void *)(uintptr_t)loading_dlopen, loading_real[0], false};
    table[1] =
        (struct rebind){"dlmopen", (void *)(uintptr_t)loading_dlmopen, loading_real[1], false};
    table[2] = (struct rebind){"dlsym", (void *)(uintptr_t)loading_dlsym, loading_real[2], false};
}
