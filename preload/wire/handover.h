/*
 * Reporting to a collector: what is said on the socket named by LIBPROF_SOCKET,
 * and the target's side of it. The collector includes this file for the format.
 *
 * A connection carries frames, a header and `length` bytes each, in the target's
 * byte order, from target to collector only. The target never waits for an
 * answer: a collector that is stopped, slow or gone costs it nothing but the
 * system calls. Connections:
 *
 *   HELLO                      the process starts (or execs): who it is, with the
 *                              ledger's memfd as SCM_RIGHTS where there is one
 *   DUMP                       write what the ledger holds now as a dump
 *   HELLO, FILE DATA* DONE ... a dump in full, where the memory couldn't be passed
 *                              or this collector doesn't have it
 *
 * Who the process is the collector takes from SO_PEERCRED, not from the frames.
 *
 * Context: AS-safe; raw system calls only; the descriptor used lives for the
 * length of one call here (dumps: of the dump).
 */
#ifndef LIBPROF_WIRE_HANDOVER_H
#define LIBPROF_WIRE_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDOVER_MAGIC 0x48465250u /* "PRFH" */
#define HANDOVER_VERSION 1

/*
 * How the process is asked for something from outside: by the signal that its ledger names
 * (`asked_by`), queued with one of these values (SI_QUEUE, si_value.sival_ptr). The program's own
 * signals of that number come with other values and stay the program's.
 */
#define HANDOVER_ASK(n) (UINT64_C(0x5052464b53410000) | (n)) /* "PRFKSA" */
enum handover_ask {
    HANDOVER_ASK_NOTHING,
    HANDOVER_ASK_THREADS, /* what stands in ledger->command */
    HANDOVER_ASK_DUMP,    /* a dump to LIBPROF_DIR or the collector */
};

enum handover_type {
    HANDOVER_HELLO = 1, /* struct handover_hello, then the program's path without NUL */
    HANDOVER_DUMP = 2,  /* struct handover_dump */
    HANDOVER_FILE = 3,  /* the file's name: EXE.PID.SEQ.PROFILE.pb.gz; no slash */
    HANDOVER_DATA = 4,  /* the next bytes of the file */
    HANDOVER_DONE = 5,  /* nothing: the file is complete */
    HANDOVER_ADOPT = 6, /* struct handover_adopt, from prof attach: the hello that follows is
                         * another process's, which can't reach the socket itself */
};

/* Longest body of a frame: HELLO's path is at most PATH_MAX; DATA comes in
 * pieces of what deflate's output buffer holds. */
#define HANDOVER_FRAME_MAX 65536u

struct handover_frame {
    uint32_t magic;
    uint16_t version;
    uint16_t type;   /* enum handover_type */
    uint32_t length; /* bytes that follow, up to HANDOVER_FRAME_MAX */
    uint32_t reserved;
};

struct handover_hello {
    uint32_t pid;         /* as the process sees itself */
    uint32_t asked_by;    /* the signal by which it can be asked; 0 = none */
    uint64_t boot_ns;     /* CLOCK_BOOTTIME now: tells a reused pid */
    uint64_t ledger_size; /* bytes of the memfd that comes along; 0 = none comes */
};

/* The signal by which this process can be asked; written before the ledger is made. */
extern int handover_asked_by;

struct handover_adopt {
    uint32_t pid; /* in the collector's namespace */
    uint32_t uid;
};

enum handover_reason {
    HANDOVER_ASKED = 0,  /* a signal, or LIBPROF_INTERVAL */
    HANDOVER_ENDING = 1, /* exit or a fatal signal */
    HANDOVER_EXEC = 2,
};

struct handover_dump {
    uint32_t sequence; /* the dump's number */
    uint32_t reason;   /* enum handover_reason */
    uint64_t now_ns;   /* CLOCK_REALTIME */
};

_Static_assert(sizeof(struct handover_frame) == 16, "wire format");
_Static_assert(sizeof(struct handover_hello) == 24, "wire format");
_Static_assert(sizeof(struct handover_dump) == 16, "wire format");
_Static_assert(sizeof(struct handover_adopt) == 8, "wire format");

/*
 * Says hello on LIBPROF_SOCKET and passes the ledger. memfd: its descriptor,
 * which stays the caller's, or -1; size: its bytes; exe: the program's path.
 * False: no collector there. Called once for each ledger.
 */
bool handover_ledger(int memfd, uint64_t size, const char *exe);

/*
 * Asks the collector that has this process's memory to write dump `sequence`.
 * False: no such collector (it may have been replaced: handover_open then).
 */
bool handover_dump(uint32_t sequence, enum handover_reason reason);

/*
 * A connection for dumps in full, after its HELLO: a descriptor (O_CLOEXEC), or
 * -errno. The caller closes it. Each send waits up to two seconds for a slow
 * collector, and the first that waits in vain is the last: dump context only.
 */
int handover_open(const char *exe);

/* One frame. 0, or -errno; after that the connection is to be closed. */
int handover_send(int fd, enum handover_type type, const void *body, size_t length);

#endif
