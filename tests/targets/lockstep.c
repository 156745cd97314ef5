/* Two call sites in turn: 32767 and 32769 bytes, 64 KiB a turn. */
#include <stdlib.h>

static void *volatile sink;

int main(void)
{
    for (int n = 0; n < 4000; n++) {
        sink = malloc(32767);
        free(sink);
        sink = malloc(32769);
        free(sink);
    }
    return 0;
}
