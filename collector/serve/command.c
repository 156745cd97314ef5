#include "serve/command.h"

#include "base/clock.h"
#include "wire/handover.h"
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS INT64_C(2000000000)

/* Asks the process the pidfd stands for, and no other. */
static bool send_signal(struct process *process, enum handover_ask ask, struct error *err)
{
    siginfo_t info = {.si_signo = process->asked_by, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = (void *)HANDOVER_ASK(ask);
    if (!process->asked_by || (process->ledger.control && !process->ledger.control->asked_by))
        return fail_with(err, "process %s has no signal by which it could be asked",
                         process_id(process));
    if (process->pid <= 0)
        return fail_with(err,
                         "process %s lives in another pid namespace, from where it can't be asked: "
                         "run prof outside of containers",
                         process_id(process));
    if (syscall(SYS_pidfd_send_signal, process->pidfd, process->asked_by, &info, 0) < 0)
        return fail_with(err, "process %s can't be signalled: %s", process_id(process),
                         strerror(errno));
    return true;
}

/* Waits until *word isn't `old` any more. Not FUTEX_PRIVATE: two processes share it. */
static bool wait_word(struct process *process, _Atomic(uint32_t) *word, uint32_t old,
                      struct error *err)
{
    int64_t until = clock_monotonic() + PATIENCE_NS;
    while (atomic_load(word) == old) {
        int64_t left = until - clock_monotonic();
        struct pollfd end = {.fd = process->pidfd, .events = POLLIN};
        if (left <= 0)
            return fail_with(err, "process %s doesn't answer", process_id(process));
        if (poll(&end, 1, 0) > 0)
            return fail_with(err, "process %s has ended", process_id(process));
        /* in slices, so that its end is seen */
        struct timespec slice = {0, left < 50000000 ? left : 50000000};
        syscall(SYS_futex, word, FUTEX_WAIT, old, &slice, NULL, 0);
    }
    return true;
}

bool command_threads(struct process *process, struct error *err)
{
    if (!process->ledger.control)
        return fail_with(err, "process %s: its memory couldn't be passed", process_id(process));
    pthread_mutex_lock(&process->ledger.command_lock);
    struct ledger_header *header = process->ledger.control;
    uint32_t done = atomic_load(&header->command_done);
    atomic_fetch_add(&header->command, 1);
    bool good = send_signal(process, HANDOVER_ASK_THREADS, err) &&
                wait_word(process, &header->command_done, done, err);
    pthread_mutex_unlock(&process->ledger.command_lock);
    return good;
}

bool command_dump(struct collector *collector, struct process *process, struct error *err)
{
    pthread_mutex_lock(&process->ledger.command_lock);
    uint32_t before, now;
    pthread_mutex_lock(&collector->registry.lock);
    before = now = process->last_sequence;
    pthread_mutex_unlock(&collector->registry.lock);
    bool good = send_signal(process, HANDOVER_ASK_DUMP, err);
    int64_t until = clock_monotonic() + PATIENCE_NS;
    while (good && now == before) {
        struct timespec pause = {0, 20000000};
        if (clock_monotonic() > until)
            good = fail_with(err, "process %s doesn't answer", process_id(process));
        nanosleep(&pause, NULL);
        pthread_mutex_lock(&collector->registry.lock);
        now = process->last_sequence;
        pthread_mutex_unlock(&collector->registry.lock);
    }
    pthread_mutex_unlock(&process->ledger.command_lock);
    return good;
}
