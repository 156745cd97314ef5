#include "memory/resident.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "memory/owners.h"
#include "profile/unit.h"

#define UNKNOWN_SHOWN 5
/* glibc maps blocks from here on by themselves (M_MMAP_THRESHOLD, mallopt(3)); it rises with use.
 */
#define LARGE_BLOCK (128 << 10)

/* What a heap profile says of the blocks in use. */
struct in_use {
    int64_t bytes, large; /* large: in blocks that glibc may have mapped by themselves */
    bool is_estimate;
};

static struct in_use read_heap(const struct profile *heap)
{
    struct in_use in_use = {0};
    size_t type = 0;
    while (type < heap->n_sample_types && strcmp(heap->sample_types[type].type, "inuse_space") != 0)
        type++;
    if (type == heap->n_sample_types)
        return in_use;
    for (size_t n = 0; n < heap->n_samples; n++) {
        const struct profile_label *size = profile_find_label(heap->samples[n], "bytes");
        in_use.bytes += heap->samples[n]->values[type];
        if (size && size->num >= LARGE_BLOCK)
            in_use.large += heap->samples[n]->values[type];
    }
    in_use.is_estimate = heap->period > 1;
    return in_use;
}

static char *bytes_text(char text[UNIT_TEXT], uint64_t bytes)
{
    return unit_format(text, (int64_t)bytes, "bytes", "auto");
}

static void print_row(FILE *out, uint64_t resident, uint64_t swapped, uint64_t total,
                      const char *owner, size_t mappings)
{
    char a[UNIT_TEXT], b[UNIT_TEXT], share[UNIT_TEXT];
    fprintf(out, "%10s %10s %7s  %s", bytes_text(a, resident),
            swapped ? bytes_text(b, swapped) : "",
            unit_percent(share, (int64_t)resident, (int64_t)total), owner);
    if (mappings > 1)
        fprintf(out, " (%zu mappings)", mappings);
    fputc('\n', out);
}

/* Blocks that malloc mapped by themselves are anonymous memory like any other: the heap profile
 * says how much there is. */
static uint64_t take_large_blocks(struct owners *owners, const struct in_use *in_use)
{
    for (size_t n = 0; n < owners->n; n++) {
        struct owner *owner = &owners->list[n];
        bool anonymous = owner->kind == OWNER_UNKNOWN || owner->kind == OWNER_RUNTIME;
        if (!anonymous || strcmp(owners->allocator, "glibc") != 0)
            continue;
        uint64_t large = in_use->large > 0 ? (uint64_t)in_use->large : 0;
        large = large < owner->resident ? large : owner->resident;
        owner->resident -= large;
        return large;
    }
    return 0;
}

static void print_heap(FILE *out, const struct in_use *in_use, uint64_t held)
{
    char a[UNIT_TEXT], b[UNIT_TEXT];
    uint64_t used = in_use->bytes > 0 ? (uint64_t)in_use->bytes : 0;
    fprintf(out,
            "\nmalloc holds %s: %s%s in use by the heap profile, %s free, cached or lost between "
            "blocks\n",
            bytes_text(a, held), in_use->is_estimate ? "~" : "",
            unit_format(b, (int64_t)used, "bytes", "auto"),
            held > used ? unit_format((char[UNIT_TEXT]){0}, (int64_t)(held - used), "bytes", "auto")
                        : "nothing");
}

struct place {
    size_t region;
    uint64_t resident;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->resident < y->resident) - (x->resident > y->resident);
}

/* The largest mappings that nobody owns. */
static void print_unknown(FILE *out, const struct regions *regions, const enum owner_kind *kinds)
{
    struct place *places = mem_zero(regions->n + 1, sizeof *places);
    size_t n = 0;
    for (size_t i = 0; i < regions->n; i++)
        if (kinds[i] == OWNER_UNKNOWN && regions->list[i].resident)
            places[n++] = (struct place){i, regions->list[i].resident};
    if (n)
        qsort(places, n, sizeof *places, compare_places);
    if (n)
        fputs("\nThe largest mappings without a known owner\n", out);
    for (size_t i = 0; i < n && i < UNKNOWN_SHOWN; i++) {
        const struct region *region = &regions->list[places[i].region];
        char a[UNIT_TEXT], b[UNIT_TEXT];
        fprintf(out, "%10s of %10s  %llx-%llx %s\n", bytes_text(a, region->resident),
                bytes_text(b, region->limit - region->start), (unsigned long long)region->start,
                (unsigned long long)region->limit, region->permissions);
    }
    free(places);
}

static void print_heading(pid_t pid, FILE *out, const struct regions *regions, uint64_t total,
                          uint64_t swapped, uint64_t unknown)
{
    char a[UNIT_TEXT], b[UNIT_TEXT], c[UNIT_TEXT], share[UNIT_TEXT];
    fprintf(out, "%d: %s resident, %s at most; %s swapped out; page tables %s\n", (int)pid,
            bytes_text(a, total), bytes_text(b, regions->peak), bytes_text(c, swapped),
            unit_format((char[UNIT_TEXT]){0}, (int64_t)regions->page_tables, "bytes", "auto"));
    fprintf(out, "explained: %s\n\n%10s %10s %7s  %s\n",
            unit_percent(share, (int64_t)(total - unknown), (int64_t)total), "resident", "swapped",
            "share", "owner");
}

bool resident_print(pid_t pid, const struct profile *heap, FILE *out, struct error *err)
{
    struct regions regions;
    struct owners owners;
    enum owner_kind *kinds;
    if (!regions_read(pid, &regions, err))
        return false;
    owners_find(pid, &regions, &owners, &kinds);
    struct in_use in_use = heap ? read_heap(heap) : (struct in_use){0};
    uint64_t large = heap ? take_large_blocks(&owners, &in_use) : 0;
    uint64_t total = large, swapped = 0, unknown = 0, held = large;
    for (size_t n = 0; n < owners.n; n++) {
        total += owners.list[n].resident;
        swapped += owners.list[n].swapped;
        unknown += owners.list[n].kind == OWNER_UNKNOWN ? owners.list[n].resident : 0;
        held += owners.list[n].kind == OWNER_MALLOC ? owners.list[n].resident : 0;
    }
    print_heading(pid, out, &regions, total, swapped, unknown);
    if (large)
        print_row(out, large, 0, total, "malloc (glibc), large blocks mapped by themselves", 1);
    for (size_t n = 0; n < owners.n; n++) {
        const struct owner *owner = &owners.list[n];
        /* without a heap profile malloc's large blocks cannot be told from a runtime's memory */
        bool mixed = owner->kind == OWNER_RUNTIME && !heap;
        char *name = mem_printf("%s%s", owner->name, mixed ? ", or large blocks of malloc" : "");
        if (owner->resident || owner->swapped)
            print_row(out, owner->resident, owner->swapped, total, name, owner->mappings);
        free(name);
    }
    if (heap && held)
        print_heap(out, &in_use, held);
    print_unknown(out, &regions, kinds);
    free(kinds);
    owners_free(&owners);
    regions_free(&regions);
    return true;
}
