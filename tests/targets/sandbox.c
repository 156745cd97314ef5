/* Installs a seccomp filter that kills for every system call the program itself
 * doesn't make afterwards, then allocates, gets a signal and ends. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALLOW(number)                                                                              \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1),                                           \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static volatile sig_atomic_t handled;
static void *volatile kept;

static void handler(int signo)
{
    handled++;
}

static void install(const char *how)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(SYS_write),
        ALLOW(SYS_exit_group),
        ALLOW(SYS_rt_sigreturn),
        ALLOW(SYS_kill),
        ALLOW(SYS_brk),
        ALLOW(SYS_mmap),
        ALLOW(SYS_munmap),
        ALLOW(SYS_restart_syscall),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        exit(1);
    if (!strcmp(how, "prctl") && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        exit(2);
    if (!strcmp(how, "syscall") && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program))
        exit(3);
    if (!strcmp(how, "probe")) {
        errno = 0;
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) != -1 || errno != EFAULT)
            exit(4);
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (void *)1) != -1 || errno != EFAULT)
            exit(5);
    }
}

__attribute__((noinline)) static void work(int depth)
{
    for (int i = 0; i < 200; i++)
        free(malloc((size_t)(depth * 200 + i)));
    if (depth)
        work(depth - 1);
}

int main(int argc, char **argv)
{
    pid_t self = getpid();

    signal(SIGUSR2, handler);
    kept = malloc(1999993);
    install(argv[1]);
    work(50);
    kill(self, SIGUSR2);
    if (!strcmp(argv[2], "TERM"))
        kill(self, SIGTERM);
    if (write(1, handled == 1 ? "1 handled\n" : "?\n", handled == 1 ? 10 : 2) < 0)
        abort();
    if (!strcmp(argv[2], "_exit"))
        _exit(12);
    return 12;
}
