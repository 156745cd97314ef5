/*
 * The constructor: the point from which libprof is at work also in a program
 * that allocates nothing. Allocation hooks may have started the recorder before,
 * from another library's constructor.
 */
#include "dump/dump.h"
#include "hooks/exit.h"
#include "hooks/rebind.h"
#include "hooks/signal.h"
#include "sample/recorder.h"

__attribute__((constructor)) static void libprof_init(void)
{
    if (!recorder_active())
        return;
    rebind_allocator();
    recorder_set_ledger_made(dump_start_interval);
    signal_start();
    exit_start();
}
