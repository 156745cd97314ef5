/*
 * Children under a sampling timer. fork [MIB]: of a large process, again and again
 * (hazard 4). exec: chains of programs, each with its timer (hazard 3). child:
 * a forked child is sampled from its start, and has a profile of its own.
 */
#include "probe.h"

#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static void expect_end(pid_t pid)
{
    int status = 0;
    probe_check(pid > 0 && waitpid(pid, &status, 0) == pid, "waitpid");
    probe_check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child's status %#x", status);
}

/* size: of what is to be copied, bytes. */
static void fork_large(size_t size)
{
    char *heap = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(heap, size, MADV_NOHUGEPAGE);
    for (size_t n = 0; n < size; n += 4096)
        heap[n] = 1;
    for (unsigned n = 0; n < 50; n++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        expect_end(pid);
    }
}

/* Each program burns a little and becomes the next. */
static void exec_chain(char **argv, int left)
{
    char number[16];
    probe_burn(MS / 2);
    kill(getpid(), SIGUSR2); /* a walk and a dump may be under way when it execs */
    if (left == 0)
        return;
    snprintf(number, sizeof number, "%d", left - 1);
    execl("/proc/self/exe", argv[0], "exec", number, (char *)NULL);
    probe_fail(__FILE__, __LINE__, "execl", "failed");
}

/* Eight at once, for what begins as a forked child differs, and on a busy machine more. */
static void exec_chains(char **argv)
{
    pid_t pids[8];
    for (unsigned n = 0; n < 8; n++) {
        pids[n] = fork();
        if (pids[n] == 0) {
            exec_chain(argv, (int)(25 * probe_long(100)));
            _exit(0);
        }
    }
    for (unsigned n = 0; n < 8; n++)
        expect_end(pids[n]);
}

__attribute__((noipa)) void burn_parent(void)
{
    probe_burn(300 * MS);
    __asm__ volatile("");
}

__attribute__((noipa)) void burn_child(void)
{
    probe_burn(300 * MS);
    __asm__ volatile("");
}

/* By the C library's function, inside another one of its functions, and past all of them. */
static pid_t fork_somehow(int way)
{
    int terminal;
    switch (way) {
    case 0:
        return fork();
    case 1:
        return forkpty(&terminal, NULL, NULL, NULL);
    default:
        return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    }
}

static void forked_child(int way)
{
    burn_parent();
    pid_t pid = fork_somehow(way);
    if (pid == 0) {
        burn_child();
        uint64_t parent = probe_value(LEDGER_KIND_CPU, "burn_parent", false) / MS;
        uint64_t child = probe_value(LEDGER_KIND_CPU, "burn_child", false) / MS;
        probe_check(parent == 0, "%lu ms of the parent's in the child", parent);
        probe_check(child > 240 && child < 360, "%lu ms", child);
        _exit(0);
    }
    expect_end(pid);
    probe_check(probe_value(LEDGER_KIND_CPU, "burn_child", false) == 0,
                "the child's in the parent");
}

int main(int argc, char **argv)
{
    const char *part = argc > 1 ? argv[1] : "";
    if (strcmp(part, "exec") == 0) {
        if (argc > 2) {
            exec_chain(argv, atoi(argv[2]));
            return 0;
        }
        exec_chains(argv);
        return 0;
    }
    probe_watchdog(240);
    if (strcmp(part, "fork") == 0)
        fork_large((size_t)(argc > 2 ? atoi(argv[2]) : (int)(256 * probe_long(16))) << 20);
    else
        for (int way = 0; way < 3; way++)
            forked_child(way);
    return 0;
}
