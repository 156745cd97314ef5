/*
 * dlclose: the one loader call that is interposed. What is cached for the
 * addresses of an unloaded library must die with it. dlopen and dlsym are left
 * alone: they search relative to their caller, which a wrapper would become
 * (hazard 38).
 */
#include "hooks/export.h"
#include "runtime/real.h"
#include "sample/core/gate.h"
#include "unwind/module.h"

#include <dlfcn.h>

EXPORT int dlclose(void *handle)
{
    if (!gate_active())
        return real.dlclose(handle);
    module_before_unload();
    int result = real.dlclose(handle);
    module_after_unload();
    return result;
}
