/* Allocates and frees by what RTLD_DEEPBIND binds it to: libc itself. */
#include <stdlib.h>

__attribute__((visibility("default"))) void *plugin_make(size_t size);
__attribute__((visibility("default"))) void plugin_drop(void *block);

void *plugin_make(size_t size)
{
    return malloc(size);
}

void plugin_drop(void *block)
{
    free(block);
}
