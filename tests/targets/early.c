/* A library that does everything before anybody is ready (hazard 11): its constructor runs
 * before that of a library that was preloaded, for the loader sorts by need. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

__attribute__((visibility("default"))) extern int early_done;
int early_done;

static void *kept;

static void *thread(void *unused)
{
    for (int n = 1; n < 1000; n++)
        free(malloc((size_t)n));
    return unused;
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t id;
    void *block = NULL;
    int status = 0;
    pid_t child;

    kept = calloc(3, 1000);
    early_done |= kept != NULL;
    kept = realloc(kept, 100000);
    early_done |= (kept != NULL) << 1;
    early_done |= (posix_memalign(&block, 4096, 5000) == 0) << 2;
    free(block);
    early_done |= (!pthread_create(&id, NULL, thread, NULL) && !pthread_join(id, NULL)) << 3;
    child = fork();
    if (child == 0) {
        thread(NULL);
        _exit(5);
    }
    early_done |= (waitpid(child, &status, 0) == child && status == 5 << 8) << 4;
    early_done |= (dlsym(RTLD_DEFAULT, "malloc") != NULL) << 5;
    block = dlopen("libm.so.6", RTLD_NOW);
    early_done |= (block && dlclose(block) == 0) << 6;
}

__attribute__((destructor)) static void end(void)
{
    free(kept);
    free(malloc(77));
}
