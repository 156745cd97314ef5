/* A real-time program without privileges: takes memory, locks it (argv[1]: mlockall's flags),
 * starts a thread and takes more. Says what it was told, and how much is locked. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static void *work(void *argument)
{
    return argument;
}

static long status_kib(const char *key)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            kib = atol(line + strlen(key) + 1);
    if (file)
        fclose(file);
    return kib;
}

int main(int argc, char **argv)
{
    int flags = argc > 1 ? atoi(argv[1]) : MCL_CURRENT | MCL_FUTURE;
    long limit_kib = argc > 2 ? atol(argv[2]) : 8192;
    const struct rlimit limit = {(rlim_t)limit_kib * 1024, (rlim_t)limit_kib * 1024};
    pthread_attr_t attributes;
    pthread_t thread;
    setrlimit(RLIMIT_MEMLOCK, &limit);
    if (geteuid() == 0 && setuid(65534) != 0) /* nobody: root locks what it likes */
        return 2;
    void *before = malloc(1 << 20);
    int result = mlockall(flags);
    printf("mlockall %s, ", result ? strerror(errno) : "works");
    void *after = malloc(200000);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    int error = pthread_create(&thread, &attributes, work, NULL);
    if (error == 0)
        pthread_join(thread, NULL);
    printf("malloc %s, thread %s\n", before && after ? "works" : "fails",
           error ? strerror(error) : "works");
    printf("%ld KiB locked\n", status_kib("VmLck:"));
    if (mlockall(MCL_CURRENT) == 0) { /* ends MCL_FUTURE */
        long locked = status_kib("VmLck:");
        mmap(NULL, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        printf("%ld KiB more after mapping 1 MiB\n", status_kib("VmLck:") - locked);
    }
    return 0;
}
