/*
 * A process that said hello: one struct for each program image (a process that execs gets a new
 * one), kept after its end. The registry has the list of them.
 *
 * Threads: any may hold references. What protects a field is said at each group.
 */
#ifndef COLLECTOR_SERVE_PROCESS_H
#define COLLECTOR_SERVE_PROCESS_H

#include "serve/history.h"
#include "serve/map_ledger.h"
#include "serve/totals.h"
#include "wire/reader.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum process_state {
    PROCESS_RUNNING,
    PROCESS_EXECED, /* the process went on as another program */
    PROCESS_ENDED,  /* how is in `status` if has_status */
};

struct process_status {
    enum process_state state;
    bool has_status;
    int status;          /* as waitpid(2) gives it */
    int64_t end_ns;      /* CLOCK_REALTIME; 0: it runs */
    int64_t end_mono_ns; /* CLOCK_MONOTONIC of the same moment */
};

/* A dump in the collector's directory. Immutable once listed. */
struct process_dump {
    uint32_t sequence;
    int64_t time_ns;           /* CLOCK_REALTIME */
    bool is_final;             /* written when the process ended */
    uint32_t profiles;         /* mask of 1 << enum dump_profile: which files there are */
    struct process_dump *next; /* older */
};

/* The memory that the process shares. */
struct process_ledger {
    pthread_rwlock_t lock;         /* held for reading while base or view is used */
    void *base;                    /* NULL: not passed, or given up after its end; read-only */
    size_t size;                   /* bytes */
    struct ledger_view view;       /* valid while base is */
    struct ledger_header *control; /* its first page, writable: the command words; or NULL */
    pthread_mutex_t command_lock;  /* one command at a time */
    struct mapped_ledger copy;     /* copied_from not 0: what `base` is a copy of */
    int64_t copied_ns;             /* CLOCK_MONOTONIC: when it was last copied */
};

/* What the collector's thread remembers from one second to the next. */
struct process_scan {
    int64_t next_ns;          /* CLOCK_MONOTONIC: when the sites are summed again */
    int64_t next_resident_ns; /* the same: when the kernel is asked about its memory again */
    struct totals totals;     /* of the last scan */
};

struct process {
    int source; /* SOURCE_PROCESS: its pidfd's events point here */

    /* Immutable once it is in the registry. */
    pid_t pid;           /* as the collector sees it; 0: it doesn't */
    pid_t own_pid;       /* as it sees itself: what the names of its files have then */
    unsigned generation; /* from 1: programs seen under this pid (exec, or a pid used again) */
    char pid_text[32]; /* "4242"; of one that the collector doesn't see: "7@1", own_pid @ number */
    char full_id[32];  /* "4242.1" */
    uid_t uid;
    int pidfd;     /* -1: it had ended before we could ask */
    int asked_by;  /* the signal by which it can be asked; 0: none */
    char *exe;     /* absolute path, "" if unknown */
    char *name;    /* as it was started, fit for a file name */
    char *cmdline; /* each argument with its NUL */
    size_t cmdline_size;
    int64_t start_ns; /* CLOCK_REALTIME: the ledger's creation */

    struct process_ledger ledger; /* has its own locks */
    struct history history;       /* has its own lock */

    /* Collector's thread only. */
    struct process_scan scan;
    bool watched; /* its pidfd is in the epoll set, which holds a reference */

    /* Under the registry's lock. */
    struct process_status status;
    struct process_dump *dumps; /* newest first */
    uint32_t last_sequence;
    struct process *next, *prev; /* in order of arrival */

    _Atomic(uint64_t)
        memory[LEDGER_MEMORY_KINDS]; /* kB, seen while it ran: by enum ledger_memory */
    _Atomic(bool) superseded;        /* a newer program has this pid */
    _Atomic(int) references;
};

/* What a hello tells. Strings are copied; pidfd and the mappings become the process's own. */
struct process_hello {
    pid_t pid;     /* 0: it lives in a pid namespace that isn't below ours */
    pid_t own_pid; /* as it sees itself */
    uid_t uid;
    int pidfd;
    int asked_by;
    const char *exe;
    struct mapped_ledger ledger; /* base NULL: none was passed */
};

/* A process with one reference, the caller's, in no registry yet. */
struct process *process_new(const struct process_hello *hello);

/* One more reference, given back by process_release. */
void process_hold(struct process *process);
/* The last reference frees it and closes what it holds. */
void process_release(struct process *process);

/* How the process is called in URLs and commands: its pid, or "PID.GENERATION"
 * once a newer program has the pid. Valid as long as the process. */
const char *process_id(const struct process *process);

/* The pid in its files' names and on show: the collector's number for it if there is one, else
 * its own. */
pid_t process_shown_pid(const struct process *process);

/* "running", "exited 0", "killed by 9", "ended", "execed" into text. */
void process_state_text(const struct process_status *status, char *text, size_t size);

/* The name it was started by, as in its own dumps' names; without its memory the
 * last part of exe. Never empty, no slash. */
const char *process_name(const struct process *process);

/* Before the ledger is read: copies it again where it is a copy. Without its lock. */
void process_refresh(struct process *process);

/* Its numbers of now; zero without a ledger. Takes as long as the ledger has many sites. */
void process_read_totals(struct process *process, struct totals *out);

/* Unmaps the ledger of a process that has ended: it is served from its files then. */
void process_give_up_ledger(struct process *process);

#endif
