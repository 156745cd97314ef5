/*
 * Samples on small stacks, alternate stacks, coroutines (hazards 9, 44). The
 * argument says which: threads, altstack, small, end, ucontext, deep.
 */
#include "probe.h"

#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static void *burn_a_while(void *unused)
{
    probe_burn(20 * MS);
    return unused;
}

static void threads(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    probe_check(pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0,
                "pthread_attr_setstacksize");
    for (unsigned n = 0; n < 100 * probe_long(10); n++) {
        pthread_t thread;
        probe_check(pthread_create(&thread, &attributes, burn_a_while, NULL) == 0, "create");
        pthread_join(thread, NULL);
    }
}

static sigjmp_buf back;

/* Recovers from a fault on an alternate stack, after some work there. */
static void on_fault(int signo)
{
    probe_burn(2 * MS);
    siglongjmp(back, signo);
}

static void altstack(void)
{
    /* room for one frame of this machine's registers, and not for a second on top */
    size_t size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 4096;
    stack_t stack = {.ss_sp = malloc(size), .ss_size = size};
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    char *forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    probe_burn(100 * MS);
    sigaltstack(&stack, NULL);
    sigaction(SIGSEGV, &action, NULL);
    for (volatile unsigned n = 0; n < 300 * probe_long(10); n++)
        if (sigsetjmp(back, 1) == 0)
            *forbidden = 1;
    stack_t now;
    sigaltstack(NULL, &now);
    struct sigaction after;
    sigaction(SIGSEGV, NULL, &after);
    probe_check(memcmp(&after.sa_mask, &action.sa_mask, 8) == 0, "the handler's mask changed");
    probe_check(now.ss_sp == stack.ss_sp && now.ss_size == size, "the alternate stack changed");
}

/* A small alternate stack that no handler uses. Neither may ours, or what lies below changes. */
static void *burn_with_stack(void *argument)
{
    stack_t stack = *(stack_t *)argument, now;
    probe_check(sigaltstack(&stack, NULL) == 0, "sigaltstack of %zu bytes", stack.ss_size);
    probe_burn(60 * MS);
    sigaltstack(NULL, &now);
    probe_check(now.ss_sp == stack.ss_sp && now.ss_size == stack.ss_size, "it changed");
    return NULL;
}

static volatile sig_atomic_t handled;

/* Runs on the alternate stack, with just enough room for itself. */
static void on_user(int signo)
{
    probe_burn(20 * MS);
    handled += signo == SIGUSR1;
}

static void *handle_on_stack(void *argument)
{
    probe_check(sigaltstack(argument, NULL) == 0, "sigaltstack");
    for (unsigned n = 0; n < 5; n++)
        raise(SIGUSR1);
    return NULL;
}

static void small_altstack(void)
{
    enum { BELOW = 32768 };
    unsigned char *memory =
        mmap(NULL, (size_t)2 * BELOW, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = {.sa_handler = on_user, .sa_flags = SA_ONSTACK}, after;
    size_t frame = (size_t)sysconf(_SC_MINSIGSTKSZ);
    const size_t sizes[] = {2048, 2560, 3072, 3200, frame, 4096, 8192};
    pthread_t thread;
    memset(memory, 0x5a, (size_t)2 * BELOW);
    sigaction(SIGUSR1, &action, NULL);
    for (unsigned n = 0; n <= sizeof sizes / sizeof *sizes; n++) {
        bool last = n == sizeof sizes / sizeof *sizes; /* a handler of the program's on it */
        stack_t stack = {.ss_sp = memory + BELOW, .ss_size = last ? frame + 1024 : sizes[n]};
        pthread_create(&thread, NULL, last ? handle_on_stack : burn_with_stack, &stack);
        pthread_join(thread, NULL);
        for (unsigned i = 0; i < BELOW; i++)
            probe_check(memory[i] == 0x5a, "%zu bytes: %u below the stack changed", stack.ss_size,
                        BELOW - i);
    }
    probe_check(handled == 5, "%d of 5", handled);
    sigaction(SIGUSR1, NULL, &after);
    probe_check(memcmp(&after.sa_mask, &action.sa_mask, 8) == 0, "the handler's mask changed");
}

/* Burns with so little of its stack left that there is hardly room for the kernel's frame. */
static void *burn_at_the_end(void *low)
{
    volatile char here;
    size_t left = (size_t)sysconf(_SC_MINSIGSTKSZ) + 1200;
    volatile char *taken = __builtin_alloca((size_t)(&here - (volatile char *)low) - left);
    *taken = 1;
    probe_burn(50 * MS);
    return NULL;
}

static void at_the_end(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    size_t size = 65536;
    char *memory =
        mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(memory, 4096, PROT_NONE);
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, memory + 4096, size);
    for (unsigned n = 0; n < 4; n++) {
        pthread_create(&thread, &attributes, burn_at_the_end, memory + 4096);
        pthread_join(thread, NULL);
    }
    probe_burn(50 * MS); /* for the ledger, which samples that are dropped don't make */
}

#define COROUTINES 10000
#define COROUTINE_STACK 16384

static ucontext_t scheduler, coroutines[COROUTINES];

static void coroutine(void)
{
    for (;;) {
        probe_burn(MS / 50);
        free(malloc(100));
        swapcontext(&coroutines[0], &scheduler);
    }
}

static void ucontext(void)
{
    char *stacks = mmap(NULL, (size_t)COROUTINES * COROUTINE_STACK, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (unsigned n = 0; n < COROUTINES; n++) {
        /* all switch out into the first one's record: it is made anew each time */
        getcontext(&coroutines[n]);
        coroutines[n].uc_stack.ss_sp = stacks + (size_t)n * COROUTINE_STACK;
        coroutines[n].uc_stack.ss_size = COROUTINE_STACK;
        makecontext(&coroutines[n], coroutine, 0);
    }
    for (volatile unsigned turn = 0; turn < 2 * probe_long(10); turn++)
        for (unsigned n = 1; n < COROUTINES; n++) {
            getcontext(&coroutines[0]);
            ucontext_t fresh = coroutines[0];
            fresh.uc_stack.ss_sp = stacks + (size_t)n * COROUTINE_STACK;
            fresh.uc_stack.ss_size = COROUTINE_STACK;
            makecontext(&fresh, coroutine, 0);
            swapcontext(&scheduler, &fresh);
        }
}

__attribute__((noipa)) unsigned recurse(unsigned depth)
{
    if (depth == 0) {
        probe_burn(1000 * MS);
        return 0;
    }
    return recurse(depth - 1) + 1;
}

/* LIBPROF_DEPTH=1024 in the environment: nothing is cut. */
static void deep(void)
{
    recurse(300);
    probe_check(probe_complete(LEDGER_KIND_CPU) > 0.99, "complete %f",
                probe_complete(LEDGER_KIND_CPU));
    /* main's own samples don't count: they come before the recursion, and while we are asking */
    uint64_t all = probe_count(LEDGER_KIND_CPU, "recurse", false),
             whole = probe_count_both(LEDGER_KIND_CPU, "recurse", "main");
    probe_check(all > 20 && whole == all, "%lu of %lu stacks have main", whole, all);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"threads", threads}, {"altstack", altstack}, {"small", small_altstack},
                 {"end", at_the_end},  {"ucontext", ucontext}, {"deep", deep}};
    probe_watchdog(240);
    for (unsigned n = 0; n < sizeof parts / sizeof *parts; n++)
        if (argc > 1 && strcmp(argv[1], parts[n].name) == 0)
            parts[n].run();
    uint64_t used = probe_rusage_ns(), seen = probe_value(LEDGER_KIND_CPU, NULL, false);
    const struct ledger_view *view = probe_open();
    printf("%lu of %lu ms seen, %lu samples lost, complete %.3f\n", seen / MS, used / MS,
           ledger_view_stat(view, LEDGER_STAT_CPU_LOST), probe_complete(LEDGER_KIND_CPU));
    /* a handler of faults shows late, or not at all: sampling waits for its end */
    bool lost = argc > 1 && (strcmp(argv[1], "altstack") == 0 || strcmp(argv[1], "small") == 0 ||
                             strcmp(argv[1], "end") == 0);
    probe_check(lost || seen > used * 0.85, "%lu of %lu ns", seen, used);
    return 0;
}
