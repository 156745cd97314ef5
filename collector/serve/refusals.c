#include "serve/refusals.h"

#include "base/mem.h"
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void refusals_init(struct refusals *refusals)
{
    memset(refusals, 0, sizeof *refusals);
    pthread_mutex_init(&refusals->lock, NULL);
}

static void name_user(uid_t uid, char *name, size_t size)
{
    char room[1024];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, room, sizeof room, &found) == 0 && found)
        snprintf(name, size, "%s", found->pw_name);
    else
        snprintf(name, size, "%u", (unsigned)uid);
}

/* A program's path may hold anything. */
static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text);
    for (; *out; out++)
        if ((unsigned char)*out < ' ' || *out == 0x7f)
            *out = '?';
}

static struct refusal *find(struct refusals *refusals, uid_t uid, const char *program,
                            const char *reason)
{
    for (size_t i = 0; i < refusals->n; i++) {
        struct refusal *known = &refusals->list[i];
        if (known->uid == uid && known->reason == reason && strcmp(known->program, program) == 0)
            return known;
    }
    return NULL;
}

bool refusals_note(struct refusals *refusals, pid_t pid, uid_t uid, const char *program,
                   const char *reason, struct refusal *refusal)
{
    struct refusal fresh = {.pid = pid, .uid = uid, .reason = reason};
    copy_text(fresh.program, sizeof fresh.program, program);
    pthread_mutex_lock(&refusals->lock);
    refusals->total++;
    struct refusal *known = find(refusals, uid, fresh.program, reason);
    bool first = !known && refusals->n < REFUSALS_MAX;
    if (first) {
        name_user(uid, fresh.user, sizeof fresh.user);
        known = &refusals->list[refusals->n++];
        *known = fresh;
    }
    if (known) {
        known->count++;
        known->pid = pid;
        *refusal = *known;
    }
    pthread_mutex_unlock(&refusals->lock);
    return first;
}

struct refusal *refusals_list(struct refusals *refusals, size_t *n, uint64_t *total)
{
    pthread_mutex_lock(&refusals->lock);
    *n = refusals->n;
    *total = refusals->total;
    struct refusal *list = mem_alloc((*n + 1) * sizeof *list);
    memcpy(list, refusals->list, *n * sizeof *list);
    pthread_mutex_unlock(&refusals->lock);
    return list;
}
