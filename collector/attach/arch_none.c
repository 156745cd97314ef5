/* Processors that calls cannot be injected on yet: target_check refuses there. */
#include "attach/arch.h"

#if !defined(__x86_64__)

#include <errno.h>

static bool not_here(void)
{
    errno = ENOSYS;
    return false;
}

bool arch_read(pid_t tid, struct arch_state *state)
{
    return not_here();
}

void arch_free(struct arch_state *state)
{
}

bool arch_write(pid_t tid, const struct arch_state *state)
{
    return not_here();
}

void arch_undo_interruption(pid_t tid)
{
}

void arch_undo_interruption_of(struct arch_state *state)
{
}

void arch_restart_of(struct arch_state *state)
{
}

uint64_t arch_stack_pointer(const struct arch_state *state)
{
    return 0;
}

size_t arch_frame_size(const struct arch_state *state)
{
    return 0;
}

uint64_t arch_frame(const struct arch_state *state, uint64_t restorer, uint64_t address,
                    unsigned char *buffer)
{
    return 0;
}

uint64_t arch_return_sp(uint64_t sp)
{
    return sp;
}

bool arch_set_call(pid_t tid, const struct arch_state *state, const struct arch_call *call)
{
    return not_here();
}

bool arch_get_syscall(pid_t tid, struct arch_call *call)
{
    return not_here();
}

bool arch_get_result(pid_t tid, long *result)
{
    return not_here();
}

bool arch_set_syscall(pid_t tid, const struct arch_call *call)
{
    return not_here();
}

bool arch_end_syscall(pid_t tid, const struct arch_call *call, long result)
{
    return not_here();
}

bool arch_find_code(const unsigned char *bytes, size_t size, uint64_t address,
                    struct arch_code *code)
{
    return not_here();
}

#endif
