#include "wall/life.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/mem.h"

/* A stack is taken anew this often when the thread ran meanwhile. */
#define TRIES 3

static size_t read_task(pid_t pid, pid_t tid, const char *file, char *text, size_t size)
{
    char path[96];
    snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)pid, (int)tid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, size - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[length > 0 ? length : 0] = '\0';
    return length > 0 ? (size_t)length : 0;
}

struct sums {
    uint64_t ran_ns, queued_ns, turns;
};

/* False: the thread is gone. */
static bool read_sums(pid_t pid, pid_t tid, struct sums *sums)
{
    char text[128];
    unsigned long ran, queued, turns;
    if (!read_task(pid, tid, "schedstat", text, sizeof text) ||
        sscanf(text, "%lu %lu %lu", &ran, &queued, &turns) != 3)
        return false;
    *sums = (struct sums){ran, queued, turns};
    return true;
}

/* When it was started, CLOCK_MONOTONIC, to the kernel's clock tick; 0: unknown. */
static int64_t birth(pid_t pid, pid_t tid)
{
    char text[1024];
    unsigned long long ticks;
    read_task(pid, tid, "stat", text, sizeof text);
    const char *behind_name = strrchr(text, ')');
    if (!behind_name ||
        sscanf(behind_name + 2,
               "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
               &ticks) != 1)
        return 0;
    int64_t since_boot = (int64_t)(ticks * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK)));
    return since_boot - (clock_ns(CLOCK_BOOTTIME) - clock_monotonic());
}

/* FNV-1a, 64 bits. */
static uint64_t hash(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t n = 0; n < size; n++)
        hash = (hash ^ bytes[n]) * UINT64_C(0x100000001b3);
    return hash;
}

static struct wait *find_wait(struct lives *lives, pid_t tid, const struct place *place,
                              const uint64_t *frames, size_t depth)
{
    struct wait *wait;
    /* static texts: their addresses tell them apart */
    const void *labels[] = {place->state, place->call, place->file};
    uint64_t key = hash(UINT64_C(0xcbf29ce484222325), frames, depth * sizeof *frames);
    key = hash(hash(key, labels, sizeof labels), &tid, sizeof tid);
    HASH_FIND(hh, lives->waits, &key, sizeof key, wait);
    if (wait)
        return wait;
    wait = mem_zero(1, sizeof *wait + depth * sizeof *frames);
    wait->key = key;
    wait->tid = tid;
    wait->place = *place;
    wait->depth = depth;
    memcpy(wait->frames, frames, depth * sizeof *frames);
    HASH_ADD(hh, lives->waits, key, sizeof wait->key, wait);
    return wait;
}

/* Where the thread waits now. sums: what was read before, brought up to date. NULL: it runs, or
 * did so while its stack was taken. */
static struct wait *look_where(struct lives *lives, pid_t tid, struct sums *sums)
{
    uint64_t frames[BLOCKED_FRAMES];
    for (int tried = 0; lives->blocked && tried < TRIES; tried++) {
        struct blocked_place where;
        struct sums after;
        bool complete;
        if (!blocked_place(lives->pid, tid, &where))
            return NULL;
        size_t depth = blocked_stack(lives->blocked, tid, &where, frames, &complete);
        struct place place = place_of(lives->blocked, lives->pid, &where, frames, depth);
        if (!read_sums(lives->pid, tid, &after))
            return NULL;
        bool still = after.turns == sums->turns && after.ran_ns == sums->ran_ns;
        *sums = after;
        if (still)
            return find_wait(lives, tid, &place, frames, depth);
    }
    return NULL;
}

/* What a running thread runs, if an interpreter tells; its time on a processor is divided among
 * what was seen. */
static struct wait *look_what(struct lives *lives, pid_t tid)
{
    static const struct place running = {"running", "", ""};
    uint64_t frames[BLOCKED_FRAMES];
    size_t depth = lives->blocked ? blocked_running(lives->blocked, tid, frames) : 0;
    return depth ? find_wait(lives, tid, &running, frames, depth) : NULL;
}

/* Gives the waiting time that is kept to where the thread was seen, before and now. */
static void place_pending(struct life *life, struct wait *before, struct wait *now)
{
    if (life->pending <= 0 || (!before && !now))
        return;
    int64_t half = before && now ? life->pending / 2 : 0;
    if (before && now)
        before->ns += half;
    else if (before)
        now = before;
    now->ns += life->pending - half;
    life->pending = 0;
}

/* Time on a processor belongs to what the thread is seen to run next. */
static void place_running(struct lives *lives, struct life *life)
{
    struct wait *now = life->running > 0 && !life->wait ? look_what(lives, life->tid) : NULL;
    if (!now)
        return;
    now->ns += life->running;
    now->looks++;
    life->running = 0;
}

/* False: it is gone. */
static bool look_at(struct lives *lives, struct life *life, bool first)
{
    struct sums sums;
    if (!read_sums(lives->pid, life->tid, &sums))
        return false;
    bool ran = sums.turns != life->turns || sums.ran_ns != life->ran_ns;
    struct wait *before = life->wait;
    if (first || ran || !before)
        life->wait = look_where(lives, life->tid, &sums);
    int64_t now = clock_monotonic();
    if (!first) {
        int64_t running = (int64_t)(sums.ran_ns - life->ran_ns);
        int64_t runnable = (int64_t)(sums.queued_ns - life->queued_ns);
        life->running += running;
        place_running(lives, life);
        life->runnable += runnable;
        life->pending += now - life->last_ns - running - runnable;
        place_pending(life, before, life->wait);
    }
    if (life->wait)
        life->wait->looks++;
    life->last_ns = now;
    life->ran_ns = sums.ran_ns;
    life->queued_ns = sums.queued_ns;
    life->turns = sums.turns;
    return true;
}

/* One that was born in the window has run, waited and queued since then. */
static struct life *add_life(struct lives *lives, pid_t tid, bool first)
{
    struct life *life = mem_zero(1, sizeof *life);
    life->tid = tid;
    read_task(lives->pid, tid, "comm", life->name, sizeof life->name);
    life->name[strcspn(life->name, "\n")] = '\0';
    if (!first) {
        int64_t born = birth(lives->pid, tid);
        life->last_ns = born > lives->begin_ns ? born : lives->begin_ns;
    }
    HASH_ADD_INT(lives->list, tid, life);
    return life;
}

bool lives_look(struct lives *lives, bool first)
{
    char path[32];
    bool any = false;
    if (first)
        lives->begin_ns = clock_monotonic();
    snprintf(path, sizeof path, "/proc/%d/task", (int)lives->pid);
    DIR *tasks = opendir(path);
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);
        struct life *life;
        if (tid <= 0)
            continue;
        HASH_FIND_INT(lives->list, &tid, life);
        if (!life)
            life = add_life(lives, tid, first);
        any |= look_at(lives, life, first);
    }
    if (tasks)
        closedir(tasks);
    return any;
}

void lives_settle(struct lives *lives)
{
    struct life *life, *next;
    HASH_ITER(hh, lives->list, life, next)
    {
        if (life->wait)
            life->wait->ns += life->pending;
        else if (life->pending > 0)
            life->unexplained += life->pending;
        else
            life->running += life->pending;
        life->pending = 0;
    }
}

void lives_free(struct lives *lives)
{
    struct life *life, *next;
    struct wait *wait, *next_wait;
    HASH_ITER(hh, lives->list, life, next)
    {
        HASH_DEL(lives->list, life);
        free(life);
    }
    HASH_ITER(hh, lives->waits, wait, next_wait)
    {
        HASH_DEL(lives->waits, wait);
        free(wait);
    }
}
