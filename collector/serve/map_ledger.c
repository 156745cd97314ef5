#include "serve/map_ledger.h"

#include "base/peek.h"

#include <fcntl.h>
#include <string.h>
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

static bool copy_bytes(const struct mapped_ledger *mapped, uint64_t offset, uint64_t size)
{
    return peek(mapped->copied_from, mapped->copied_at + offset, (char *)mapped->base + offset,
                size);
}

/* What of a section is in memory and read by anybody: not the indices. */
static uint64_t section_bytes(const struct ledger_header *header, unsigned n)
{
    if (n == LEDGER_SITE_INDEX || n == LEDGER_STACK_INDEX)
        return 0;
    uint64_t used = atomic_load(&header->sections[n].used);
    uint64_t reserved = atomic_load(&header->sections[n].reserved);
    return n >= LEDGER_TRACE || used > reserved ? reserved : used;
}

bool refresh_ledger(struct mapped_ledger *mapped)
{
    struct ledger_header header;
    if (!peek(mapped->copied_from, mapped->copied_at, &header, sizeof header))
        return false;
    /* Entries are published by the header: those that it has lie in what is copied after it. */
    bool good = true;
    for (unsigned n = 0; n < LEDGER_SECTIONS && good; n++) {
        uint64_t bytes = section_bytes(&header, n);
        uint64_t limit = mapped->view.sections[n].size;
        good = copy_bytes(mapped, mapped->view.sections[n].offset, bytes < limit ? bytes : limit);
    }
    if (good)
        memcpy(mapped->base, &header, sizeof header);
    return good;
}

const char *copy_ledger(pid_t pid, uint64_t address, struct mapped_ledger *mapped)
{
    struct ledger_header header;
    *mapped = (struct mapped_ledger){.copied_from = pid, .copied_at = address};
    if (!peek(pid, address, &header, sizeof header))
        return "its memory may not be read";
    if (header.size < sizeof header || header.size > LEDGER_SIZE_MAX)
        return "the ledger's size is out of range";
    void *base = mmap(NULL, header.size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return "there is no room for a copy of the ledger";
    memcpy(base, &header, sizeof header);
    mapped->base = base;
    mapped->size = header.size;
    const char *wrong = ledger_view_open(&mapped->view, base, header.size);
    if (!wrong && !refresh_ledger(mapped))
        wrong = "its memory may not be read";
    if (wrong)
        unmap_ledger(mapped);
    return wrong;
}

void unmap_ledger(struct mapped_ledger *mapped)
{
    if (mapped->base)
        munmap(mapped->base, mapped->size);
    if (mapped->control)
        munmap(mapped->control, sizeof *mapped->control);
    *mapped = (struct mapped_ledger){0};
}
