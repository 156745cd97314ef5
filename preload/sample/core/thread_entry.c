#include "sample/core/thread_entry.h"
#include "kit/sys.h"
#include "ledger/ledger.h"
#include "sample/core/gate.h"

#include <string.h>
#include <sys/prctl.h>

static void own_name(char name[LEDGER_THREAD_NAME])
{
    name[0] = '\0';
    if (sys_forbidden())
        return;
    sys_call2(SYS_prctl, PR_GET_NAME, name);
    name[LEDGER_THREAD_NAME - 1] = '\0';
}

uint32_t thread_index(void)
{
    struct thread_state *self = &thread_self;
    if (self->index == 0 && !sys_forbidden()) { /* an entry takes the time of day */
        char name[LEDGER_THREAD_NAME];
        own_name(name);
        self->index = ledger_thread(self->tid, self->creator, name);
    }
    return self->index;
}

void thread_refresh_name(void)
{
    struct ledger_thread *thread = ledger_thread_get(thread_self.index);
    if (!thread || sys_forbidden() || thread_self.epoch != gate_epoch())
        return;
    char name[LEDGER_THREAD_NAME];
    own_name(name);
    memcpy(thread->name, name, sizeof name);
}
