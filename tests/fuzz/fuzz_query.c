/* Query strings, numbers and lists of addresses. */
#include "base/mem.h"
#include "serve/query.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char *text = mem_alloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    free(query_value(text, "seconds"));
    char *debug = query_value(text, "debug");
    int64_t number;
    if (debug)
        query_integer(debug, &number);
    free(debug);
    const char *at = text;
    uint64_t address;
    while (query_address(&at, &address))
        ;
    if (at != text + strlen(text))
        abort();
    free(text);
    return 0;
}
