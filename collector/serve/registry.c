#include "serve/registry.h"

#include "base/clock.h"
#include "base/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define PIDFD_FS 0x50494446 /* linux/magic.h: PID_FS_MAGIC */

void registry_init(struct registry *registry)
{
    memset(registry, 0, sizeof *registry);
    pthread_mutex_init(&registry->lock, NULL);
}

void registry_clear(struct registry *registry)
{
    while (registry->first)
        registry_remove(registry, registry->first);
    pthread_mutex_destroy(&registry->lock);
}

void registry_add(struct registry *registry, struct process *process)
{
    process_hold(process);
    pthread_mutex_lock(&registry->lock);
    process->generation = 1;
    for (struct process *other = registry->first; other && process->pid > 0; other = other->next)
        if (other->pid == process->pid) {
            process->generation = other->generation + 1;
            atomic_store(&other->superseded, true);
        }
    if (process->pid > 0)
        snprintf(process->pid_text, sizeof process->pid_text, "%d", (int)process->pid);
    else
        snprintf(process->pid_text, sizeof process->pid_text, "%d@%u", (int)process->own_pid,
                 ++registry->foreign);
    snprintf(process->full_id, sizeof process->full_id, "%d.%u", (int)process->pid,
             process->generation);
    process->prev = registry->last;
    if (registry->last)
        registry->last->next = process;
    else
        registry->first = process;
    registry->last = process;
    registry->count++;
    registry->running++;
    registry->seen++;
    registry->changes++;
    pthread_mutex_unlock(&registry->lock);
}

/* Searches from the newest. generation 0: any. */
static struct process *find(struct registry *registry, long pid, unsigned long generation,
                            bool running)
{
    pthread_mutex_lock(&registry->lock);
    struct process *process = registry->last;
    while (process && (process->pid != pid || (generation && process->generation != generation) ||
                       (running && process->status.state != PROCESS_RUNNING)))
        process = process->prev;
    if (process)
        process_hold(process);
    pthread_mutex_unlock(&registry->lock);
    return process;
}

static struct process *find_foreign(struct registry *registry, const char *id)
{
    pthread_mutex_lock(&registry->lock);
    struct process *process = registry->first;
    while (process && (process->pid > 0 || strcmp(process->pid_text, id) != 0))
        process = process->next;
    if (process)
        process_hold(process);
    pthread_mutex_unlock(&registry->lock);
    return process;
}

struct process *registry_find(struct registry *registry, const char *id)
{
    if (strchr(id, '@'))
        return find_foreign(registry, id);
    char *end;
    unsigned long generation = 0;
    if (*id < '0' || *id > '9')
        return NULL;
    long pid = strtol(id, &end, 10);
    if (*end == '.' && end[1] >= '0' && end[1] <= '9')
        generation = strtoul(end + 1, &end, 10);
    return *end ? NULL : find(registry, pid, generation, false);
}

struct process *registry_find_running(struct registry *registry, pid_t pid)
{
    return pid > 0 ? find(registry, pid, 0, true) : NULL;
}

struct process *registry_find_pidfd(struct registry *registry, int pidfd)
{
    struct statfs kind;
    struct stat info, other;
    if (fstatfs(pidfd, &kind) < 0 || kind.f_type != PIDFD_FS || fstat(pidfd, &info) < 0)
        return NULL;
    pthread_mutex_lock(&registry->lock);
    struct process *process = registry->last;
    while (process && (process->status.state != PROCESS_RUNNING || process->pidfd < 0 ||
                       fstat(process->pidfd, &other) < 0 || other.st_ino != info.st_ino))
        process = process->prev;
    if (process)
        process_hold(process);
    pthread_mutex_unlock(&registry->lock);
    return process;
}

struct process **registry_list(struct registry *registry, size_t *n)
{
    pthread_mutex_lock(&registry->lock);
    struct process **list = mem_zero(registry->count + 1, sizeof(struct process *));
    *n = 0;
    for (struct process *process = registry->first; process; process = process->next) {
        process_hold(process);
        list[(*n)++] = process;
    }
    pthread_mutex_unlock(&registry->lock);
    return list;
}

void registry_list_free(struct process **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        process_release(list[i]);
    free(list);
}

void registry_remove(struct registry *registry, struct process *process)
{
    pthread_mutex_lock(&registry->lock);
    if (process->prev)
        process->prev->next = process->next;
    else
        registry->first = process->next;
    if (process->next)
        process->next->prev = process->prev;
    else
        registry->last = process->prev;
    registry->count--;
    registry->running -= process->status.state == PROCESS_RUNNING;
    registry->changes++;
    pthread_mutex_unlock(&registry->lock);
    process_release(process);
}

void registry_get_status(struct registry *registry, struct process *process,
                         struct process_status *out)
{
    pthread_mutex_lock(&registry->lock);
    *out = process->status;
    pthread_mutex_unlock(&registry->lock);
}

void registry_set_ended(struct registry *registry, struct process *process,
                        enum process_state state, bool has_status, int status)
{
    pthread_mutex_lock(&registry->lock);
    if (process->status.state == PROCESS_RUNNING) {
        registry->running--;
        process->status.state = state;
        process->status.end_ns = clock_realtime();
        process->status.end_mono_ns = clock_monotonic();
    }
    if (has_status) {
        process->status.has_status = true;
        process->status.status = status;
    }
    registry->changes++;
    pthread_mutex_unlock(&registry->lock);
}
