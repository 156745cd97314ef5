#include "unwind/self.h"
#include "unwind/unwind.h"

uintptr_t self_low, self_size;

void unwind_set_self(uintptr_t low, uintptr_t high)
{
    self_low = low;
    self_size = high - low;
}
