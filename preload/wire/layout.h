/*
 * The ledger's memory layout: what the target process writes and what a reader
 * (the dump, the collector) maps. One memfd, MAP_SHARED, sealed against
 * shrinking, never moved, named after LEDGER_NAME. Offsets instead of pointers, little-endian,
 * fixed-width fields; everything is append-only but for counters, statistics
 * and the fields of the thread table that are marked atomic.
 *
 *   sites     what is counted: (profile kind, stack, key), numbered from 1
 *   counters  for each site one counter in each of `planes` planes; a thread
 *             adds to the plane it was given, so threads share no cache line
 *   stacks    frames, each a 48-bit address with its module in the high 16 bits
 *   indexes   hash -> reference, for sites and for stacks: levels, each
 *             LEDGER_INDEX_GROWTH times the last, so memory follows the fill
 *   modules, threads, strings
 *
 * Publication: an entry is written in full before an index slot (or, in tables
 * without an index, its last field) is stored with release order. Entries below
 * `used` that no index reaches lost a race; readers skip what isn't filled.
 *
 * A reader in another process trusts nothing here: see reader.h.
 */
#ifndef LIBPROF_WIRE_LAYOUT_H
#define LIBPROF_WIRE_LAYOUT_H

#include <stdatomic.h>
#include <stdint.h>

#define LEDGER_MAGIC UINT64_C(0x315247444c465250) /* "PRFLDGR1" */
#define LEDGER_VERSION 6
#define LEDGER_NAME "libprof-" /* and asked_by, two digits: as /proc/PID/maps shows it */
#define LEDGER_PLANES_MAX 16
#define LEDGER_MODULES_MAX 4096 /* index 0 is "none" */
#define LEDGER_STACK_UNIT 8u /* bytes: what a reference to a stack counts; 32 bits reach 32 GiB */
#define LEDGER_EVENT UINT64_C(65536) /* what one wait adds to the count of a block or mutex site   \
                                      */
#define LEDGER_THREAD_NAME 16   /* TASK_COMM_LEN, prctl(2) PR_SET_NAME */
#define LEDGER_THREAD_WCHAN 23
#define LEDGER_INDEX_LEVELS 10
#define LEDGER_INDEX_GROWTH 4
#define LEDGER_INDEX_FIRST 4096u /* slots of the first level: 32 KiB */
#define LEDGER_INDEX_WINDOW 8u   /* slots tried on each level: one cache line */

/* What a site counts: the meaning of its key and of its counter's fields. */
enum ledger_kind {
    LEDGER_KIND_NONE = 0, /* the site is not filled (yet) */
    LEDGER_KIND_HEAP = 1, /* key: bytes requested; count: allocated, value: freed (objects) */
    LEDGER_KIND_CPU = 2,  /* key: thread index; count: samples, value: ns */
    LEDGER_KIND_THREADCREATE = 3, /* key: 0; count: threads created */
    LEDGER_KIND_BLOCK = 4, /* key: lock class; count: 1/LEDGER_EVENT waits, value: ns waited */
    LEDGER_KIND_MUTEX = 5, /* as block, charged to the unlocker's stack */
    LEDGER_KINDS
};

/* What a thread waited for: the key of block and mutex sites. X(name, label). */
#define LEDGER_LOCKS(X)                                                                            \
    X(MUTEX, "mutex")                                                                              \
    X(RWLOCK, "rwlock")                                                                            \
    X(SPIN, "spinlock")                                                                            \
    X(COND, "condition")                                                                           \
    X(SEMAPHORE, "semaphore")                                                                      \
    X(BARRIER, "barrier")                                                                          \
    X(THREAD, "thread")

enum ledger_lock {
    LEDGER_LOCK_NONE,
#define LEDGER_LOCK_ENUM(name, label) LEDGER_LOCK_##name,
    LEDGER_LOCKS(LEDGER_LOCK_ENUM)
#undef LEDGER_LOCK_ENUM
        LEDGER_LOCK_COUNT
};

enum ledger_section_id {
    LEDGER_SITES,
    LEDGER_SITE_INDEX,
    LEDGER_STACKS,
    LEDGER_STACK_INDEX,
    LEDGER_MODULES,
    LEDGER_THREADS,
    LEDGER_STRINGS,
    LEDGER_TRACE,
    LEDGER_COUNTERS, /* plane 0; plane n is section LEDGER_COUNTERS + n */
    LEDGER_SECTIONS = LEDGER_COUNTERS + LEDGER_PLANES_MAX
};

struct ledger_section {
    uint64_t offset;            /* from the start of the file; immutable after creation */
    _Atomic(uint64_t) size;     /* bytes of address space; memory_trim makes it less */
    _Atomic(uint64_t) used;     /* bytes handed out; append-only sections start after entry 0 */
    _Atomic(uint64_t) claimed;  /* bytes that total_reserved counts, from the section's start */
    _Atomic(uint64_t) reserved; /* of those, bytes that are backed by memory */
};

struct ledger_site {
    uint64_t hash; /* of kind, key and frames: what the index is keyed by */
    uint64_t key;
    uint32_t stack;         /* reference into LEDGER_STACKS */
    _Atomic(uint32_t) kind; /* enum ledger_kind; stored last */
};

/* One plane's share of a site. count, value and temporary only ever grow. */
struct ledger_counter {
    _Atomic(uint64_t) count;
    _Atomic(uint64_t) value;
    _Atomic(int64_t) peak;        /* heap: objects in use when peak_epoch began */
    _Atomic(uint32_t) peak_epoch; /* the heap_peak_epoch that `peak` was taken in */
    _Atomic(uint32_t) temporary;  /* heap, exact mode: freed before the thread's next allocation */
};

struct ledger_stack {
    uint64_t hash;
    uint32_t depth;
    uint32_t end;      /* enum unwind_end */
    uint64_t frames[]; /* leaf first: unwind.h's UNWIND_ADDRESS and UNWIND_MODULE */
};

struct ledger_module {
    uint64_t start, limit, file_offset, bias;
    uint8_t build_id[32];
    uint8_t build_id_size, is_main, is_vdso, is_self;
    _Atomic(uint32_t) path; /* string reference; stored last: 0 = not filled */
};

struct ledger_thread {
    uint64_t start_ns;             /* CLOCK_REALTIME */
    _Atomic(uint64_t) end_ns;      /* 0 = alive */
    _Atomic(uint64_t) cpu_ns;      /* its CPU clock when last sampled */
    _Atomic(uint32_t) walk;        /* the walk request (header) it answered last */
    _Atomic(uint32_t) walk_stack;  /* stack reference */
    uint32_t creator;              /* stack reference of who created it; 0 = unknown */
    _Atomic(uint32_t) tid;         /* stored last: 0 = not filled */
    char name[LEDGER_THREAD_NAME]; /* may be renewed while it is read */
    /* As found by the walk request `asked`, before the thread was disturbed. */
    _Atomic(uint64_t) waiting_ns; /* since it last ran; 0 = it runs, or not known */
    _Atomic(uint32_t) asked;      /* the newest walk request that came by it */
    int32_t syscall;              /* number of the system call it is in; -1 = none, or not known */
    char wchan[LEDGER_THREAD_WCHAN]; /* kernel function it waits in; of those that can't answer */
    char state;                      /* proc_pid_status(5): R, S, D, T ...; 0 = not known */
    _Atomic(uint32_t) next_free;     /* of the entries to use again; 0 = the last */
    /* The lock wait that is going on, if it may be a long one. */
    _Atomic(uint32_t) wait_site;     /* the block site it will be counted in; 0 = none */
    _Atomic(uint64_t) wait_since_ns; /* CLOCK_MONOTONIC; stored before wait_site */
};

/* A string: its length, then its bytes and a NUL; a reference is a byte offset. */
struct ledger_string {
    uint32_t length;
    char text[];
};

/* A lock, told from others by 16 bits of a hash of its address; never 0. In the high bits of the
 * value of a wait and of a wake, above the time, which is cut to 78 hours. */
#define LEDGER_TRACE_LOCK_SHIFT 48
#define LEDGER_TRACE_LOCK(address)                                                                 \
    ((uint32_t)((uint64_t)(address)*UINT64_C(0x9e3779b97f4a7c15) >> 48) | 1)
#define LEDGER_TRACE_NS(value) ((value) & ((UINT64_C(1) << LEDGER_TRACE_LOCK_SHIFT) - 1))

/* What happened, in a trace. */
enum ledger_trace_kind {
    LEDGER_TRACE_CPU = 1,      /* site: CPU; value: ns of CPU time that the sample stands for */
    LEDGER_TRACE_WAIT,         /* site: block; value: ns waited, up to `ticks`, and the lock */
    LEDGER_TRACE_WAKE,         /* site: mutex, an unlock; value: ns others had waited, the lock */
    LEDGER_TRACE_ALLOC,        /* site: heap, a sampled block; value: bytes */
    LEDGER_TRACE_FREE,         /* the same block's end */
    LEDGER_TRACE_CREATE,       /* site: threadcreate; the thread that creates another */
    LEDGER_TRACE_THREAD_BEGIN, /* site 0; of the thread itself */
    LEDGER_TRACE_THREAD_END,
    LEDGER_TRACE_KINDS
};

/*
 * An event of the ring. `stamp` is its number in the trace, from 1; it is 0 while the event is
 * written, and stored last. Event n lies in place (n - 1) % capacity. A reader takes one whose stamp
 * was the expected one before and after it was copied.
 */
struct ledger_trace {
    _Atomic(uint64_t) stamp;
    uint64_t ticks; /* kit/ticks.h */
    uint64_t value;
    uint32_t site;
    uint32_t thread; /* index in the low 24 bits, enum ledger_trace_kind in the high 8 */
};

/* A slot of an index. High 32 bits: tag (high half of the hash); low 32: the
 * reference; 0 = free. */
typedef _Atomic(uint64_t) ledger_slot;

/*
 * Statistics, 64-bit counters in the header. X(name, loss, sentence): one that isn't
 * zero becomes a comment of every profile written, "libprof: SENTENCE: N". A
 * loss is something that the reader of the profile must know of; the rest
 * stands behind a '#', which pprof's reports leave out.
 */
#define LEDGER_STATS(X)                                                                            \
    X(STACKS_COMPLETE, false, "stacks walked to their thread's start")                             \
    X(STACKS_TRUNCATED, false, "stacks cut at LIBPROF_DEPTH")                                      \
    X(STACKS_BROKEN, false, "stacks whose outer callers could not be found")                       \
    X(LOST_MEMORY, true, "events lost because LIBPROF_MAX_MEMORY was reached")                     \
    X(LOST_STACK, true, "events lost because no stack could be walked")                            \
    X(LIVE_LOST, true, "sampled blocks whose free can't be seen, taken as freed")                  \
    X(CPU_SAMPLES, false, "CPU samples taken")                                                     \
    X(CPU_LOST, true, "CPU samples lost")                                                          \
    X(CPU_TIMERS_FAILED, true, "threads without a CPU timer (see ulimit -i)")                      \
    X(THREADS_SEEN, false, "threads seen")                                                         \
    X(THREADS_LOST, true, "threads beyond the thread table, counted together")                     \
    X(DUMPS, false, "dumps written")                                                               \
    X(DUMPS_FAILED, true, "dumps that could not be written")                                       \
    X(CONTENTION_SKIPPED, false, "waits not recorded")                                             \
    X(SIGNALS_FORWARDED, false, "signals passed on to the program's handler")

enum ledger_stat {
#define LEDGER_STAT_ENUM(name, loss, sentence) LEDGER_STAT_##name,
    LEDGER_STATS(LEDGER_STAT_ENUM)
#undef LEDGER_STAT_ENUM
        LEDGER_STAT_COUNT
};
#define LEDGER_STATS_ROOM 64

/* What the kernel counts, kB. */
enum ledger_memory {
    LEDGER_MEMORY_MOST, /* resident at most */
    LEDGER_MEMORY_RESIDENT,
    LEDGER_MEMORY_ANONYMOUS, /* of what is resident */
    LEDGER_MEMORY_SWAPPED,
    LEDGER_MEMORY_KINDS
};

struct ledger_header {
    _Atomic(uint64_t) magic; /* stored last at creation */
    uint32_t version;
    uint32_t planes;
    uint64_t size;                /* of the file, bytes */
    uint32_t pid, ppid;           /* as the process itself sees them */
    uint64_t start_ns;            /* CLOCK_REALTIME of the ledger's creation: the profiles' start */
    uint64_t start_mono_ns;       /* CLOCK_MONOTONIC of the same moment */
    uint64_t heap_rate;           /* mean bytes between samples; 1 = exact, 0 = off */
    uint64_t cpu_period_ns;       /* 0 = off */
    uint64_t block_rate_ns;       /* 0 = off */
    uint64_t mutex_fraction;      /* 1 in so many of a storm's waits is charged to an unlock; 0 = off */
    uint32_t exe;                 /* string reference: absolute path */
    uint32_t program;             /* string reference: the name it was started by, last part only */
    _Atomic(uint32_t) own_malloc; /* not 0: the program brings a malloc that precedes ours */
    uint32_t cmdline;             /* string reference: the arguments, each with its NUL */
    uint64_t max_memory;          /* what total_reserved may come to, bytes */
    _Atomic(uint64_t) total_reserved; /* over all sections, bytes */
    uint32_t
        asked_by; /* the signal by which the process can be asked (wire/handover.h); 0 = none */
    uint32_t dir;      /* string reference: LIBPROF_DIR, absolute, with its %p, %e and %h */
    uint32_t linked_functions; /* of an allocator in the program that are watched (patched entries) */
    uint64_t start_ticks;    /* kit/ticks.h, at start_mono_ns */
    uint64_t trace_capacity; /* events that the ring holds; 0 = none */

    _Alignas(64) _Atomic(int64_t) heap_inuse; /* bytes, weighted */
    _Atomic(int64_t) heap_peak;               /* the highest heap_inuse so far */
    _Atomic(uint32_t) heap_peak_epoch;        /* counts the peaks */

    _Alignas(64) _Atomic(uint64_t) trace_next; /* number of the last event, whether written or not */
    _Atomic(uint32_t) trace_armed;             /* not 0: events are written; the collector's to set */

    _Alignas(64) _Atomic(uint32_t) walk; /* number of the newest thread-stack request */
    _Atomic(uint32_t) command;           /* the collector's requests: see dump/ */
    _Atomic(uint32_t) command_done;
    _Atomic(uint32_t) sequence;     /* of the last dump */
    _Atomic(uint64_t) threads_free; /* entries to use again; high 32 bits: changes, low: first */

    _Atomic(uint64_t) memory[LEDGER_MEMORY_KINDS]; /* at the last dump, by the process itself */
    _Alignas(64) _Atomic(uint64_t) stats[LEDGER_STATS_ROOM];
    struct ledger_section sections[LEDGER_SECTIONS];
};

_Static_assert(sizeof(struct ledger_site) == 24, "layout");
_Static_assert(sizeof(struct ledger_counter) == 32, "layout");
_Static_assert(sizeof(struct ledger_stack) == 16, "layout");
_Static_assert(sizeof(struct ledger_module) == 72, "layout");
_Static_assert(sizeof(struct ledger_thread) == 112, "layout");
_Static_assert(LEDGER_STAT_COUNT <= LEDGER_STATS_ROOM, "room for statistics");
_Static_assert(sizeof(struct ledger_trace) == 32, "layout");
_Static_assert(sizeof(struct ledger_header) <= 4096, "the header is one page");

#endif
