/*
 * Threads from their creation to their end: the stack that created each (the
 * threadcreate profile), the thread's own stack limits, its entry in the thread
 * table, its CPU timer, and the end of all that.
 *
 * A thread starts in a trampoline of ours (hooks/thread.c), which gets the real
 * start routine through a birth record: memory of our own, taken and given back
 * without a lock.
 */
#ifndef LIBPROF_SAMPLE_THREADCREATE_H
#define LIBPROF_SAMPLE_THREADCREATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the program wants the thread to do. Two words: it comes back in registers. */
struct thread_start {
    uintptr_t routine; /* void *(*)(void *), or thrd_create's int (*)(void *) */
    void *argument;
};

struct thread_birth {
    struct thread_start start;
    size_t stack_size;      /* bytes, guard included; 0 = not known */
    uint32_t creator;       /* stack reference */
    uint32_t site;          /* of the threadcreate profile; 0 = not recorded */
    uint32_t epoch;         /* the process whose ledger they refer to */
    bool believes_blocked;  /* the creator believes that it blocks our signal */
    _Atomic(uint32_t) next; /* of the free records */
};

/*
 * A record for a thread about to be created, with the caller's stack in it; NULL:
 * create it without (it is then noticed at its first hook). Hook context; the
 * caller's frame must be the hook's. stack_size: as above.
 */
struct thread_birth *threadcreate_begin(size_t stack_size);

/* The creation succeeded: counts it. Otherwise the record is given back. Once
 * the thread may be running, the record is its own: `site` is passed by value. */
void threadcreate_done(uint32_t site);
void threadcreate_failed(struct thread_birth *birth);

/* On the new thread: sets it up and gives the record back. Called before any code
 * of the program's. */
struct thread_start threadcreate_born(struct thread_birth *birth);

/* The same on a thread that libc started by itself, which is counted as created now. The
 * record is only read. */
void threadcreate_born_by_libc(const struct thread_birth *record);

/* Forgets the key by which ends of threads are noticed. With no other thread running. */
void threadcreate_stop(void);

/* Are there threads that were created and have not come to threadcreate_born yet? */
bool threadcreate_pending(void);

#endif
