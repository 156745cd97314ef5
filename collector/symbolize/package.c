/*
 * dpkg keeps a text file for each installed package, with a line for each of its
 * files. Reading them takes as long as dpkg-query takes (it does the same), needs no
 * child process, and works where dpkg itself is not installed any more.
 */
#include "symbolize/package.h"

#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

#include "base/mem.h"

#define LISTS_FOLDER "/var/lib/dpkg/info"
#define LISTS LISTS_FOLDER "/*.list"

/* Has the file a line that is one of the texts (each "\nPATH\n")? */
static bool has_line(const char *list, char *const *lines, size_t n_lines)
{
    struct stat st;
    bool found = false;
    int fd = open(list, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        size_t size = (size_t)st.st_size;
        void *text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        for (size_t i = 0; text != MAP_FAILED && i < n_lines && !found; i++)
            found = memmem(text, size, lines[i], strlen(lines[i])) != NULL;
        if (text != MAP_FAILED)
            munmap(text, size);
    }
    close(fd);
    return found;
}

/* From /var/lib/dpkg/info/NAME[:ARCH].list; the C library's has a name of its own. */
static char *debug_name(const char *list)
{
    const char *name = strrchr(list, '/') + 1;
    int length = (int)strcspn(name, ":");
    if (!name[length])
        length -= (int)strlen(".list");
    if (length == 5 && strncmp(name, "libc6", 5) == 0)
        return mem_strdup("libc6-dbg");
    return mem_printf("%.*s-dbgsym", length, name);
}

/* Reads all lists: some ten milliseconds. */
static char *search_lists(const char *path)
{
    glob_t lists;
    char *real = realpath(path, NULL), *package = NULL;
    if (!real)
        return NULL;
    /* Since /lib became a link to /usr/lib, lists say either. */
    const char *shorter = strncmp(real, "/usr/", 5) == 0 ? real + 4 : real;
    char *lines[] = {mem_printf("\n%s\n", real), mem_printf("\n%s\n", shorter),
                     mem_printf("\n%s\n", path)};
    if (glob(LISTS, GLOB_NOSORT, NULL, &lists) == 0) {
        for (size_t i = 0; i < lists.gl_pathc && !package; i++)
            if (has_line(lists.gl_pathv[i], lines, sizeof(lines) / sizeof(*lines)))
                package = debug_name(lists.gl_pathv[i]);
        globfree(&lists);
    }
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        free(lines[i]);
    free(real);
    return package;
}

/* What was found, for as long as no package comes or goes: a collector is asked about the same
 * stripped files with each profile. */
struct answer {
    char *path;
    char *package; /* NULL: none has it */
    UT_hash_handle hh;
};
#define ANSWERS_MAX 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* protects all below */
static struct answer *answers;
static struct timespec lists_changed;

static void forget_all(void)
{
    struct answer *answer, *next;
    HASH_ITER(hh, answers, answer, next)
    {
        HASH_DEL(answers, answer);
        free(answer->path);
        free(answer->package);
        free(answer);
    }
}

char *package_find_debug(const char *path)
{
    struct stat lists;
    struct answer *answer;
    if (stat(LISTS_FOLDER, &lists) < 0)
        return NULL;
    pthread_mutex_lock(&lock);
    if (memcmp(&lists_changed, &lists.st_mtim, sizeof lists_changed) != 0 ||
        HASH_COUNT(answers) >= ANSWERS_MAX) {
        forget_all();
        lists_changed = lists.st_mtim;
    }
    HASH_FIND_STR(answers, path, answer);
    if (!answer) {
        answer = mem_zero(1, sizeof *answer);
        answer->path = mem_strdup(path);
        answer->package = search_lists(path);
        HASH_ADD_KEYPTR(hh, answers, answer->path, strlen(answer->path), answer);
    }
    char *package = answer->package ? mem_strdup(answer->package) : NULL;
    pthread_mutex_unlock(&lock);
    return package;
}
