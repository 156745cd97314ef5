#include "attach/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "attach/remote.h"
#include "attach/tracee.h"
#include "base/clock.h"

/* What dlopen(3) and our constructor need, with much to spare. */
#define STACK_SIZE (UINT64_C(256) << 10)
#define SYSCALL_NS INT64_C(2000000000) /* none of ours waits for anything */

/* Puts the return address and the signal frame below `limit`. */
static bool put_frame(struct call *call, uint64_t limit)
{
    size_t size = arch_frame_size(&call->state);
    uint64_t address = (limit - size) & ~UINT64_C(63);
    unsigned char *frame = malloc(size);
    uint64_t sp = frame ? arch_frame(&call->state, call->code.restorer, address, frame) : 0;
    bool good = sp && remote_write(call->pid, address, frame, size);
    free(frame);
    call->sp = good ? sp : 0;
    return good;
}

/*
 * Signals that come while a call is running would have their handlers run on its stack and
 * look at a half-made library. They wait until the thread has its own registers again. The
 * mask is changed after the registers: with them the frame, which holds the program's mask,
 * is in charge.
 */
static bool start(struct call *call, const struct arch_call *what)
{
    uint64_t all = ~UINT64_C(0);
    return arch_set_call(call->tid, &call->state, what) &&
           ptrace(PTRACE_SETSIGMASK, call->tid, (void *)sizeof all, &all) == 0;
}

static int run_to_syscall(struct call *call, int64_t deadline_ns, bool *late)
{
    *late = false;
    if (ptrace(PTRACE_SYSCALL, call->tid, 0, 0) != 0)
        return -1;
    return tracee_wait(call->tid, TRACEE_TO_SYSCALLS, deadline_ns, late);
}

/* From a stop at a system call to the event stop in which registers can be given back.
 * The kernel comes to it before the thread runs again. */
static bool to_event_stop(struct call *call)
{
    bool late;
    if (ptrace(PTRACE_INTERRUPT, call->tid, 0, 0) != 0 || ptrace(PTRACE_CONT, call->tid, 0, 0) != 0)
        return false;
    int status = tracee_wait(call->tid, TRACEE_RUN, clock_monotonic() + SYSCALL_NS, &late);
    return status != -1 && tracee_is_event(status);
}

long call_syscall(struct call *call, long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                  uint64_t e, uint64_t f)
{
    struct arch_call what = {
        .pc = call->code.syscall_return,
        .sp = call->sp,
        .number = number,
        .arguments = {a, b, c, d, e, f},
        .return_address = call->code.restorer,
    };
    int64_t deadline = clock_monotonic() + SYSCALL_NS;
    long result = -ESRCH;
    bool late;
    if (!start(call, &what))
        return -ESRCH;
    int begin = run_to_syscall(call, deadline, &late);
    int end = begin == -1 ? -1 : run_to_syscall(call, deadline, &late);
    if (end == -1 || !tracee_is_syscall(end) || !arch_get_result(call->tid, &result))
        return -ESRCH;
    return to_event_stop(call) ? result : -ESRCH;
}

bool call_begin(struct call *call, pid_t pid, pid_t tid, const struct arch_code *code,
                struct error *err)
{
    *call = (struct call){.pid = pid, .tid = tid, .code = *code};
    if (!arch_read(tid, &call->state))
        return fail_with(err, "cannot read the registers of thread %d: %s", (int)tid,
                         strerror(errno));
    if (!tracee_has_signal(tid))
        arch_undo_interruption_of(&call->state);
    /* the first frame lies on the thread's own stack: there is no other yet */
    if (!put_frame(call, arch_stack_pointer(&call->state) - ARCH_RED_ZONE)) {
        arch_free(&call->state);
        return fail_with(err, "cannot write to the stack of thread %d: %s", (int)tid,
                         strerror(errno));
    }
    uint64_t own = call->sp;
    long stack = call_syscall(call, SYS_mmap, 0, STACK_SIZE, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0);
    if (stack > 0 || stack < -4095) {
        call->stack = (uint64_t)stack;
        call->stack_size = STACK_SIZE;
        if (put_frame(call, call->stack + STACK_SIZE))
            return true;
    }
    call->sp = own;
    call_end(call, NULL);
    return fail_with(err, "cannot map memory in process %d: %s", (int)pid,
                     stack < 0 && stack >= -4095 ? strerror((int)-stack) : "it cannot be written");
}

/* The frame's own rt_sigreturn is not made: registers are given back by call_end, so that
 * an interrupted system call goes on with the time that remains. */
static void hold_return(struct call *call, struct arch_call *now)
{
    bool late;
    now->number = -1;
    now->pc = call->code.restorer; /* where it goes on if we die now: to the same call again */
    call->running = false;
    call->returned = arch_set_syscall(call->tid, now) &&
                     run_to_syscall(call, clock_monotonic() + SYSCALL_NS, &late) != -1 &&
                     to_event_stop(call);
}

/* At the beginning of a system call of the called function. False: it has returned, or ended. */
static bool at_entry(struct call *call, call_watch watch, void *arg)
{
    struct arch_call now;
    if (!arch_get_syscall(call->tid, &now)) {
        call->running = false;
        return false;
    }
    /* the library lets its own signal through to the thread: its handlers return, too */
    if (now.number == SYS_rt_sigreturn && now.sp == arch_return_sp(call->sp)) {
        hold_return(call, &now);
        return false;
    }
    call->handled |= now.number == SYS_rt_sigreturn;
    call->asked = now;
    call->replaced = watch && watch(arg, &now) == CALL_REPLACE && arch_set_syscall(call->tid, &now);
    call->inside = true;
    return true;
}

static void at_exit(struct call *call)
{
    long result;
    if (call->replaced && arch_get_result(call->tid, &result))
        arch_end_syscall(call->tid, &call->asked, result);
    call->inside = call->replaced = false;
}

bool call_wait(struct call *call, call_watch watch, void *arg, int64_t deadline_ns)
{
    while (call->running) {
        bool late = false;
        if (!call->moving && ptrace(PTRACE_SYSCALL, call->tid, 0, 0) != 0)
            return false;
        call->moving = true;
        int status = tracee_wait(call->tid, TRACEE_TO_SYSCALLS, deadline_ns, &late);
        if (status == -1) {
            call->running = late;
            return false;
        }
        call->moving = false;
        if (!tracee_is_syscall(status))
            continue; /* a group stop or the like: it goes on */
        if (call->inside)
            at_exit(call);
        else if (!at_entry(call, watch, arg))
            break;
    }
    return call->returned;
}

bool call_function(struct call *call, uint64_t function, uint64_t a, uint64_t b, call_watch watch,
                   void *arg, int64_t deadline_ns)
{
    struct arch_call what = {
        .pc = function,
        .sp = call->sp,
        .number = -1,
        .arguments = {a, b},
        .return_address = call->code.restorer,
    };
    call->returned = call->moving = call->inside = false;
    call->running = start(call, &what);
    return call->running && call_wait(call, watch, arg, deadline_ns);
}

uint64_t call_store(struct call *call, const void *bytes, size_t size)
{
    return size < STACK_SIZE / 4 && remote_write(call->pid, call->stack, bytes, size) ? call->stack
                                                                                      : 0;
}

bool call_end(struct call *call, struct error *err)
{
    if (call->stack) {
        /* unmapped from the thread's own stack again */
        uint64_t stack = call->stack;
        if (!put_frame(call, arch_stack_pointer(&call->state) - ARCH_RED_ZONE))
            stack = 0;
        if (stack)
            call_syscall(call, SYS_munmap, stack, call->stack_size, 0, 0, 0, 0);
        call->stack = 0;
    }
    /* The kernel forgets how to go on with an interrupted call when a handler returns
     * (rt_sigreturn(2), restart_block): it is made again then, from its beginning. */
    if (call->handled)
        arch_restart_of(&call->state);
    bool good = arch_write(call->tid, &call->state);
    arch_free(&call->state);
    if (!good && err)
        fail_with(err, "cannot give thread %d its registers back: %s", (int)call->tid,
                  strerror(errno));
    return good;
}
