#include "sample/core/gate.h"
#include "kit/mappings.h"
#include "kit/sys.h"
#include "runtime/relocated.h"

#include <sys/mman.h>

static struct gate_page first_page;
struct gate_page *_Atomic gate_page;

_Atomic(uint32_t) gate_epoch_now; /* copied by fork: a child counts on from its parent */
static bool page_is_wiped;

void (*gate_tick_hook)(void);

void gate_set_tick(void (*tick)(void))
{
    gate_tick_hook = tick;
}

bool gate_start(void)
{
    struct gate_page *none = NULL;
    if (!is_relocated()) /* gate_slow's pointers are not right yet either */
        return false;
    atomic_compare_exchange_strong(&gate_page, &none, &first_page);
    uint32_t expected = GATE_NEW;
    if (!atomic_compare_exchange_strong(&gate_page->phase, &expected, GATE_STARTING))
        return false; /* the start itself came back here, or another thread is starting */
    return gate_slow.start();
}

void gate_map_page(void)
{
    if (gate_page != &first_page)
        return;
    struct gate_page *page = mappings_map(4096);
    if (!page)
        return;
    page_is_wiped = sys_call3(SYS_madvise, page, 4096, MADV_WIPEONFORK) == 0;
    page->phase = GATE_STARTING;
    gate_page = page;
}

bool gate_page_is_wiped(void)
{
    return page_is_wiped;
}

void gate_reset(uint32_t phase)
{
    atomic_store(&gate_page->ledger_state, 0);
    atomic_store(&gate_page->phase, phase);
}

bool gate_ledger_slow(void)
{
    uint32_t expected = 0;
    if (sys_forbidden())
        return false;
    if (!atomic_compare_exchange_strong(&gate_page->ledger_state, &expected, 1))
        return expected == 2;
    bool made = gate_slow.make_ledger();
    atomic_store_explicit(&gate_page->ledger_state, made ? 2 : 3, memory_order_release);
    return made;
}

bool gate_thread_setup(void)
{
    return !sys_forbidden() && gate_slow.set_up_thread();
}

bool gate_in_vfork_child_slow(void)
{
    if (sys_forbidden() || (uint32_t)sys_gettid() != thread_self.tid)
        return true;             /* under a filter nobody can say: as if it did */
    thread_self.vforked = false; /* the parent runs again: its child has execed or ended */
    return false;
}
