/* A hostile ledger: the reader and the encoder on it. Without the first three
 * fields being right nothing would be read, so they are put there. */
#include "wire/encode.h"
#include "wire/reader.h"
#include <stdlib.h>
#include <string.h>

static bool swallow(struct sink *sink, const void *bytes, size_t length)
{
    return true;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct ledger_view view;
    struct sink sink = {.write = swallow};
    void *copy;
    if (size < sizeof(struct ledger_header) || posix_memalign(&copy, 4096, size))
        return 0;
    memcpy(copy, data, size);
    struct ledger_header *header = copy;
    header->magic = LEDGER_MAGIC;
    header->version = LEDGER_VERSION;
    header->planes = header->planes % LEDGER_PLANES_MAX + 1;
    if (!ledger_view_open(&view, copy, size)) {
        struct dump_request request = {.view = &view, .now_ns = 1, .now_mono_ns = 1};
        dump_present(&view);
        for (int profile = 0; profile < DUMP_PROFILES; profile++) {
            request.profile = (enum dump_profile)profile;
            dump_encode(&request, &sink);
        }
    }
    free(copy);
    return 0;
}
