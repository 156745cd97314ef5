/*
 * What `prof attach` and the library that it injects say to each other.
 *
 * The order is a variable of libprof.so that begins with a magic number, on an address that
 * is a multiple of 8. `prof attach` fills in its first part in the copy of the library that
 * it injects, so that the library's constructor finds it there: no environment variable and
 * no file of the target is used. The library fills in the second part; `prof attach` reads
 * it from the target's memory. In a preloaded library the order is empty.
 *
 * Protection: the first part is immutable after loading. The second is written by the
 * thread that runs the constructor or attach_detach, and read by a process that has
 * stopped that thread.
 */
#ifndef LIBPROF_WIRE_ATTACH_ORDER_H
#define LIBPROF_WIRE_ATTACH_ORDER_H

#include <stdint.h>

#define ATTACH_ORDER_MAGIC UINT64_C(0x3248434154544150) /* "PATTACH2" */

/* Room for LIBPROF_ variables, each "NAME=value" with its NUL, ended by an empty one. */
#define ATTACH_ENVIRONMENT_MAX 7864

/*
 * How the path begins that the injected dlopen(3) is called with; a number follows, for the
 * loader takes equal paths for the same library. No such file exists: the injector
 * answers the loader's openat(2) with the library's descriptor. If the injector died
 * before that, the loader finds nothing and the program goes on without the library.
 */
#define ATTACH_LIBRARY_PATH "/memfd:libprof.so"

/*
 * The library's word to the injector that its ledger may be fetched: a getpriority(2) with
 * this number and the ledger's descriptor as its arguments. The kernel answers EINVAL and
 * nothing else happens. The library closes the descriptor when the call returns.
 */
#define ATTACH_FETCH_LEDGER 0x50524641 /* "PRFA" */

enum attach_state {
    ATTACH_NONE = 0,     /* the constructor has not run, or was not asked to attach */
    ATTACH_ARMED = 1,    /* hooks are in place, threads are sampled */
    ATTACH_REFUSED = 2,  /* nothing was changed; `reason` says why */
    ATTACH_DETACHED = 3, /* nothing of libprof is in the program's way any more */
    ATTACH_DISARMED = 4, /* slots are restored and timers deleted; our signal's handler stays
                          * until no thread has one pending */
};

struct attach_order {
    uint64_t magic;    /* ATTACH_ORDER_MAGIC in every libprof.so that knows this format */
    uint32_t size;     /* of this structure, in bytes */
    uint32_t attached; /* 1: injected; the constructor arms. 0: preloaded */
    uint64_t image;    /* a number that equal files have in common, and others hardly */
    char environment[ATTACH_ENVIRONMENT_MAX];
    /* from here on written by the library */
    uint32_t state;    /* enum attach_state */
    uint16_t reported; /* 1: a collector has the ledger */
    uint16_t pending;  /* 1: threads that were created have yet to start, in the library */
    uint64_t slots;    /* slots that were changed */
    uint64_t threads;  /* threads that were given a CPU timer */
    uint64_t signal;   /* the signal that is ours, while armed or disarmed; 0 = none */
    uint64_t detach;   /* address of the function that detaches, called for each of the two
                        * steps: void (*)(void) */
    uint64_t arm;      /* of the one that arms again, with a new first part: void (*)(void) */
    char reason[256];  /* one line without newline; "" = none */
};

_Static_assert(sizeof(struct attach_order) == 8192, "wire format; whole pages in libprof.so");

/* Is this an order, whose magic number was found? size: bytes from here on. */
static inline int attach_order_is(const struct attach_order *order, uint64_t size)
{
    return size >= sizeof *order && order->magic == ATTACH_ORDER_MAGIC &&
           order->size == sizeof *order;
}

/* The library's own. */
extern struct attach_order attach_order __attribute__((visibility("hidden")));

/* Was the library injected into a running program? */
static inline int attach_is_injected(void)
{
    return attach_order.attached != 0;
}

/* The variables of the order as an environment: ended by NULL, valid until the next call.
 * Constructor only. */
char **attach_environment(void);

#endif
