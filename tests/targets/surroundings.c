/* What programs do to, or expect of, their surroundings; each way ends with status 0 when
 * nothing was unusual. surroundings pointers|deepbind PLUGIN|crash|reopen DIRECTORY|early */
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Through pointers, as GOT patchers and tables of allocators call them (hazard 58). */
static int pointers(void)
{
    void *(*volatile allocate)(size_t) = malloc;
    void *(*volatile clear)(size_t, size_t) = calloc;
    void *(*volatile grow)(void *, size_t) = realloc;
    void (*volatile release)(void *) = free;

    for (size_t n = 0; n < 20000; n++) {
        char *a = allocate(n % 300 + 1), *b = clear(3, n % 70 + 1);
        if (!a || !b || b[0])
            return 1;
        a = grow(a, n % 999 + 1);
        release(a);
        release(b);
    }
    return 0;
}

/* A plugin that is bound to libc past everybody frees our blocks, and we its (hazard 39). */
static int deepbind(const char *path)
{
    void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    void *(*make)(size_t);
    void (*drop)(void *);

    if (!plugin)
        return 1;
    *(void **)&make = dlsym(plugin, "plugin_make");
    *(void **)&drop = dlsym(plugin, "plugin_drop");
    for (size_t n = 1; n < 20000; n++) {
        void *theirs = make(n % 500 + 1), *ours = malloc(n % 500 + 1);
        if (!theirs || !ours)
            return 2;
        memset(theirs, 1, n % 500 + 1);
        free(theirs);
        drop(ours);
    }
    return dlclose(plugin);
}

static void on_crash(int signo)
{
    struct timespec begin, now;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        clock_gettime(CLOCK_MONOTONIC, &now); /* busy: timers go on in here */
    } while (now.tv_sec - begin.tv_sec < 2);
    if (write(1, "handled\n", 8) != 8)
        _exit(9);
}

/* A handler that works for long after a crash; then the crash itself (hazard 40). */
static int crash(void)
{
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
    sigaction(SIGSEGV, &action, NULL);
    *(volatile int *)8 = 1;
    return 1;
}

/* Closes everything, has files of its own under all low numbers, and is asked for dumps
 * meanwhile: not a byte of another's in them (hazard 33). */
static int reopen(const char *directory)
{
    char path[4096], byte;

    for (int fd = 0; fd < 400; fd++)
        close(fd);
    for (int fd = 0; fd < 40; fd++) {
        snprintf(path, sizeof path, "%s/file%d", directory, fd);
        if (open(path, O_RDWR | O_CREAT, 0600) != fd)
            return 1;
    }
    for (int n = 0; n < 20; n++) {
        struct timespec pause = {0, 20000000};
        free(malloc(100000));
        kill(getpid(), SIGUSR2);
        nanosleep(&pause, NULL);
    }
    for (int fd = 0; fd < 40; fd++)
        if (lseek(fd, 0, SEEK_END) != 0 || read(fd, &byte, 1) != 0)
            return 2;
    return open("/dev/null", O_RDONLY) == 40 ? 0 : 3;
}

/* Set by the library's constructor (early.c). */
extern int early_done;

int main(int argc, char **argv)
{
    const char *how = argv[1], *argument = argc > 2 ? argv[2] : "";

    if (!strcmp(how, "pointers"))
        return pointers();
    if (!strcmp(how, "deepbind"))
        return deepbind(argument);
    if (!strcmp(how, "crash"))
        return crash();
    if (!strcmp(how, "reopen"))
        return reopen(argument);
    return early_done == 127 ? 0 : 1;
}
