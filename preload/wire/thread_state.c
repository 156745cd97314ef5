#include "wire/thread_state.h"

#include <sys/syscall.h>

/* The system calls that threads mostly wait in. */
const char *thread_state_name(char state, int32_t syscall)
{
    static const struct {
        int32_t number;
        char name[12]; /* no pointers: ../README.md */
    } calls[] = {
        {SYS_futex, "futex"},
        {SYS_epoll_pwait, "epoll_wait"},
        {SYS_ppoll, "poll"},
        {SYS_pselect6, "select"},
        {SYS_clock_nanosleep, "sleep"},
        {SYS_nanosleep, "sleep"},
        {SYS_read, "read"},
        {SYS_write, "write"},
        {SYS_recvfrom, "recv"},
        {SYS_recvmsg, "recv"},
        {SYS_accept, "accept"},
        {SYS_accept4, "accept"},
        {SYS_wait4, "wait"},
        {SYS_restart_syscall, "sleep"}, /* a wait with a timeout, after a stop or a trace */
        {SYS_rt_sigtimedwait, "sigwait"},
        {SYS_rt_sigsuspend, "sigsuspend"},
#ifdef SYS_epoll_wait /* x86-64; newer architectures have the p forms only */
        {SYS_epoll_wait, "epoll_wait"},
        {SYS_poll, "poll"},
        {SYS_select, "select"},
        {SYS_pause, "pause"},
#endif
    };

    if (state == 'R')
        return "running";
    for (unsigned i = 0; syscall >= 0 && i < sizeof calls / sizeof *calls; i++)
        if (calls[i].number == syscall)
            return calls[i].name;
    switch (state) {
    case 'D':
        return "uninterruptible";
    case 'T':
    case 't':
        return "stopped";
    default:
        return syscall >= 0 ? "syscall" : "sleep";
    }
}
