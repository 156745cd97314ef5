#include "wire/attach_order.h"
#include "kit/sections.h"

#include <stddef.h>
#include <string.h>

#define VARIABLES_MAX 64 /* more than there are LIBPROF_ variables */

/* It has to lie in the file: in pages of its own, which no preloaded program writes to. */
struct attach_order attach_order __attribute__((section(".data.!order"), aligned(4096))) = {
    .magic = ATTACH_ORDER_MAGIC,
    .size = sizeof(struct attach_order),
};

char **attach_environment(void)
{
    static COLD_TABLE char *variables[VARIABLES_MAX + 1];
    size_t n = 0;
    for (char *at = attach_order.environment; *at && n < VARIABLES_MAX; at += strlen(at) + 1)
        variables[n++] = at;
    variables[n] = NULL;
    return variables;
}
