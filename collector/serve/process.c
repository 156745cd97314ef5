#include "serve/process.h"

#include "base/clock.h"
#include "base/mem.h"
#include "wire/directory.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The arguments as the ledger has them. */
static void copy_cmdline(struct process *process)
{
    const char *text = "";
    size_t length = 0;
    if (process->ledger.base)
        text = ledger_view_string(&process->ledger.view, process->ledger.view.header->cmdline,
                                  &length);
    process->cmdline = mem_zero(length + 1, 1);
    memcpy(process->cmdline, text, length);
    process->cmdline_size = length;
}

/* A program of many names (busybox, redis-server) goes by the one it was started
 * by, as in the directory. */
static void copy_name(struct process *process)
{
    struct directory directory = {.program = ""};
    const char *slash = strrchr(process->exe, '/');
    const char *name = slash ? slash + 1 : process->exe;
    if (process->ledger.base) {
        directory_identify(&directory, &process->ledger.view);
        name = directory.program;
    }
    process->name = mem_strdup(*name ? name : "program");
}

struct process *process_new(const struct process_hello *hello)
{
    struct process *process = mem_zero(1, sizeof *process);
    process->pid = hello->pid;
    process->own_pid = hello->own_pid;
    process->uid = hello->uid;
    process->pidfd = hello->pidfd;
    process->asked_by = hello->asked_by;
    process->exe = mem_strdup(hello->exe);
    process->ledger.base = hello->ledger.base;
    process->ledger.size = hello->ledger.size;
    process->ledger.control = hello->ledger.control;
    process->ledger.view = hello->ledger.view;
    process->ledger.copy = hello->ledger;
    process->ledger.copied_ns = clock_monotonic();
    /* The program's word, but only shown, never computed with. */
    process->start_ns =
        process->ledger.base ? (int64_t)process->ledger.view.header->start_ns : clock_realtime();
    copy_cmdline(process);
    copy_name(process);
    pthread_rwlock_init(&process->ledger.lock, NULL);
    pthread_mutex_init(&process->ledger.command_lock, NULL);
    history_init(&process->history);
    process->references = 1;
    return process;
}

const char *process_id(const struct process *process)
{
    return atomic_load(&process->superseded) ? process->full_id : process->pid_text;
}

pid_t process_shown_pid(const struct process *process)
{
    return process->pid > 0 ? process->pid : process->own_pid;
}

void process_hold(struct process *process)
{
    atomic_fetch_add(&process->references, 1);
}

void process_release(struct process *process)
{
    if (atomic_fetch_sub(&process->references, 1) != 1)
        return;
    if (process->ledger.base)
        munmap(process->ledger.base, process->ledger.size);
    if (process->ledger.control)
        munmap(process->ledger.control, sizeof *process->ledger.control);
    if (process->pidfd >= 0)
        close(process->pidfd);
    while (process->dumps) {
        struct process_dump *dump = process->dumps;
        process->dumps = dump->next;
        free(dump);
    }
    history_free(&process->history);
    pthread_rwlock_destroy(&process->ledger.lock);
    pthread_mutex_destroy(&process->ledger.command_lock);
    free(process->exe);
    free(process->name);
    free(process->cmdline);
    free(process);
}

void process_refresh(struct process *process)
{
    struct process_ledger *ledger = &process->ledger;
    if (!ledger->copy.copied_from)
        return;
    pthread_rwlock_wrlock(&ledger->lock);
    if (ledger->base && refresh_ledger(&ledger->copy))
        ledger->copied_ns = clock_monotonic();
    pthread_rwlock_unlock(&ledger->lock);
}

void process_give_up_ledger(struct process *process)
{
    pthread_rwlock_wrlock(&process->ledger.lock);
    munmap(process->ledger.base, process->ledger.size);
    process->ledger.base = NULL;
    pthread_rwlock_unlock(&process->ledger.lock);
    if (process->ledger.control)
        munmap(process->ledger.control, sizeof *process->ledger.control);
    process->ledger.control = NULL;
}

void process_state_text(const struct process_status *status, char *text, size_t size)
{
    if (status->state == PROCESS_RUNNING)
        snprintf(text, size, "running");
    else if (status->state == PROCESS_EXECED)
        snprintf(text, size, "execed");
    else if (!status->has_status)
        snprintf(text, size, "ended");
    else if (WIFSIGNALED(status->status))
        snprintf(text, size, "killed by %d", WTERMSIG(status->status));
    else
        snprintf(text, size, "exited %d", WEXITSTATUS(status->status));
}

const char *process_name(const struct process *process)
{
    return process->name;
}

/* The threads of a process that runs: a folder each in its task/, and a link to it for each of
 * those (proc(5), stat(2)); 0 when it can't be told. The ledger knows those alone that
 * something was recorded of. */
static uint32_t threads_now(const struct process *process)
{
    struct pollfd end = {process->pidfd, POLLIN, 0};
    struct stat task;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", (int)process->pid);
    if (process->pid <= 0 || process->pidfd < 0 || stat(path, &task) < 0 || task.st_nlink <= 2)
        return 0;
    /* it lives: the folder was its own, not another's of the same number */
    return poll(&end, 1, 0) == 0 ? (uint32_t)task.st_nlink - 2 : 0;
}

void process_read_totals(struct process *process, struct totals *out)
{
    uint32_t now = threads_now(process);
    memset(out, 0, sizeof *out);
    process_refresh(process);
    pthread_rwlock_rdlock(&process->ledger.lock);
    if (process->ledger.base) {
        totals_sum(&process->ledger.view, out);
        if (now)
            out->threads = now;
    }
    pthread_rwlock_unlock(&process->ledger.lock);
}
