#include "sample/core/recorder.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "runtime/config.h"
#include "runtime/log.h"
#include "runtime/program.h"
#include "runtime/real.h"
#include "runtime/relocated.h"
#include "sample/core/handler.h"
#include "sample/core/scratch.h"
#include "sample/cpu/cpu.h"
#include "sample/heap/heap.h"
#include "sample/locks/contention.h"
#include "unwind/unwind.h"
#include "wire/attach_order.h"
#include "wire/handover.h"

#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

static struct recorder_page first_page;
struct recorder_page *_Atomic recorder_page;

_Atomic(uint32_t) recorder_epoch_now; /* copied by fork: a child counts on from its parent */
static unsigned planes = LEDGER_PLANES_MAX;
static bool resolved;   /* `real` is filled; so it is in children */
static bool configured; /* `config` is, too */
static bool restarted;  /* this start is recorder_restart's, not a forked child's */

void (*recorder_tick_hook)(void);

void recorder_set_tick(void (*tick)(void))
{
    recorder_tick_hook = tick;
}

unsigned recorder_planes(void)
{
    return planes;
}

static bool page_is_wiped; /* the kernel (4.14) does it; else recorder_after_fork does */

/* The page that fork wipes. */
static void map_page(void)
{
    if (recorder_page != &first_page)
        return;
    struct recorder_page *page = mappings_map(4096);
    if (!page)
        return;
    page_is_wiped = sys_call3(SYS_madvise, page, 4096, MADV_WIPEONFORK) == 0;
    page->phase = RECORDER_STARTING;
    recorder_page = page;
}

void recorder_after_fork(void)
{
    if (page_is_wiped || !recorder_page)
        return;
    atomic_store(&recorder_page->ledger_state, 0);
    if (recorder_phase() == RECORDER_ACTIVE)
        atomic_store(&recorder_page->phase, RECORDER_NEW);
    heap_forget();
}

void recorder_stop(void)
{
    atomic_store(&recorder_page->phase, RECORDER_INERT);
    heap_start(false);
    contention_start(false);
}

void recorder_restart(void)
{
    configured = false;
    restarted = true;
    planes = LEDGER_PLANES_MAX;
    heap_forget();
    atomic_store(&recorder_page->ledger_state, 0);
    atomic_store(&recorder_page->phase, RECORDER_NEW);
}

static unsigned processors(void)
{
    uint64_t mask[16] = {0}; /* sched_setaffinity(2): 1024 processors */
    unsigned count = 0;
    sys_call3(SYS_sched_getaffinity, 0, sizeof mask, mask);
    for (unsigned n = 0; n < sizeof mask / sizeof *mask; n++)
        for (uint64_t bits = mask[n]; bits; bits &= bits - 1)
            count++;
    return count ? count : 1;
}

static void complain(const char *line)
{
    /* the log level is the first thing that config_init settles */
    log_init((enum log_level)config.log);
    log_line(LOG_WARN, "%s", line);
}

/* Does valgrind run the program? It preloads a library of its own. */
static bool is_under_valgrind(void)
{
    for (char **variable = environ; *variable; variable++)
        if (strncmp(*variable, "LD_PRELOAD=", 11) == 0)
            return strstr(*variable, "/vgpreload_") != NULL;
    return false;
}

/* First start in this memory image. False: too early, libc has no environment yet. */
static bool configure(void)
{
    if (configured)
        return true;
    if (!environ)
        return false;
    /* setuid and the like: inert (ld.so(8)); who could inject could do anything */
    if (attach_is_injected() || !getauxval(AT_SECURE))
        config_init(attach_is_injected() ? attach_environment() : environ, program_path,
                    (const char *)getauxval(AT_EXECFN), complain);
    if (config.selected) {
        log_init((enum log_level)config.log);
        /* Where a signal's frame would be the first in its page of the main stack, valgrind
         * (3.19) ends the program instead: with a timer that is a matter of time. */
        if (config.cpu_hz && is_under_valgrind()) {
            config.cpu_hz = 0;
            log_line(LOG_VERBOSE, "under valgrind: no CPU profile");
        }
        unwind_init((enum unwind_engine)config.unwinder);
        /* Exact mode is for measuring and gets every plane. Otherwise events are
         * rare, and planes cost memory: one for each processor and a shared one. */
        unsigned wanted = processors() + 1;
        if (config.heap_rate != 1 && wanted < planes)
            planes = wanted;
    }
    configured = true;
    return true;
}

/* A fork's child follows its parent unless it was told not to. */
static bool follows(bool child)
{
    return config.selected &&
           (!child || config.follow == CONFIG_FOLLOW_ALL || config.follow == CONFIG_FOLLOW_FORK);
}

bool recorder_start(void)
{
    struct recorder_page *none = NULL;
    if (!is_relocated())
        return false;
    atomic_compare_exchange_strong(&recorder_page, &none, &first_page);
    struct recorder_page *page = recorder_page;
    uint32_t expected = RECORDER_NEW;
    if (!atomic_compare_exchange_strong(&page->phase, &expected, RECORDER_STARTING))
        return false; /* what is done below came back to us, or another thread is at it */
    if (!resolved) {
        real_resolve();
        resolved = true;
    }
    if (!configure()) {
        atomic_store(&page->phase, RECORDER_NEW);
        return false;
    }
    bool again = recorder_epoch_now > 0, child = again && !restarted;
    restarted = false;
    uint32_t phase = RECORDER_INERT;
    /* A sandbox's child can't be given tables of its own. */
    if (follows(child) && !handler_sealed()) {
        if (again) {
            ledger_drop(); /* a forked child's view of its parent's */
            unwind_after_fork_child();
            scratch_reset();
        }
        map_page();
        atomic_fetch_add(&recorder_epoch_now, 1);
        phase = RECORDER_ACTIVE;
    }
    heap_start(phase == RECORDER_ACTIVE);
    contention_start(phase == RECORDER_ACTIVE);
    handler_start(phase == RECORDER_ACTIVE);
    cpu_start(phase == RECORDER_ACTIVE);
    atomic_store_explicit(&recorder_page->phase, phase, memory_order_release);
    return phase == RECORDER_ACTIVE;
}

/* The arguments, each with its NUL, as far as they fit. Not a problem without /proc. */
static size_t read_cmdline(char *buffer, size_t size)
{
    long file = sys_call4(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    if (file < 0)
        return 0;
    long length = sys_call3(SYS_read, file, buffer, size);
    sys_call1(SYS_close, file);
    return length > 0 ? (size_t)length : 0;
}

bool recorder_ledger_slow(void)
{
    uint32_t expected = 0;
    if (handler_sealed())
        return false;
    if (!atomic_compare_exchange_strong(&recorder_page->ledger_state, &expected, 1))
        return expected == 2;
    char cmdline[1024];
    struct ledger_settings settings = {
        .max_memory = config.max_memory,
        .heap_rate = config.heap_rate,
        .cpu_period_ns = config.cpu_hz ? 1000000000 / config.cpu_hz : 0,
        .block_rate_ns = config.block_rate_ns,
        .mutex_fraction = config.mutex_fraction,
        .planes = planes,
        .own_malloc = heap_own_malloc,
        .asked_by = (unsigned)handler_signal,
        .dir = config.dir,
        .exe = program_path(),
        .program = program_name(),
        .cmdline = cmdline,
        .cmdline_size = read_cmdline(cmdline, sizeof cmdline),
    };
    int file = -1;
    unwind_set_program(settings.exe);
    bool made = ledger_create(&settings, &file);
    if (made && file >= 0 && attach_is_injected())
        sys_call2(SYS_getpriority, ATTACH_FETCH_LEDGER, file);
    if (made && config.socket[0]) {
        bool reported = handover_ledger(file, ledger->size, settings.exe);
        if (attach_is_injected())
            attach_order.reported = reported;
        if (!reported)
            log_line(LOG_VERBOSE, "no collector at %s", config.socket);
    }
    if (file >= 0)
        sys_call1(SYS_close, file);
    if (!made)
        log_line(LOG_WARN, "no memory for the profile tables: nothing is recorded");
    atomic_store_explicit(&recorder_page->ledger_state, made ? 2 : 3, memory_order_release);
    return made;
}

bool recorder_in_vfork_child_slow(void)
{
    if (handler_sealed() || (uint32_t)sys_gettid() != thread_self.tid)
        return true;             /* under a filter nobody can say: as if it did */
    thread_self.vforked = false; /* the parent runs again: its child has execed or ended */
    return false;
}
