/*
 * Who was turned away, and why: for the log, prof ps and the page. Refusals of one program of
 * one user for one reason are counted together.
 *
 * Threads: any.
 */
#ifndef COLLECTOR_SERVE_REFUSALS_H
#define COLLECTOR_SERVE_REFUSALS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Kinds of refusals that are told apart; what comes beyond is in the total alone. */
#define REFUSALS_MAX 64

struct refusal {
    uint64_t count;
    pid_t pid; /* of the last one, as the collector sees it; 0: in another pid namespace */
    uid_t uid;
    char user[33];      /* its name, or its number */
    char program[256];  /* path, "" if it didn't come to that; no control characters */
    const char *reason; /* static */
};

struct refusals {
    pthread_mutex_t lock; /* protects all below */
    uint64_t total;
    size_t n;
    struct refusal list[REFUSALS_MAX]; /* in order of their first */
};

/* No refusals yet. */
void refusals_init(struct refusals *refusals);

/* Counts one. True: it is the first of its kind, to be logged; *refusal (not NULL) is a copy. */
bool refusals_note(struct refusals *refusals, pid_t pid, uid_t uid, const char *program,
                   const char *reason, struct refusal *refusal);

/* A malloc'ed copy of the list, *n long; *total: all that were ever refused. */
struct refusal *refusals_list(struct refusals *refusals, size_t *n, uint64_t *total);

#endif
