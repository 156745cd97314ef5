/* The socket's protocol: any bytes, in pieces. */
#include "serve/frame.h"

static bool take(void *context, enum handover_type type, const unsigned char *body, size_t length,
                 const char **why)
{
    *(unsigned *)context += body[length] + (unsigned)type; /* the NUL behind it is ours to read */
    *why = "tired";
    return length != 77;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct frame_reader reader = {.have = 0};
    const char *why = NULL;
    unsigned sum = 0;
    size_t piece = size ? data[0] % 64u + 1 : 1;
    for (size_t at = 0; at < size; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        if (!frame_reader_feed(&reader, data + at, n, take, &sum, &why))
            break;
    }
    frame_reader_free(&reader);
    return 0;
}
