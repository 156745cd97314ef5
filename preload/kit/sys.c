#include "kit/sys.h"

_Atomic(bool) sys_calls_forbidden;
