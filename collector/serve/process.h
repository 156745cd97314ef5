/*
 * The processes a collector knows: one struct process for each program image
 * that said hello (a process that execs gets a new one), kept after its end.
 *
 * Threads: the collector's own thread changes states; any thread may look
 * processes up and hold references. Fields say what protects them.
 */
#ifndef COLLECTOR_SERVE_PROCESS_H
#define COLLECTOR_SERVE_PROCESS_H

#include "ledger/reader.h"
#include "serve/history.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What an epoll event of the collector is about: the first member of what its data
 * points to. */
enum event_source { SOURCE_SOCKET, SOURCE_CLIENT, SOURCE_PROCESS, SOURCE_TIMER, SOURCE_STOP };

enum process_state {
    PROCESS_RUNNING,
    PROCESS_EXECED, /* the process went on as another program */
    PROCESS_ENDED,  /* how is in `status` if has_status */
};

/* A dump in the collector's directory. Immutable once listed. */
struct process_dump {
    uint32_t sequence;
    int64_t time_ns;           /* CLOCK_REALTIME */
    bool is_final;             /* written when the process ended */
    uint32_t profiles;         /* mask of 1 << enum dump_profile: which files there are */
    struct process_dump *next; /* older */
};

/* Numbers of now, from the ledger's header and tables; zero without a ledger. */
struct process_totals {
    int64_t heap_inuse;                              /* bytes, estimated */
    double heap_inuse_variance, heap_alloc_variance; /* of the estimates, bytes^2 */
    bool heap_is_estimated;                          /* false: every allocation is recorded */
    int64_t heap_peak;                               /* bytes */
    uint64_t heap_alloc;                             /* bytes since the start, estimated */
    uint64_t cpu_ns;                                 /* sampled */
    uint64_t cpu_samples;
    uint64_t samples;  /* events of all profiles */
    uint32_t threads;  /* alive; of an ended process: when it ended, as far as seen */
    uint64_t reserved; /* bytes of the ledger in memory */
};
struct process {
    enum event_source source; /* SOURCE_PROCESS: its pidfd's events point here */

    /* Immutable after registration. */
    pid_t pid;           /* as the collector sees it */
    unsigned generation; /* from 1: programs seen under this pid (exec, or a pid used again) */
    char pid_text[16];   /* "4242" */
    char full_id[32];    /* "4242.1" */
    uid_t uid;
    int pidfd;     /* -1: it had ended before we could ask */
    int asked_by;  /* 0: none */
    char *exe;     /* absolute path, "" if unknown */
    char *name;    /* as it was started, fit for a file name */
    char *cmdline; /* each argument with its NUL */
    size_t cmdline_size;
    int64_t start_ns; /* CLOCK_REALTIME: the ledger's creation */

    /* The ledger: hold ledger_lock for reading while the view is used; the mapping
     * of an ended process may be given up (ledger_base NULL then). */
    pthread_rwlock_t ledger_lock;
    void *ledger_base; /* NULL: memory not passed, or given up; read-only mapping */
    size_t ledger_size;
    struct ledger_view view;
    struct ledger_header *control; /* its first page, writable: the command words */
    pthread_mutex_t command_lock;  /* one command at a time */

    struct history history; /* has its own lock */

    /* Collector's thread only. */
    int64_t next_scan_ns;         /* CLOCK_MONOTONIC: when its sites are summed again */
    int64_t next_look_ns;         /* the same: when the kernel is asked about it again */
    struct process_totals totals; /* of the last scan */
    bool watched;                 /* its pidfd is in the epoll set, which holds a reference */

    /* Under the registry's lock. */
    enum process_state state;
    bool has_status;
    int status; /* as waitpid(2) gives it */
    int64_t end_ns;
    struct process_dump *dumps; /* newest first */
    uint32_t last_sequence;
    struct process *next, *prev; /* in order of arrival */

    _Atomic(uint64_t)
        memory[LEDGER_MEMORY_KINDS]; /* kB, seen while it ran: by enum ledger_memory */
    _Atomic(bool) superseded;        /* a newer program has this pid */
    _Atomic(int) references;
};

struct registry {
    pthread_mutex_t lock;
    struct process *first, *last;
    size_t count, running;
    uint64_t seen;    /* processes ever registered */
    uint64_t changes; /* grows with every arrival and end */
};

void registry_init(struct registry *registry);
/* Gives up the registry's references. */
void registry_clear(struct registry *registry);

/* What a hello tells. Strings are copied. ledger: a mapping that becomes the
 * process's own, or NULL. */
struct process_hello {
    pid_t pid;
    uid_t uid;
    int pidfd; /* becomes the process's own */
    int asked_by;
    const char *exe;
    void *ledger_base;
    size_t ledger_size;
    struct ledger_header *control;
    struct ledger_view view;
};

/* Enters a process. The caller gets a reference. */
struct process *registry_add(struct registry *registry, const struct process_hello *hello);

/* How the process is called in URLs and commands: its pid, or "PID.GENERATION"
 * once a newer program has the pid. Valid as long as the process. */
const char *process_id(const struct process *process);

/* By id; a pid alone names its newest program. NULL: not known. The caller gets a reference. */
struct process *registry_find(struct registry *registry, const char *id);

/* The newest running program of a pid, or NULL. The caller gets a reference. */
struct process *registry_find_running(struct registry *registry, pid_t pid);

/* All of them, oldest first: a malloc'ed array of references; *n: how many.
 * process_release_all gives it back. */
struct process **registry_list(struct registry *registry, size_t *n);
void process_release_all(struct process **list, size_t n);

void process_hold(struct process *process);
void process_release(struct process *process);

/* Takes the process from the list; references keep it alive. */
void registry_remove(struct registry *registry, struct process *process);

/* A copy of what changes. */
struct process_status {
    enum process_state state;
    bool has_status;
    int status;
    int64_t end_ns;
};
void process_get_status(struct registry *registry, struct process *process,
                        struct process_status *out);

/* "running", "exited 0", "killed by 9 (SIGKILL)", "ended", "execed" into text. */
void process_state_text(const struct process_status *status, char *text, size_t size);

/* The name it was started by, as in its own dumps' names; without its memory the
 * last part of exe. Never empty, no slash. */
const char *process_name(const struct process *process);

/* Reads every site: as long as the ledger has many. */
void process_get_totals(struct process *process, struct process_totals *out);

#endif
