/* The reader of profiles in all its forms; what it accepts must be writable. */
#include "profile/profile_io.h"
#include "profile/profile_ops.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct error err;
    struct profile *profile = profile_read_memory(data, size, &err);
    if (!profile)
        return 0;
    if (!profile_check(profile, &err))
        abort();
    struct profile *merged = profile_merge(&profile, 1, &err);
    unsigned char *bytes;
    size_t length;
    if (merged && profile_encode(merged, false, &bytes, &length, &err))
        free(bytes);
    profile_free(merged);
    profile_free(profile);
    return 0;
}
