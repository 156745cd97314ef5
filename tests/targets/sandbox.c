/* Installs a seccomp filter that kills for every system call the program itself
 * doesn't make afterwards, then allocates, gets a signal and ends.
 * sandbox HOW END [grow]: in this process; grow: its heap comes to hundreds of MiB. sandbox fork:
 * in a child that has done nothing before (sshd's way). sandbox late: threads and children that
 * begin under it. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
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

/* more: what libc's pthread_create, pthread_join, fork and waitpid need as well. */
static void install(const char *how, int more)
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
        ALLOW(more ? SYS_clone : SYS_write),
        ALLOW(more ? SYS_clone3 : SYS_write),
        ALLOW(more ? SYS_wait4 : SYS_write),
        ALLOW(more ? SYS_set_robust_list : SYS_write),
        ALLOW(more ? SYS_rseq : SYS_write),
        ALLOW(more ? SYS_getrandom : SYS_write),
        ALLOW(more ? SYS_rt_sigaction : SYS_write),
        ALLOW(more ? SYS_mprotect : SYS_write),
        ALLOW(more ? SYS_madvise : SYS_write),
        ALLOW(more ? SYS_futex : SYS_write),
        ALLOW(more ? SYS_rt_sigprocmask : SYS_write),
        ALLOW(more ? SYS_exit : SYS_write),
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

/* The sum is long enough for a few ticks of CPU timers. */
static void *burn(void *unused)
{
    volatile unsigned long sum = 0;

    for (int turn = 0; turn < 20; turn++) {
        work(20);
        for (unsigned long i = 0; i < 5000000; i++)
            sum += i;
    }
    (void)sum;
    return unused;
}

static int under_late_filter(void)
{
    pthread_t thread;
    int status = 1;
    pid_t child;

    install("prctl", 1);
    if (pthread_create(&thread, NULL, burn, NULL) || pthread_join(thread, NULL))
        return 30;
    child = fork();
    if (child == 0) {
        burn(NULL);
        _exit(7);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 7 << 8)
        return 31;
    return 13;
}

static int in_child(void)
{
    int status = 1;
    pid_t child = fork();

    if (child == 0) {
        install("prctl", 0);
        burn(NULL);
        _exit(7);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 32;
    return status == 7 << 8 ? 14 : 33;
}

static void grow(void)
{
    static void *volatile blocks[3000];

    for (size_t i = 0; i < 3000; i++) {
        blocks[i] = malloc(100000);
        memset(blocks[i], 1, 100000);
    }
    for (size_t i = 0; i < 3000; i++)
        free(blocks[i]);
}

int main(int argc, char **argv)
{
    pid_t self = getpid();

    if (argc == 2)
        return !strcmp(argv[1], "fork") ? in_child() : under_late_filter();

    signal(SIGUSR2, handler);
    kept = malloc(1999993);
    install(argv[1], 0);
    work(50);
    if (argc > 3)
        grow();
    kill(self, SIGUSR2);
    if (!strcmp(argv[2], "TERM"))
        kill(self, SIGTERM);
    if (write(1, handled == 1 ? "1 handled\n" : "?\n", handled == 1 ? 10 : 2) < 0)
        abort();
    if (!strcmp(argv[2], "_exit"))
        _exit(12);
    return 12;
}
