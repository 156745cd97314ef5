/*
 * The constructor: the point from which libprof is at work also in a program
 * that allocates nothing. Allocation hooks may have started the recorder before,
 * from another library's constructor.
 */
#include "hooks/rebind.h"
#include "sample/recorder.h"

__attribute__((constructor)) static void libprof_init(void)
{
    if (recorder_active())
        rebind_allocator();
}
