/* Whose memory a mapping is. */
#ifndef COLLECTOR_MEMORY_OWNERS_H
#define COLLECTOR_MEMORY_OWNERS_H

#include "memory/regions.h"

/* In the order in which a table of equal sizes would show them. */
enum owner_kind {
    OWNER_MALLOC, /* the C library's, or one that replaces it */
    OWNER_RUNTIME,
    OWNER_STACKS,
    OWNER_DATA, /* written parts of the program's and libraries' files */
    OWNER_CODE, /* their code and constants */
    OWNER_FILES,
    OWNER_SHARED,
    OWNER_NAMED, /* anonymous memory with a name (prctl(2), PR_SET_VMA) */
    OWNER_LIBPROF,
    OWNER_KERNEL, /* what the kernel maps: vdso and the like */
    OWNER_UNKNOWN,
};

struct owner {
    enum owner_kind kind;
    char *name; /* for people */
    uint64_t resident, swapped;
    size_t mappings;
};

struct owners {
    struct owner *list; /* the largest first, the unknown last */
    size_t n, cap;
    const char *allocator; /* static: which serves malloc: "glibc", "jemalloc" ... */
};

/* Gives each mapping an owner; *kinds (malloc'ed, regions->n long): which kind each one has. */
void owners_find(pid_t pid, const struct regions *regions, struct owners *owners,
                 enum owner_kind **kinds);
void owners_free(struct owners *owners);

#endif
