/*
 * Loading libprof.so into a process that is already running, and taking it out again.
 *
 * The story, a verb a file: target (may it be attached to?), image (the library with its
 * order), tracee (stop every thread), safe_point (is this a moment for it, and in which
 * thread?), call (make the calls there), remote (find functions in its memory).
 *
 * The promise: whatever happens to this process at any instant, the target goes on as if
 * nothing had happened.
 */
#ifndef COLLECTOR_ATTACH_ATTACH_H
#define COLLECTOR_ATTACH_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

struct attach_options {
    const char *library;            /* path of libprof.so */
    const char *const *environment; /* "LIBPROF_X=value", ended by NULL */
    unsigned timeout_ms;            /* for finding a safe point */
    bool force;                     /* also under a seccomp filter */
    /* Takes the ledger's descriptor, which is then the receiver's; NULL: nobody wants it. */
    void (*take_ledger)(void *arg, int fd);
    void *arg;
};

struct attach_result {
    uint64_t stopped_ns; /* how long the target stood still, in all */
    unsigned attempts;   /* how often it was stopped until the moment was right */
    uint64_t slots;      /* function pointers that lead to libprof now */
    uint64_t threads;    /* threads that have a CPU timer now */
    bool reported;       /* the target has told its collector itself */
    bool unloaded;       /* detaching: the library is gone from memory */
};

/* False: *err is filled in and the target runs on unchanged. result may be partly filled in. */
bool attach_process(pid_t pid, const struct attach_options *options, struct attach_result *result,
                    struct error *err);

/* Takes all of libprof out again. False with *err filled in. */
bool attach_detach(pid_t pid, unsigned timeout_ms, struct attach_result *result, struct error *err);

#endif
