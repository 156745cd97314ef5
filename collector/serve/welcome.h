/*
 * Whose processes a collector takes: its own user's and root's, those of --users, and, if it is
 * root's, those that are of a family that it knows.
 *
 * A family is known by its parents (kinship.h) or by a token: it is written into the memory of
 * each process that was taken, forked children read it there, and nobody else can. So an orphan
 * is known, too. The token stays the same when the collector restarts.
 *
 * Threads: the collector's; welcome_open: before it is started.
 */
#ifndef COLLECTOR_SERVE_WELCOME_H
#define COLLECTOR_SERVE_WELCOME_H

#include "base/error.h"
#include "serve/map_ledger.h"
#include "serve/registry.h"
#include "wire/handover.h"
#include <sys/socket.h>

/* Programs about to exec that are remembered: VOUCH. */
#define WELCOME_VOUCHED_MAX 256

struct welcome {
    uid_t *users; /* malloc'ed */
    size_t n_users;
    bool any_user;
    struct handover_kin token;
    pid_t vouched[WELCOME_VOUCHED_MAX]; /* a ring */
    size_t n_vouched;
};

/* users: "NAME,NUMBER,..." or "any"; NULL: nobody besides. keep_token: it is kept in a file
 * beside the socket, for the next collector. False with *err: no such user, or we aren't root. */
bool welcome_open(struct welcome *welcome, const char *users, const char *socket, bool keep_token,
                  struct error *err);
void welcome_close(struct welcome *welcome);

/* May the process that connected report? */
bool welcome_peer(struct welcome *welcome, struct registry *registry, const struct ucred *peer);

/* Our own user or root: who could trace the processes that we take. */
bool welcome_owner(uid_t uid);

/* Is it our token? */
bool welcome_kin(const struct welcome *welcome, const struct handover_kin *kin);

/* Tells a process in its memory, whatever its version; nothing where that can't be written. */
void welcome_answer(const struct welcome *welcome, struct mapped_ledger *ledger,
                    enum handover_state state);

/* The process is of a known family, and will say hello as another program. */
void welcome_vouch(struct welcome *welcome, pid_t pid);

#endif
