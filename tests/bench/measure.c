/*
 * measure OUT COMMAND [ARGUMENT...]: runs a command and writes one line to the file OUT:
 *
 *   CPU-ns WALL-ns PEAK-KiB STATUS
 *
 * CPU is that of the whole tree of processes, user and system, those included that
 * outlive their parent (we are their reaper, prctl(2)); PEAK is the largest resident
 * set of any one of them. A program of its own because exec leaves the caller's resident
 * set in the account (getrusage(2)): an interpreter's would hide a small program's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static long long usage_ns(const struct rusage *usage)
{
    long long seconds = usage->ru_utime.tv_sec + usage->ru_stime.tv_sec;
    return seconds * 1000000000LL + (usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000LL;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: measure OUT COMMAND [ARGUMENT...]\n");
        return 2;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    /* The program's environment is asked for by variables of ours: set for it alone. */
    const char *preload = getenv("MEASURE_PRELOAD");
    long long start = now_ns();
    pid_t child = fork();
    if (child == 0) {
        if (preload)
            setenv("LD_PRELOAD", preload, 1);
        unsetenv("MEASURE_PRELOAD");
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    long long cpu = 0, end = start;
    long peak = 0;
    int result = 127, status;
    struct rusage usage;
    for (pid_t pid; (pid = wait4(-1, &status, 0, &usage)) > 0;) {
        cpu += usage_ns(&usage);
        if (usage.ru_maxrss > peak)
            peak = usage.ru_maxrss;
        if (pid == child) {
            result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            end = now_ns();
        }
    }
    FILE *out = fopen(argv[1], "w");
    if (!out || fprintf(out, "%lld %lld %ld %d\n", cpu, end - start, peak, result) < 0 ||
        fclose(out) != 0) {
        perror(argv[1]);
        return 1;
    }
    return result;
}
