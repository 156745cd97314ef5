/*
 * Making and dropping the ledger: sizes of the sections, the memfd, the header.
 */
#include "kit/sys.h"
#include "kit/ticks.h"
#include "ledger/index.h"
#include "ledger/ledger.h"
#include "ledger/memory.h"
#include "ledger/recent.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define PAGE UINT64_C(4096)

/* How LIBPROF_MAX_MEMORY is divided, in bytes of it for each entry. 64 MiB give
 * 262,144 sites, 32 MiB of stacks, 16,384 threads; 4 GiB give 64 times as much.
 * Sections are address space: only what is used takes memory, up to the cap. */
#define BYTES_PER_SITE 256
#define BYTES_PER_THREAD 4096

static uint64_t page_up(uint64_t n)
{
    return (n + PAGE - 1) & ~(PAGE - 1);
}

/* Lays the sections out behind the header page; returns the file's size. */
static uint64_t layout_sections(struct ledger_section *sections, uint64_t max_memory,
                                uint64_t trace_memory, unsigned planes)
{
    uint64_t sites = max_memory / BYTES_PER_SITE;
    uint64_t sizes[LEDGER_SECTIONS] = {
        [LEDGER_SITES] = sites * sizeof(struct ledger_site),
        [LEDGER_SITE_INDEX] = index_size(sites),
        [LEDGER_STACKS] = max_memory / 2,
        [LEDGER_STACK_INDEX] = index_size(sites / 2),
        [LEDGER_MODULES] = LEDGER_MODULES_MAX * sizeof(struct ledger_module),
        [LEDGER_THREADS] = max_memory / BYTES_PER_THREAD * sizeof(struct ledger_thread),
        [LEDGER_STRINGS] = 4 << 20,
        [LEDGER_TRACE] = trace_memory < max_memory / 4 ? trace_memory : max_memory / 4,
    };
    for (unsigned plane = 0; plane < planes; plane++)
        sizes[LEDGER_COUNTERS + plane] = sites * sizeof(struct ledger_counter);
    /* Entry 0 of the numbered tables means "none"; no reference is 0. */
    static const uint8_t first[LEDGER_SECTIONS] = {
        [LEDGER_SITES] = sizeof(struct ledger_site),
        [LEDGER_STACKS] = sizeof(struct ledger_stack),
        [LEDGER_MODULES] = sizeof(struct ledger_module),
        [LEDGER_THREADS] = sizeof(struct ledger_thread),
        [LEDGER_STRINGS] = 8,
    };
    uint64_t offset = page_up(sizeof(struct ledger_header));
    for (unsigned n = 0; n < LEDGER_SECTIONS; n++) {
        sections[n].offset = offset;
        sections[n].size = page_up(sizes[n]);
        sections[n].used = first[n];
        offset += sections[n].size;
    }
    return offset;
}

/* RLIMIT_AS counts sections in full, however little of them is used: under it they
 * get this part of what it allows, and the program keeps the rest. */
#define ADDRESS_SPACE_SHARE 16
#define MEMORY_LEAST (UINT64_C(1) << 20)

static uint64_t allowed_address_space(void)
{
    struct rlimit limit = {0};
    if (sys_call4(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur / ADDRESS_SPACE_SHARE;
}

/* Does the limit on file sizes let a file of `size` be made? ftruncate past it
 * would raise SIGXFSZ in the program. */
static bool file_size_allowed(uint64_t size)
{
    struct rlimit limit = {0};
    if (sys_call4(SYS_prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) < 0)
        return false;
    return limit.rlim_cur >= size;
}

static void *map_file(uint64_t size, unsigned asked_by, int *fd)
{
    char name[] = LEDGER_NAME "00";
    *fd = -1;
    if (!file_size_allowed(size))
        return NULL;
    name[sizeof name - 3] += (char)(asked_by / 10);
    name[sizeof name - 2] += (char)(asked_by % 10);
    long file = sys_call2(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0)
        return NULL;
    void *memory = NULL;
    if (sys_call2(SYS_ftruncate, file, size) == 0) {
        sys_call3(SYS_fcntl, file, 1033 /* F_ADD_SEALS */, 0x2 | 0x4 /* F_SEAL_SHRINK|GROW */);
        memory = (void *)sys_call6(SYS_mmap, 0, (long)size, PROT_NONE, MAP_SHARED | MAP_NORESERVE,
                                   file, 0);
    }
    if (!memory || sys_is_error(memory) ||
        sys_call3(SYS_mprotect, memory, PAGE, PROT_READ | PROT_WRITE) < 0) { /* the header */
        sys_call1(SYS_close, file);
        return NULL;
    }
    *fd = (int)file;
    return memory;
}

/* Lays out and maps; where there is no room for as much as was asked, less. */
static struct ledger_header *map_sections(struct ledger_section *sections, unsigned planes,
                                          uint64_t trace_memory, unsigned asked_by,
                                          uint64_t *max_memory, uint64_t *size, int *fd)
{
    uint64_t allowed = allowed_address_space();
    for (;; *max_memory /= 2) {
        struct ledger_header *header = NULL;
        bool least = *max_memory <= MEMORY_LEAST;
        *size = layout_sections(sections, *max_memory, trace_memory, planes);
        if (*size <= allowed || least)
            header = map_file(*size, asked_by, fd);
        if (!header && (*size <= allowed || least))
            header = sys_map_private(*size);
        if (header || least)
            return header;
    }
}

static void fill_header(struct ledger_header *header, const struct ledger_settings *settings,
                        unsigned planes, uint64_t size)
{
    header->version = LEDGER_VERSION;
    header->planes = planes;
    header->size = size;
    header->pid = (uint32_t)sys_getpid();
    header->ppid = (uint32_t)sys_call0(SYS_getppid);
    header->start_ns = sys_clock_ns(CLOCK_REALTIME);
    header->start_mono_ns = sys_clock_ns(CLOCK_MONOTONIC);
    header->start_ticks = ticks_now();
    header->trace_capacity = header->sections[LEDGER_TRACE].size / sizeof(struct ledger_trace);
    header->trace_armed = settings->trace_armed;
    header->heap_rate = settings->heap_rate;
    header->cpu_period_ns = settings->cpu_period_ns;
    header->block_rate_ns = settings->block_rate_ns;
    header->mutex_fraction = settings->mutex_fraction;
    header->own_malloc = settings->own_malloc;
    header->linked_functions = settings->linked_functions;
    header->asked_by = settings->asked_by;
    header->heap_peak_epoch = 1; /* a counter's epoch of 0 is older than any */
}

static uint32_t enter_string(const char *text)
{
    return text ? ledger_string(text, strlen(text)) : 0;
}

bool ledger_create(const struct ledger_settings *settings, int *fd)
{
    unsigned planes = settings->planes;
    if (planes < 1)
        planes = 1;
    if (planes > LEDGER_PLANES_MAX)
        planes = LEDGER_PLANES_MAX;
    struct ledger_section sections[LEDGER_SECTIONS] = {0};
    uint64_t max_memory = settings->max_memory, size;
    struct ledger_header *header = map_sections(sections, planes, settings->trace_memory,
                                                settings->asked_by, &max_memory, &size, fd);
    if (!header)
        return false;
    /* In a core dump it would be a second heap (core(5), madvise(2)). */
    sys_call3(SYS_madvise, header, size, MADV_DONTDUMP);
    for (unsigned n = 0; n < LEDGER_SECTIONS; n++)
        header->sections[n] = sections[n];
    fill_header(header, settings, planes, size);
    if (settings->heap_rate == 1)
        recent_forget();
    header->max_memory = max_memory;
    /* readers find a filled header: other threads use it from here on */
    __atomic_store_n(&ledger, header, __ATOMIC_RELEASE);
    header->exe = enter_string(settings->exe);
    header->program = enter_string(settings->program);
    header->dir = enter_string(settings->dir);
    if (settings->cmdline)
        header->cmdline = ledger_string(settings->cmdline, settings->cmdline_size);
    atomic_store_explicit(&header->magic, LEDGER_MAGIC, memory_order_release);
    module_set_sink(ledger_module);
    return true;
}

void ledger_drop(void)
{
    struct ledger_header *old = ledger;
    if (!old)
        return;
    module_set_sink(NULL);
    ledger = NULL;
    if (!sys_forbidden())
        memory_unmap(old);
}
