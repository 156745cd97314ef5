/* Allocates one block of an odd size, frees another in an exit handler and a
 * destructor, and leaves by the way it is told to. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KEPT 1999993       /* never freed */
#define IN_HANDLER 2000147 /* freed by an exit handler */
#define IN_DESTRUCTOR 2000081
#define CHILDS 1000003 /* kept by each forked child */
static char *volatile kept, *volatile in_handler, *volatile in_destructor;

static void handler(void)
{
    free(in_handler);
}

__attribute__((destructor)) static void destructor(void)
{
    free(in_destructor);
}

/* Makes descriptor 2 another file, whose size is told at the very end. */
static void reuse_stderr(void)
{
    int file = memfd_create("database", 0);
    pid_t child = fork();

    dup2(file, 2);
    if (child == 0)
        exit(11);
    int status;
    waitpid(child, &status, 0);
    printf("%ld bytes\n", (long)lseek(file, 0, SEEK_END));
    fflush(stdout);
    _exit(WEXITSTATUS(status));
}

static void say(const char *text)
{
    if (write(1, text, strlen(text)) < 0)
        abort();
}

static _Noreturn void *exit_in_thread(void *argument)
{
    exit(7);
}

static _Noreturn void *keep_allocating(void *argument)
{
    for (;;)
        free(malloc(100));
}

static void be_killed(int signo)
{
    for (;;) {
        kill(getpid(), signo);
        pause();
    }
}

static void fork_children(void)
{
    for (int i = 0; i < 100; i++)
        if (fork() == 0) {
            kept = malloc(CHILDS);
            exit(0);
        }
    while (wait(NULL) > 0)
        ;
}

static atomic_bool stop;
static atomic_long longest_ns, slept_ns;

static long clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

/* How long the calling thread could have run but wasn't let: schedstat's second
 * number (Documentation/scheduler/sched-stats). -1: the kernel doesn't say. */
static long waited_for_a_processor_ns(void)
{
    long ran, waited = -1;
    FILE *file = fopen("/proc/thread-self/schedstat", "r");

    if (!file || fscanf(file, "%ld %ld", &ran, &waited) != 2)
        waited = -1;
    if (file)
        fclose(file);
    return waited;
}

static void raise_to(atomic_long *most, long value)
{
    long seen = *most;
    while (value > seen && !atomic_compare_exchange_weak(most, &seen, value))
        ;
}

static void *load(void *argument)
{
    long waited = waited_for_a_processor_ns();
    long wall = clock_ns(CLOCK_MONOTONIC), first = clock_ns(CLOCK_THREAD_CPUTIME_ID),
         before = first;

    while (!stop) {
        free(malloc(64));
        long now = clock_ns(CLOCK_THREAD_CPUTIME_ID);
        raise_to(&longest_ns, now - before);
        before = now;
    }
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    if (waited >= 0)
        raise_to(&slept_ns, wall - (before - first) - (waited_for_a_processor_ns() - waited));
    return NULL;
}

/* Three seconds of allocating. Says in milliseconds the longest time that one
 * malloc and free took of a thread's own CPU time, and the longest that a thread slept
 * over all: neither depends on who else wants the processors. */
static void load_for_a_while(void)
{
    pthread_t threads[4];
    const struct timespec step = {0, 10000000};

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, load, NULL);
    say("ready\n");
    for (int i = 0; i < 300; i++)
        nanosleep(&step, NULL);
    stop = true;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("%ld %ld\n", longest_ns / 1000000, slept_ns / 1000000);
}

static void run_in_vfork(void)
{
    int status;
    pid_t child = vfork();

    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    waitpid(child, &status, 0);
    exit(status ? 1 : 0);
}

/* Becomes another program, if that is the way. */
static void exec_by(const char *how)
{
    if (!strcmp(how, "execl"))
        execl("/bin/echo", "echo", "one", "two", (char *)NULL);
    if (!strcmp(how, "execlp"))
        execlp("echo", "echo", "one", "two", (char *)NULL);
    if (!strcmp(how, "execle"))
        execle("/usr/bin/env", "env", (char *)NULL, (char *[]){"ONLY=this", NULL});
    if (!strcmp(how, "execv"))
        execv("/usr/bin/env", (char *[]){"env", NULL});
    if (!strcmp(how, "execvp"))
        execvp("echo", (char *[]){"echo", "one", NULL});
    if (!strcmp(how, "execvpe"))
        execvpe("env", (char *[]){"env", NULL}, (char *[]){NULL});
    if (!strcmp(how, "failed-exec")) {
        execl("/nonexistent", "x", (char *)NULL);
        execl("/etc/passwd", "x", (char *)NULL); /* there, but can't be run */
    }
}

int main(int argc, char **argv)
{
    const char *how = argv[1];

    kept = malloc(KEPT);
    in_handler = malloc(IN_HANDLER);
    in_destructor = malloc(IN_DESTRUCTOR);
    atexit(handler);
    at_quick_exit(handler);
    if (!strcmp(how, "return"))
        return 3;
    if (!strcmp(how, "exit"))
        exit(4);
    if (!strcmp(how, "_exit"))
        _exit(5);
    if (!strcmp(how, "_Exit"))
        _Exit(6);
    if (!strcmp(how, "quick_exit"))
        quick_exit(8);
    if (!strcmp(how, "thread")) {
        pthread_t thread;
        pthread_create(&thread, NULL, exit_in_thread, NULL);
        pthread_join(thread, NULL);
    }
    if (!strcmp(how, "busy")) { /* another thread goes on allocating meanwhile */
        pthread_t thread;
        pthread_create(&thread, NULL, keep_allocating, NULL);
        usleep(20000);
        return 9;
    }
    if (!strcmp(how, "TERM"))
        be_killed(SIGTERM);
    if (!strcmp(how, "INT"))
        be_killed(SIGINT);
    if (!strcmp(how, "HUP"))
        be_killed(SIGHUP);
    if (!strcmp(how, "KILL"))
        be_killed(SIGKILL);
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "wait")) {
        say("ready\n");
        for (;;)
            pause();
    }
    if (!strcmp(how, "work")) {
        say("ready\n");
        for (;;)
            free(malloc(999));
    }
    exec_by(how);
    if (!strcmp(how, "failed-exec"))
        return 10;
    if (!strcmp(how, "reused-stderr"))
        reuse_stderr();
    if (!strcmp(how, "fork")) {
        fork_children();
        return 12;
    }
    if (!strcmp(how, "raise-as-init")) {
        for (int i = 0; i < 2; i++) {
            kill(getpid(), SIGTERM);
            say("alive\n");
        }
        return 13;
    }
    if (!strcmp(how, "load")) {
        load_for_a_while();
        return 14;
    }
    if (!strcmp(how, "vfork"))
        run_in_vfork();
    if (!strcmp(how, "system"))
        return system("env | grep -c LD_PRELOAD") != 0;
    return 99;
}
