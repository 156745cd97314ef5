#include "export/link_address.h"

uint64_t link_address_find_bias(const struct profile_mapping *m)
{
    /* The kernel puts position independent programs far above this. */
    if (m->start <= UINT32_MAX)
        return 0;
    return m->offset - m->start;
}
