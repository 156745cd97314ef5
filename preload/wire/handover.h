/*
 * Reporting to a collector: what is said on the socket named by LIBPROF_SOCKET,
 * and the target's side of it. The collector includes this file for the format.
 *
 * A connection carries frames, a header and `length` bytes each, in the target's
 * byte order, from target to collector only. A collector that is stopped, slow or gone costs the
 * target nothing but the system calls. Connections:
 *
 *   HELLO                      the process starts (or execs): who it is, with the
 *                              ledger's memfd as SCM_RIGHTS where there is one
 *   DUMP                       write what the ledger holds now as a dump
 *   HELLO, FILE DATA* DONE ... a dump in full, where the memory couldn't be passed
 *                              or this collector doesn't have it
 *   VOUCH                      the process is about to exec, as another user than the collector
 *                              and perhaps as an orphan: it is of a family that is known
 *
 * Who the process is the collector takes from SO_PEERCRED, not from the frames.
 *
 * The collector answers in the memory that was passed (struct handover_answer): it has taken the
 * process, or refuses it. Where both are the same user it refuses nobody, and the target doesn't
 * look for an answer that isn't there yet. Otherwise the target waits for it before it leaves
 * its profiles to the collector, HANDOVER_PATIENCE_NS at most, and writes them to its own
 * directory when there is none.
 *
 * Versions: a target that is older than the answer doesn't look at it; a collector that is older
 * takes no notice of VOUCH and of what follows HELLO's path.
 *
 * Context: AS-safe; raw system calls only; the descriptor used lives for the
 * length of one call here (dumps: of the dump).
 */
#ifndef LIBPROF_WIRE_HANDOVER_H
#define LIBPROF_WIRE_HANDOVER_H

#include <stdatomic.h>
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
    HANDOVER_HELLO = 1, /* struct handover_hello, then the program's path; then, perhaps, a NUL
                         * and struct handover_kin */
    HANDOVER_DUMP = 2,  /* struct handover_dump */
    HANDOVER_FILE = 3,  /* the file's name: EXE.PID.SEQ.PROFILE.pb.gz; no slash */
    HANDOVER_DATA = 4,  /* the next bytes of the file */
    HANDOVER_DONE = 5,  /* nothing: the file is complete */
    HANDOVER_ADOPT = 6, /* struct handover_adopt, from prof attach: the hello that follows is
                         * another process's, which can't reach the socket itself */
    HANDOVER_VOUCH = 7, /* struct handover_kin */
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

/* The token of the collector that took this process's parent, or zeros: forked children read it
 * in their parent's memory, which nobody else can. Root's collector knows by it the orphans of
 * its processes that became other users. */
struct handover_kin {
    uint64_t token[2];
};

enum handover_state {
    HANDOVER_UNREAD, /* the collector hasn't come to the hello yet */
    HANDOVER_TAKEN,
    HANDOVER_REFUSED,
    HANDOVER_KEPT, /* the target has waited in vain: it writes its profiles itself */
};

/* Where the collector answers: at the end of the ledger's first page, whatever the ledger's
 * version. The target makes it HANDOVER_KEPT, the collector all else. */
#define HANDOVER_ANSWER_AT 4032
struct handover_answer {
    _Atomic(uint32_t) state;    /* enum handover_state */
    _Atomic(int32_t) collector; /* pid of the one that has the memory, as it sees itself */
    _Atomic(uint64_t) token[2]; /* for the process's children */
};

/* page: the ledger's first. */
static inline struct handover_answer *handover_answer(void *page)
{
    return (struct handover_answer *)((char *)page + HANDOVER_ANSWER_AT);
}

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
_Static_assert(sizeof(struct handover_kin) == 16, "wire format");
_Static_assert(sizeof(struct handover_answer) == 24, "wire format");

/* How long a dump waits for the answer to a hello that the collector hasn't read yet. */
#define HANDOVER_PATIENCE_NS 300000000

/*
 * Says hello on LIBPROF_SOCKET and passes the ledger. memfd: its descriptor,
 * which stays the caller's, or -1; size: its bytes; exe: the program's path.
 * 0, or -errno: no collector there. Called once for each ledger.
 */
int handover_ledger(int memfd, uint64_t size, const char *exe);

/* A forked child reads its parent's token. inherited: the first page of its parent's ledger. */
void handover_inherit(void *inherited);

/* Sends VOUCH if that can be of use. page: as for handover_inherit; NULL: that was called
 * already. Context: also a vfork child. */
void handover_vouch(void *page);

/* Asks the collector that has this process's memory, `page` being its first, to write a dump. */
enum handover_outcome {
    HANDOVER_DONE_THERE, /* it does */
    HANDOVER_ELSEWHERE,  /* no such collector; it may have been replaced: handover_open */
    HANDOVER_NOT_OURS,   /* a collector, but not for us: the directory is left */
};
enum handover_outcome handover_dump(void *page, uint32_t sequence, enum handover_reason reason);

/*
 * A connection for dumps in full, after its HELLO: a descriptor (O_CLOEXEC), or
 * -errno: -EACCES for another user's collector, which might refuse without a word. The caller
 * closes it. Each send waits up to two seconds for a slow
 * collector, and the first that waits in vain is the last: dump context only.
 */
int handover_open(const char *exe);

/* One frame. 0, or -errno; after that the connection is to be closed. */
int handover_send(int fd, enum handover_type type, const void *body, size_t length);

#endif
