/*
 * A library that a program needs: its constructor runs before libprof's own, and
 * the allocation function that FIRST_CALL names is the first one of the process.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *first_block;
int first_call_done(void);

__attribute__((constructor)) static void first_call(void)
{
    const char *name = getenv("FIRST_CALL");
    if (!name)
        return;
    if (strcmp(name, "malloc") == 0)
        first_block = malloc(777);
    else if (strcmp(name, "calloc") == 0)
        first_block = calloc(7, 111);
    else if (strcmp(name, "realloc") == 0)
        first_block = realloc(NULL, 777);
    else if (strcmp(name, "reallocarray") == 0)
        first_block = reallocarray(NULL, 7, 111);
    else if (strcmp(name, "posix_memalign") == 0 && posix_memalign(&first_block, 64, 777) != 0)
        first_block = NULL;
    else if (strcmp(name, "aligned_alloc") == 0)
        first_block = aligned_alloc(64, 832);
    else if (strcmp(name, "memalign") == 0)
        first_block = memalign(64, 777);
    else if (strcmp(name, "valloc") == 0)
        first_block = valloc(777);
    else if (strcmp(name, "pvalloc") == 0)
        first_block = pvalloc(777);
    else if (strcmp(name, "free") == 0)
        free(first_block);
    else if (strcmp(name, "malloc_usable_size") == 0)
        first_block = malloc_usable_size(NULL) ? NULL : malloc(777);
    else if (strcmp(name, "fork") == 0 && fork() == 0)
        _exit(0);
}

int first_call_done(void)
{
    const char *name = getenv("FIRST_CALL");
    if (name && (strcmp(name, "free") == 0 || strcmp(name, "fork") == 0))
        return 1;
    if (!first_block || malloc_usable_size(first_block) < 777)
        return 0;
    memset(first_block, 1, 777);
    free(first_block);
    return 1;
}
