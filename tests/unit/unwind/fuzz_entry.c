/*
 * libFuzzer's and AFL's way in:
 *
 *   clang -fsanitize=fuzzer,address -D_GNU_SOURCE -I preload tests/unit/unwind/fuzz*.c
 * preload/unwind/[a-z]*.c
 */
#include "fuzz.h"

#include "unwind/unwind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int ready;
    if (!ready++)
        unwind_init(UNWIND_CFI);
    if (size > 0 && data[0] & 1)
        fuzz_tables(data + 1, size - 1);
    else if (size > 0)
        fuzz_walk(data + 1, size - 1);
    return 0;
}
