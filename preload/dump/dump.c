#include "dump/dump.h"

#include "dump/bare.h"
#include "dump/deliver.h"
#include "kit/sections.h"
#include "kit/sys.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/log.h"
#include "runtime/signals.h"
#include "wire/directory.h"
#include "wire/encode.h"
#include "wire/proc_memory.h"
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>

/* A stuck file system must not keep a program from ending. */
#define WAIT_LONGEST_NS UINT64_C(30000000000)

enum phase { IDLE, RUNNING, AGAIN }; /* AGAIN: running, and one more asked for */

/* The phase with the pid it is true for: a forked child inherits a running
 * dump's state, but not its thread. */
static _Atomic(uint64_t) state;
static struct bare dumper;           /* owner: who moved state from IDLE to RUNNING */
static enum dump_reason next_reason; /* the same */
static atomic_bool dump_again;       /* what was asked for meanwhile is a dump */
static atomic_bool last_succeeded;
void (*dump_thread_walk)(void);

static uint64_t state_of(uint32_t pid, enum phase phase)
{
    return (uint64_t)pid << 8 | phase;
}

/* The reason as the collector is told it. */
static enum handover_reason said_reason(enum dump_reason reason)
{
    if (reason == DUMP_REASON_SIGNAL || reason == DUMP_REASON_INTERVAL)
        return HANDOVER_ASKED;
    return reason == DUMP_REASON_EXEC ? HANDOVER_EXEC : HANDOVER_ENDING;
}

bool dump_owns_ledger(void)
{
    const struct ledger_header *header = ledger;

    return header && !sys_forbidden() && header->pid == (uint32_t)sys_getpid();
}

bool dump_is_own_thread(uint32_t tid)
{
    return tid && tid == atomic_load(&dumper.tid);
}

/* Which profiles this dump writes: on request every one that is switched on, so
 * that an empty one can say why; unasked only what holds something. */
static uint32_t choose(enum dump_reason reason, const struct ledger_view *view)
{
    static const uint8_t switches[DUMP_PROFILES] = {
        [DUMP_HEAP] = CONFIG_HEAP,   [DUMP_HEAPPEAK] = CONFIG_HEAP,
        [DUMP_CPU] = CONFIG_CPU,     [DUMP_THREADS] = CONFIG_THREADS,
        [DUMP_BLOCK] = CONFIG_BLOCK, [DUMP_THREADCREATE] = CONFIG_THREADCREATE,
        [DUMP_MUTEX] = CONFIG_MUTEX,
    };
    bool asked = reason == DUMP_REASON_SIGNAL || reason == DUMP_REASON_INTERVAL;
    uint32_t chosen = asked ? (1u << DUMP_PROFILES) - 1 : dump_present(view);

    for (int profile = 0; profile < DUMP_PROFILES; profile++)
        if (!(config.profiles & 1u << switches[profile]))
            chosen &= ~(1u << profile);
    if (!asked)
        chosen &= ~(1u << DUMP_THREADS); /* they are all in exit by now */
    return chosen;
}

static void complain(const char *path, const char *name, const char *wrong, long error)
{
    const char *text = error ? directory_error_text(error) : wrong;

    if (text)
        log_line(LOG_WARN, "can't write %s%s%s: %s", path, name[0] ? "/" : "", name, text);
    else
        log_line(LOG_WARN, "can't write %s%s%s: the system's error %ld", path, name[0] ? "/" : "", name,
                 -error);
}

/* One profile into its file. */
static bool write_profile(struct directory *directory, const struct dump_request *request,
                          bool quiet)
{
    struct directory_file file;
    const char *wrong = NULL;
    long error = directory_file_open(directory, &file, request->profile);

    if (error == 0) {
        wrong = dump_encode(request, &file.sink);
        error = file.sink.error;
        if (wrong)
            directory_file_drop(directory, &file);
        else
            error = directory_file_keep(directory, &file);
    }
    if (!wrong && error == 0)
        return true;
    if (!quiet)
        complain(directory->path, file.name, wrong, error);
    return false;
}

/* Into the ledger: the collector writes a process's last dump when that is gone. */
static void note_memory(void)
{
    uint64_t memory[LEDGER_MEMORY_KINDS] = {0};

    if (!memory_read(0, memory))
        return;
    for (unsigned kind = 0; kind < LEDGER_MEMORY_KINDS; kind++)
        atomic_store(&ledger->memory[kind], memory[kind]);
}

static bool write_all(enum dump_reason reason)
{
    static COLD_TABLE struct directory directory; /* owner: the one dump that runs */
    static const char *const reasons[] = {
        "asked for by signal",    "regular", "at exit", "before exec", "before death by signal",
        "before a seccomp filter"};
    const char *comments[] = {reasons[reason]};
    struct ledger_view view;
    struct dump_request request = {.view = &view, .comments = comments, .comment_count = 1};
    uint32_t chosen, written = 0;
    long error;

    if (ledger_view_open(&view, ledger, ledger->size))
        return false;
    chosen = choose(reason, &view);
    if (!chosen)
        return true;
    note_memory();
    if (deliver_to_collector(&request, said_reason(reason), chosen, dump_thread_walk))
        return true;
    error = directory_open(&directory, config.dir, &view, &ledger->sequence);
    if (error < 0) {
        complain(directory.path, "", NULL, error);
        return false;
    }
    if (dump_thread_walk && chosen & 1u << DUMP_THREADS)
        dump_thread_walk();
    request.now_ns = sys_clock_ns(CLOCK_REALTIME);
    request.now_mono_ns = sys_clock_ns(CLOCK_MONOTONIC);
    for (int profile = 0; profile < DUMP_PROFILES; profile++) {
        request.profile = (enum dump_profile)profile;
        if (!(chosen & 1u << profile))
            continue;
        /* one line for a dump: what keeps one file from being written keeps them all */
        if (write_profile(&directory, &request, (chosen & ((1u << profile) - 1)) != written))
            written |= 1u << profile;
    }
    directory_rotate(&directory, written, config.max_files);
    if (written)
        log_line(LOG_VERBOSE, "profiles %04u written to %s", directory.sequence, directory.path);
    directory_close(&directory);
    return written == chosen;
}

/* A command of the collector's: a new number in ledger->command. */
static void answer_command(void)
{
    uint32_t command = atomic_load(&ledger->command);

    if (command == atomic_load(&ledger->command_done))
        return;
    if (dump_thread_walk)
        dump_thread_walk();
    atomic_store(&ledger->command_done, command);
    /* not FUTEX_PRIVATE: who waits is another process */
    sys_call3(SYS_futex, &ledger->command_done, FUTEX_WAKE, INT32_MAX);
}

static void run_one(void)
{
    answer_command();
    if (next_reason == DUMP_REASON_COMMAND)
        return;

    bool good = write_all(next_reason);

    ledger_count(good ? LEDGER_STAT_DUMPS : LEDGER_STAT_DUMPS_FAILED, 1);
    atomic_store(&last_succeeded, good);
}

/* The end of a dump: IDLE, or, when more was asked for, once more. */
static bool finished(uint32_t pid)
{
    uint64_t expected = state_of(pid, RUNNING);

    if (atomic_compare_exchange_strong(&state, &expected, state_of(pid, IDLE)))
        return true;
    atomic_store(&state, state_of(pid, RUNNING));
    next_reason = atomic_exchange(&dump_again, false) ? DUMP_REASON_SIGNAL : DUMP_REASON_COMMAND;
    return false;
}

static void dumper_main(void *argument)
{
    uint32_t pid = (uint32_t)sys_getpid();

    bare_leave_descriptors();
    do
        run_one();
    while (!finished(pid));
}

/* IDLE -> RUNNING. Busy: false, and with again the running dump is followed by
 * another one. */
static bool claim(uint32_t pid, bool again)
{
    uint64_t now = atomic_load(&state);

    for (;;) {
        bool mine = now >> 8 == pid;
        if (mine && (now & 0xff) != IDLE) {
            if (!again || now == state_of(pid, AGAIN) ||
                atomic_compare_exchange_weak(&state, &now, state_of(pid, AGAIN)))
                return false;
            continue;
        }
        if (!atomic_compare_exchange_weak(&state, &now, state_of(pid, RUNNING)))
            continue;
        if (!mine)
            atomic_store(&dumper.tid, 0); /* a parent's thread isn't here */
        return true;
    }
}

/* With the state claimed and every signal blocked: starts the bare thread. */
static bool start(enum dump_reason reason)
{
    next_reason = reason;
    atomic_store(&dump_again, false);
    return bare_wait(&dumper, WAIT_LONGEST_NS) && bare_start(&dumper, dumper_main, NULL) == 0;
}

void dump_request(enum dump_reason reason)
{
    uint32_t pid;
    uint64_t mask;

    if (!dump_owns_ledger())
        return;
    pid = (uint32_t)sys_getpid();
    /* a handler that ran between the claim and the start would wait for ever */
    mask = signals_block_all();
    if (reason != DUMP_REASON_COMMAND)
        atomic_store(&dump_again, true);
    if (claim(pid, true) && !start(reason)) {
        atomic_store(&state, state_of(pid, IDLE));
        ledger_count(LEDGER_STAT_DUMPS_FAILED, 1);
        log_line(LOG_WARN, "can't dump: the system gives no thread");
    }
    signals_restore(mask);
}

/* A file past RLIMIT_FSIZE raised SIGXFSZ on the program's own thread: it must not
 * be told of it. (If one of its own was waiting too, it is taken as well.) */
static void take_file_size_signal(void)
{
    const struct timespec at_once = {0, 0};
    uint64_t set = UINT64_C(1) << (SIGXFSZ - 1);

    sys_call4(SYS_rt_sigtimedwait, &set, NULL, &at_once, sizeof set);
}

bool dump_run(enum dump_reason reason)
{
    uint64_t deadline, mask;
    uint32_t pid;
    bool started;

    if (!dump_owns_ledger())
        return false;
    pid = (uint32_t)sys_getpid();
    deadline = sys_clock_ns(CLOCK_MONOTONIC) + WAIT_LONGEST_NS;
    mask = signals_block_all();
    while (!claim(pid, false)) {
        signals_restore(mask); /* a second SIGTERM still kills at once */
        sys_call0(SYS_sched_yield);
        bare_wait(&dumper, WAIT_LONGEST_NS);
        if (sys_clock_ns(CLOCK_MONOTONIC) > deadline)
            return false;
        signals_block_all();
    }
    started = start(reason);
    if (!started) { /* no thread to be had: here, then, signals blocked as there */
        do
            run_one();
        while (!finished(pid));
        take_file_size_signal();
    }
    signals_restore(mask);
    if (started && !bare_wait(&dumper, WAIT_LONGEST_NS)) {
        log_line(LOG_WARN, "gave up waiting for the profiles to be written");
        return false;
    }
    return atomic_load(&last_succeeded);
}

void dump_tick(void)
{
    static _Atomic(uint64_t) due_ns;
    uint64_t now = sys_clock_ns(CLOCK_MONOTONIC), due = atomic_load(&due_ns);

    if (now >= due && atomic_compare_exchange_strong(&due_ns, &due, now + config.interval_ns) &&
        due != 0)
        dump_request(DUMP_REASON_INTERVAL);
}

void dump_wait(void)
{
    uint32_t pid = (uint32_t)sys_getpid();
    uint64_t deadline = sys_clock_ns(CLOCK_MONOTONIC) + WAIT_LONGEST_NS;

    for (;;) {
        uint64_t now = atomic_load(&state);
        if (now >> 8 != pid || now == state_of(pid, IDLE) ||
            sys_clock_ns(CLOCK_MONOTONIC) > deadline)
            return;
        sys_call0(SYS_sched_yield);
        bare_wait(&dumper, WAIT_LONGEST_NS);
    }
}
