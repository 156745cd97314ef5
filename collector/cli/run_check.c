#include "cli/run_check.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"

/* Scripts may name scripts: as deep as the kernel follows (BINPRM, linux/fs/exec.c). */
#define SCRIPTS_MAX 5

char *run_find_library(struct error *err)
{
    const char *given = getenv("LIBPROF_SO");
    char self[PATH_MAX];
    if (given && *given) {
        if (access(given, R_OK) == 0)
            return mem_strdup(given);
        fail_with(err, "LIBPROF_SO names %s: %s", given, strerror(errno));
        return NULL;
    }
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    self[length > 0 ? length : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    char *places[] = {
        mem_printf("%s/libprof.so", self),            /* two files that were copied */
        mem_printf("%s/../preload/libprof.so", self), /* the build tree */
        mem_printf("%s/../%s/libprof.so", self, LIBPROF_LIBDIR),
        mem_printf("%s/../lib/libprof.so", self),
        mem_printf("%s/%s/libprof.so", LIBPROF_PREFIX, LIBPROF_LIBDIR),
    };
    char *found = NULL;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (!found && access(places[i], R_OK) == 0)
            found = realpath(places[i], NULL);
        free(places[i]);
    }
    if (!found)
        fail_with(err, "libprof.so is not where it was installed: name it in LIBPROF_SO");
    return found;
}

bool run_can_be_preloaded(const char *path)
{
    return path[strcspn(path, " :")] == '\0';
}

/* As execvp: names with a slash are paths, others are searched in PATH. malloc'ed or NULL. */
static char *look_up(const char *name)
{
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? mem_strdup(name) : NULL;
    const char *path = getenv("PATH");
    for (path = path ? path : "/bin:/usr/bin"; *path; path += *path == ':') {
        size_t length = strcspn(path, ":");
        char *candidate =
            mem_printf("%.*s/%s", (int)(length ? length : 1), length ? path : ".", name);
        struct stat info;
        if (access(candidate, X_OK) == 0 && stat(candidate, &info) == 0 && S_ISREG(info.st_mode))
            return candidate;
        free(candidate);
        path += length;
    }
    return NULL;
}

static bool check_privileges(const char *path, int fd, struct error *err)
{
    struct stat info;
    if (fstat(fd, &info) == 0 && ((info.st_mode & S_ISUID && info.st_uid != geteuid()) ||
                                  (info.st_mode & S_ISGID && info.st_gid != getegid())))
        return fail_with(err, "%s is set%cid: the loader ignores LD_PRELOAD for it", path,
                         info.st_mode & S_ISUID ? 'u' : 'g');
    if (fgetxattr(fd, "security.capability", NULL, 0) > 0 && geteuid() != 0)
        return fail_with(err, "%s has file capabilities: the loader ignores LD_PRELOAD for it",
                         path);
    return true;
}

/* The word after #! into interpreter. */
static bool is_script(const char *head, size_t length, char *interpreter, size_t size)
{
    if (length < 3 || head[0] != '#' || head[1] != '!')
        return false;
    const char *start = head + 2 + strspn(head + 2, " \t");
    snprintf(interpreter, size, "%.*s", (int)strcspn(start, " \t\n"), start);
    return true;
}

static bool check_interpreter(const char *path, int fd, const ElfW(Phdr) * segment,
                              struct error *err)
{
    char loader[256] = "";
    size_t length = segment->p_filesz < sizeof loader - 1 ? segment->p_filesz : sizeof loader - 1;
    if (pread(fd, loader, length, (off_t)segment->p_offset) < 0)
        return true;
    const char *name = strrchr(loader, '/');
    name = name ? name + 1 : loader;
    if (strncmp(name, "ld-musl", 7) == 0)
        return fail_with(err, "%s is made for musl (%s): libprof.so is for glibc", path, loader);
    if (strncmp(name, "ld-linux", 8) != 0 && strncmp(name, "ld.so", 5) != 0 &&
        strncmp(name, "ld64", 4) != 0 && strncmp(name, "ld-2", 4) != 0)
        return fail_with(err, "%s has a loader libprof.so isn't for: %s", path, loader);
    return true;
}

/* The library that the program asks for by DT_NEEDED and whose name begins so: malloc'ed,
 * or NULL. */
static char *find_needed(int fd, const char *start)
{
    char *found = NULL;
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    for (Elf_Scn *s = elf ? elf_nextscn(elf, NULL) : NULL; s && !found; s = elf_nextscn(elf, s)) {
        GElf_Shdr header;
        if (!gelf_getshdr(s, &header) || header.sh_type != SHT_DYNAMIC)
            continue;
        Elf_Data *data = elf_getdata(s, NULL);
        GElf_Dyn entry;
        for (int i = 0; data && gelf_getdyn(data, i, &entry) && entry.d_tag != DT_NULL; i++) {
            const char *name =
                entry.d_tag == DT_NEEDED ? elf_strptr(elf, header.sh_link, entry.d_un.d_val) : NULL;
            if (name && !found && strncmp(name, start, strlen(start)) == 0)
                found = mem_strdup(name);
        }
    }
    elf_end(elf);
    return found;
}

/* ThreadSanitizer's shared runtime interposes what libprof.so looks functions up with, and
 * crashes when that is called before its own start. */
static bool check_runtime(const char *path, int fd, struct error *err)
{
    char *runtime = find_needed(fd, "libtsan.so");
    if (runtime)
        fail_with(err,
                  "%s has ThreadSanitizer's runtime in a library (%s), which must be started "
                  "before libprof.so: link it with -static-libtsan",
                  path, runtime);
    bool good = !runtime;
    free(runtime);
    return good;
}

static bool check_elf(const char *path, int fd, const ElfW(Ehdr) * header, struct error *err)
{
    const unsigned own_class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
#if defined(__x86_64__)
    const unsigned own_machine = EM_X86_64;
#else
    const unsigned own_machine = EM_AARCH64;
#endif
    if (header->e_ident[EI_CLASS] != own_class)
        return fail_with(err, "%s is a %d-bit program: libprof.so is %d-bit", path,
                         header->e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64,
                         (int)sizeof(void *) * 8);
    if (header->e_machine != own_machine)
        return fail_with(err, "%s is for another machine (ELF machine %d)", path,
                         header->e_machine);
    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        off_t at = (off_t)(header->e_phoff + (uint64_t)i * header->e_phentsize);
        if (pread(fd, &segment, sizeof segment, at) != sizeof segment)
            break;
        if (segment.p_type == PT_INTERP)
            return check_interpreter(path, fd, &segment, err) && check_runtime(path, fd, err);
    }
    return fail_with(err,
                     "%s is statically linked: nothing can be preloaded into it; link it "
                     "dynamically",
                     path);
}

bool run_check_program(const char *name, struct error *err)
{
    char *path = look_up(name);
    bool good = true;
    for (int depth = 0; path && good && depth < SCRIPTS_MAX; depth++) {
        union {
            ElfW(Ehdr) header;
            char text[512];
        } head;
        char interpreter[256];
        memset(&head, 0, sizeof head);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t length = fd < 0 ? -1 : read(fd, head.text, sizeof head.text - 1);
        char *next = NULL;
        if (length >= (ssize_t)sizeof head.header && memcmp(head.text, ELFMAG, SELFMAG) == 0) {
            good = check_privileges(path, fd, err) && check_elf(path, fd, &head.header, err);
        } else if (length > 0 &&
                   is_script(head.text, (size_t)length, interpreter, sizeof interpreter)) {
            next = mem_strdup(interpreter);
        }
        if (fd >= 0)
            close(fd);
        free(path);
        path = next;
    }
    free(path);
    return good;
}

bool run_make_directory(const char *path, bool *made, struct error *err)
{
    struct stat st;
    char *copy = mem_strdup(path);
    for (char *slash = strchr(copy + 1, '/'); *copy && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(copy, 0777); /* what went wrong shows below */
        *slash = '/';
    }
    free(copy);
    *made = mkdir(path, 0777) == 0;
    if (!*made && errno != EEXIST)
        return fail_with(err, "no profiles can be written there: %s", strerror(errno));
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return fail_with(err, "no profiles can be written there: %s", strerror(ENOTDIR));
    return access(path, W_OK | X_OK) == 0 ||
           fail_with(err, "no profiles can be written there: %s", strerror(errno));
}
