#include "runtime/optional.h"
#include "runtime/object.h"

#include <string.h>

void *optional_function(const char *name)
{
    char names[OBJECT_LITERAL_MAX + 1] = {0}; /* an empty name ends the list */
    void *found = NULL;
    if (strlen(name) < OBJECT_LITERAL_MAX) {
        memcpy(names, name, strlen(name));
        object_first_definitions(names, &found);
    }
    return found;
}

const char *optional_single_threaded(void)
{
    static const char never = 0;
    const char *found = optional_function("__libc_single_threaded");
    return found ? found : &never;
}
