/*
 * The processes a collector knows, in order of arrival.
 *
 * Threads: the collector's own thread changes states; any thread may look processes up.
 */
#ifndef COLLECTOR_SERVE_REGISTRY_H
#define COLLECTOR_SERVE_REGISTRY_H

#include "serve/process.h"
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct registry {
    pthread_mutex_t lock; /* protects all below, and what process.h says */
    struct process *first, *last;
    size_t count, running;
    unsigned foreign; /* processes of other pid namespaces ever registered */
    uint64_t seen;    /* processes ever registered */
    uint64_t changes; /* grows with every arrival and end */
};

/* No processes yet. */
void registry_init(struct registry *registry);
/* Gives up the registry's references. */
void registry_clear(struct registry *registry);

/* Enters a process. The registry takes a reference of its own; the caller keeps his. */
void registry_add(struct registry *registry, struct process *process);

/* By id; a pid alone names its newest program. NULL: not known. The caller gets a reference. */
struct process *registry_find(struct registry *registry, const char *id);

/* The newest running program of a pid, or NULL. The caller gets a reference. */
struct process *registry_find_running(struct registry *registry, pid_t pid);

/* The running process that a pidfd stands for, where the kernel tells pidfds of two processes
 * apart (Linux 6.9). NULL: not known. The caller gets a reference. */
struct process *registry_find_pidfd(struct registry *registry, int pidfd);

/* All of them, oldest first: a malloc'ed array of references; *n: how many.
 * registry_list_free gives it back. */
struct process **registry_list(struct registry *registry, size_t *n);
void registry_list_free(struct process **list, size_t n);

/* Takes the process from the list; references keep it alive. */
void registry_remove(struct registry *registry, struct process *process);

/* A copy of what changes. */
void registry_get_status(struct registry *registry, struct process *process,
                         struct process_status *out);

/* The process is not running any more (state: EXECED or ENDED), now, unless that is known
 * already. has_status: `status` says how it ended. */
void registry_set_ended(struct registry *registry, struct process *process,
                        enum process_state state, bool has_status, int status);

#endif
