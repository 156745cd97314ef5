#include "ledger/recent.h"
#include "kit/sections.h"
#include "kit/sys.h"

#include <string.h>
#include <sys/mman.h>

COLD_TABLE struct recent_entry recent_entries[RECENT_ENTRIES];

void recent_forget(void)
{
    /* Private memory without a file comes back zeroed (madvise(2)), and takes none. */
    if (sys_call3(SYS_madvise, recent_entries, sizeof recent_entries, MADV_DONTNEED) < 0)
        memset(recent_entries, 0, sizeof recent_entries);
}
