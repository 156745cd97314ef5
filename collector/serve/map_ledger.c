#include "serve/map_ledger.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Largest ledger taken: LIBPROF_MAX_MEMORY=64g in exact mode. Address space only. */
#define LEDGER_SIZE_MAX (UINT64_C(1) << 40)

static const char *check_file(int fd, uint64_t claimed)
{
    struct stat info;
    int seals = fcntl(fd, F_GET_SEALS);
    /* Without the seal the sender could shrink it and end us by SIGBUS. */
    if (seals < 0 || !(seals & F_SEAL_SHRINK))
        return "the ledger is not a sealed memfd";
    if (fstat(fd, &info) < 0 || (uint64_t)info.st_size != claimed)
        return "the ledger's size is not what was said";
    if (claimed < sizeof(struct ledger_header) || claimed > LEDGER_SIZE_MAX)
        return "the ledger's size is out of range";
    return NULL;
}

const char *map_ledger(int fd, uint64_t claimed, struct mapped_ledger *mapped)
{
    *mapped = (struct mapped_ledger){0};
    const char *wrong = check_file(fd, claimed);
    if (wrong)
        return wrong;
    void *page = mmap(NULL, sizeof *mapped->control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    mapped->control = page == MAP_FAILED ? NULL : page;
    void *base = mmap(NULL, claimed, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (base == MAP_FAILED)
        return "the ledger can't be mapped";
    wrong = ledger_view_open(&mapped->view, base, claimed);
    if (wrong) {
        munmap(base, claimed);
        return wrong;
    }
    madvise(base, claimed, MADV_DONTDUMP);
    mapped->base = base;
    mapped->size = claimed;
    return NULL;
}

void unmap_ledger(struct mapped_ledger *mapped)
{
    if (mapped->base)
        munmap(mapped->base, mapped->size);
    if (mapped->control)
        munmap(mapped->control, sizeof *mapped->control);
    *mapped = (struct mapped_ledger){0};
}
