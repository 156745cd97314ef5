#include "sample/core/thread.h"

_Thread_local struct thread_state thread_self = {.heap_left = -1};
