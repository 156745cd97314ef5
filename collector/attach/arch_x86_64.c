/*
 * x86-64. The frame: struct rt_sigframe of the kernel (arch/x86/include/asm/sigframe.h,
 * uapi/asm/sigcontext.h): a return address, a ucontext, room for a siginfo, and the
 * XSAVE area, which has to be aligned to 64 bytes.
 */
#include "attach/arch.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

/* uapi/asm/sigcontext.h: struct _fpx_sw_bytes, at the end of the legacy area */
#define LEGACY_SIZE 512
#define SOFTWARE_BYTES 464
#define XSTATE_HEADER 64
#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u

/* uapi/asm/ucontext.h */
#define FLAG_XSTATE 1u
#define FLAG_SS 2u
#define FLAG_STRICT_SS 4u

/* An sigaltstack(2) that the kernel refuses, so that the thread's own one stays. */
#define KEEP_ALTERNATE_STACK 0x7fff

/* The kernel's results for a call that is to be made again (include/linux/errno.h). */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/* The kernel's ucontext ends with its own signal mask, of 8 bytes. */
#define UCONTEXT_SIZE (offsetof(ucontext_t, uc_sigmask) + 8)
#define SIGINFO_SIZE 128
#define VECTOR_OFFSET ((8 + UCONTEXT_SIZE + SIGINFO_SIZE + 63) & ~(size_t)63)

bool arch_read(pid_t tid, struct arch_state *state)
{
    memset(state, 0, sizeof *state);
    if (ptrace(PTRACE_GETREGS, tid, 0, &state->registers) != 0 ||
        ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof state->mask, &state->mask) != 0)
        return false;
    struct iovec area = {malloc(1 << 16), 1 << 16};
    state->vector = area.iov_base;
    if (!area.iov_base || ptrace(PTRACE_GETREGSET, tid, (void *)NT_X86_XSTATE, &area) != 0) {
        arch_free(state);
        return false;
    }
    state->vector_size = area.iov_len;
    return true;
}

void arch_free(struct arch_state *state)
{
    free(state->vector);
    state->vector = NULL;
}

bool arch_write(pid_t tid, const struct arch_state *state)
{
    struct iovec area = {state->vector, state->vector_size};
    uint64_t mask = state->mask;
    return ptrace(PTRACE_SETREGSET, tid, (void *)NT_X86_XSTATE, &area) == 0 &&
           ptrace(PTRACE_SETREGS, tid, 0, &state->registers) == 0 &&
           ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof mask, &mask) == 0;
}

/* Those that Linux never restarts (signal(7)). */
static bool is_never_restarted(long number)
{
    switch (number) {
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_rt_sigtimedwait:
    case SYS_semop:
    case SYS_semtimedop:
    case SYS_io_getevents:
    case SYS_msgrcv:
    case SYS_msgsnd:
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_futex:
        return true;
    default:
        return false;
    }
}

static bool undo_interruption(arch_registers *registers)
{
    if ((long)registers->orig_rax < 0 || (long)registers->rax != -EINTR ||
        !is_never_restarted((long)registers->orig_rax))
        return false;
    registers->rax = registers->orig_rax;
    registers->orig_rax = (unsigned long long)-1;
    registers->rip -= 2; /* the syscall instruction */
    return true;
}

void arch_undo_interruption(pid_t tid)
{
    arch_registers registers;
    if (ptrace(PTRACE_GETREGS, tid, 0, &registers) == 0 && undo_interruption(&registers))
        ptrace(PTRACE_SETREGS, tid, 0, &registers);
}

void arch_undo_interruption_of(struct arch_state *state)
{
    undo_interruption(&state->registers);
}

uint64_t arch_stack_pointer(const struct arch_state *state)
{
    return state->registers.rsp;
}

/*
 * How much of the XSAVE area the kernel takes back from a frame: no more than it would
 * have written itself, else it restores the legacy part alone. Features that a thread
 * must ask for (AMX tile data, arch_prctl(2)) count only if this one uses them.
 */
static size_t frame_vector_size(const struct arch_state *state, uint64_t *features)
{
    const uint64_t on_request = UINT64_C(1) << 18;
    size_t size = LEGACY_SIZE + XSTATE_HEADER;
    uint64_t in_use, enabled;
    if (state->vector_size < size) {
        *features = 3;
        return state->vector_size;
    }
    memcpy(&enabled, state->vector + SOFTWARE_BYTES, sizeof enabled);
    memcpy(&in_use, state->vector + LEGACY_SIZE, sizeof in_use);
    enabled &= ~on_request | in_use;
    for (unsigned n = 2; n < 63; n++) {
        unsigned bytes, offset, c, d;
        if (!(enabled >> n & 1))
            continue;
        __cpuid_count(0xd, n, bytes, offset, c, d);
        if (!(c & 1) && (size_t)offset + bytes > size)
            size = (size_t)offset + bytes;
    }
    *features = enabled;
    return size < state->vector_size ? size : state->vector_size;
}

size_t arch_frame_size(const struct arch_state *state)
{
    return (VECTOR_OFFSET + state->vector_size + 4 + 63) & ~(size_t)63;
}

/* The registers as the kernel hands them to a handler: the call is to be made again. */
static void restart_from_the_beginning(arch_registers *registers)
{
    if ((long)registers->orig_rax < 0)
        return;
    switch (-(long)registers->rax) {
    case ERESTARTSYS:
    case ERESTARTNOINTR:
    case ERESTARTNOHAND:
    case ERESTART_RESTARTBLOCK:
        registers->rax = registers->orig_rax;
        registers->rip -= 2; /* the syscall instruction */
    }
}

void arch_restart_of(struct arch_state *state)
{
    arch_registers before = state->registers;
    restart_from_the_beginning(&state->registers);
    if (state->registers.rip != before.rip)
        state->registers.orig_rax = (unsigned long long)-1;
}

static void fill_context(const struct arch_state *state, ucontext_t *context)
{
    arch_registers r = state->registers;
    restart_from_the_beginning(&r);
    greg_t *g = context->uc_mcontext.gregs;
    g[REG_R8] = (greg_t)r.r8, g[REG_R9] = (greg_t)r.r9, g[REG_R10] = (greg_t)r.r10;
    g[REG_R11] = (greg_t)r.r11, g[REG_R12] = (greg_t)r.r12, g[REG_R13] = (greg_t)r.r13;
    g[REG_R14] = (greg_t)r.r14, g[REG_R15] = (greg_t)r.r15, g[REG_RDI] = (greg_t)r.rdi;
    g[REG_RSI] = (greg_t)r.rsi, g[REG_RBP] = (greg_t)r.rbp, g[REG_RBX] = (greg_t)r.rbx;
    g[REG_RDX] = (greg_t)r.rdx, g[REG_RAX] = (greg_t)r.rax, g[REG_RCX] = (greg_t)r.rcx;
    g[REG_RSP] = (greg_t)r.rsp, g[REG_RIP] = (greg_t)r.rip, g[REG_EFL] = (greg_t)r.eflags;
    g[REG_CSGSFS] = (greg_t)(r.cs | r.gs << 16 | r.fs << 32 | r.ss << 48);
    context->uc_stack.ss_flags = KEEP_ALTERNATE_STACK;
    memcpy(&context->uc_sigmask, &state->mask, sizeof state->mask);
}

uint64_t arch_frame(const struct arch_state *state, uint64_t restorer, uint64_t address,
                    unsigned char *buffer)
{
    struct {
        uint32_t magic1, extended_size;
        uint64_t features;
        uint32_t size, reserved[7];
    } software = {.magic1 = MAGIC1};
    const uint32_t magic2 = MAGIC2;
    uint64_t features;
    size_t size = frame_vector_size(state, &features);
    /* the frame's first word lies 8 bytes before a multiple of 16, as at a call */
    unsigned char *frame = buffer + VECTOR_OFFSET - 8 - UCONTEXT_SIZE - SIGINFO_SIZE;
    frame -= ((uintptr_t)(frame - buffer) + 8) % 16;
    unsigned char *vector = buffer + VECTOR_OFFSET;
    ucontext_t *context = calloc(1, sizeof *context);
    if (!context)
        return 0;
    memset(buffer, 0, arch_frame_size(state));
    fill_context(state, context);
    context->uc_flags = FLAG_XSTATE | FLAG_SS | FLAG_STRICT_SS;
    context->uc_mcontext.fpregs = (fpregset_t)(uintptr_t)(address + VECTOR_OFFSET);
    memcpy(frame, &restorer, sizeof restorer);
    memcpy(frame + 8, context, UCONTEXT_SIZE);
    free(context);
    memcpy(vector, state->vector, size);
    software.size = (uint32_t)size;
    software.extended_size = (uint32_t)size + 4;
    software.features = features;
    memcpy(vector + SOFTWARE_BYTES, &software, sizeof software);
    memcpy(vector + size, &magic2, sizeof magic2);
    return address + (uint64_t)(frame - buffer);
}

uint64_t arch_return_sp(uint64_t sp)
{
    return sp + 8; /* the call's return has taken the return address */
}

bool arch_set_call(pid_t tid, const struct arch_state *state, const struct arch_call *call)
{
    arch_registers r = state->registers;
    r.rip = call->pc;
    r.rsp = call->sp;
    r.rax = (unsigned long long)call->number;
    r.orig_rax = (unsigned long long)-1; /* no system call to make again here */
    r.rdi = call->arguments[0];
    r.rsi = call->arguments[1];
    r.rdx = call->arguments[2];
    r.r10 = r.rcx = call->arguments[3];
    r.r8 = call->arguments[4];
    r.r9 = call->arguments[5];
    r.eflags &= ~0x400ULL; /* DF: the psABI wants it clear at a call */
    return ptrace(PTRACE_SETREGS, tid, 0, &r) == 0;
}

bool arch_get_syscall(pid_t tid, struct arch_call *call)
{
    arch_registers r;
    if (ptrace(PTRACE_GETREGS, tid, 0, &r) != 0)
        return false;
    *call = (struct arch_call){.pc = r.rip,
                               .sp = r.rsp,
                               .number = (long)r.orig_rax,
                               .arguments = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9}};
    return true;
}

bool arch_get_result(pid_t tid, long *result)
{
    errno = 0;
    *result = ptrace(PTRACE_PEEKUSER, tid, (void *)offsetof(struct user, regs.rax), 0);
    return errno == 0;
}

static bool set_arguments(pid_t tid, const struct arch_call *call, arch_registers *r)
{
    r->rdi = call->arguments[0];
    r->rsi = call->arguments[1];
    r->rdx = call->arguments[2];
    r->r10 = call->arguments[3];
    r->r8 = call->arguments[4];
    r->r9 = call->arguments[5];
    return ptrace(PTRACE_SETREGS, tid, 0, r) == 0;
}

bool arch_set_syscall(pid_t tid, const struct arch_call *call)
{
    arch_registers r;
    if (ptrace(PTRACE_GETREGS, tid, 0, &r) != 0)
        return false;
    r.orig_rax = (unsigned long long)call->number;
    r.rip = call->pc;
    return set_arguments(tid, call, &r);
}

bool arch_end_syscall(pid_t tid, const struct arch_call *call, long result)
{
    arch_registers r;
    if (ptrace(PTRACE_GETREGS, tid, 0, &r) != 0)
        return false;
    r.rax = (unsigned long long)result;
    return set_arguments(tid, call, &r);
}

bool arch_find_code(const unsigned char *bytes, size_t size, uint64_t address,
                    struct arch_code *code)
{
    static const unsigned char syscall_return[] = {0x0f, 0x05, 0xc3};
    static const unsigned char restorer[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
    const unsigned char *found;
    if (!code->syscall_return && (found = memmem(bytes, size, syscall_return, 3)))
        code->syscall_return = address + (uint64_t)(found - bytes);
    if (!code->restorer && (found = memmem(bytes, size, restorer, sizeof restorer)))
        code->restorer = address + (uint64_t)(found - bytes);
    return code->syscall_return && code->restorer;
}

#endif
