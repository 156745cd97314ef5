/*
 * dpkg keeps a text file for each installed package, with a line for each of its
 * files. Reading them takes as long as dpkg-query takes (it does the same), needs no
 * child process, and works where dpkg itself is not installed any more.
 */
#include "symbolize/package.h"

#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profile/mem.h"

#define LISTS "/var/lib/dpkg/info/*.list"

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

char *package_find_debug(const char *path)
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
