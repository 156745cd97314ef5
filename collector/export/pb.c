/* pprof's own format: the profile merged, symbolized and filtered. */
#include <stdlib.h>

#include "export/format.h"
#include "profile/profile_io.h"

bool pb_write(struct writer *out, const struct profile *p, const struct export_options *options,
              struct error *err)
{
    unsigned char *data;
    size_t size;
    if (!profile_encode(p, true, &data, &size, err))
        return false;
    writer_put_bytes(out, data, size);
    free(data);
    return true;
}
