#include "wire/directory.h"

#include "kit/sections.h"
#include "kit/sys.h"
#include "kit/text.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

/* As hazard 33 asks: out of the way of programs that count on low numbers. */
#define FD_LOWEST 100

/* Whose dumps are noted for rotation: more than LIBPROF_MAX_FILES can ask for. */
#define ROTATION_DUMPS 10240u
static COLD_TABLE struct {
    uint32_t pid; /* whose they are: a forked child has none */
    uint32_t oldest, newest, files;
    uint8_t written[ROTATION_DUMPS]; /* by sequence: mask of profiles */
} rotation;                          /* owner: the one dump that runs at a time */
_Static_assert(DUMP_PROFILES <= 8, "a mask of profiles is a byte");

static long open_high(int directory, const char *path, int flags, unsigned mode)
{
    long fd = sys_call4(SYS_openat, directory, path, flags | O_CLOEXEC, mode), high;

    if (fd < 0 || fd >= FD_LOWEST)
        return fd;
    high = sys_call3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, FD_LOWEST);
    if (high < 0)
        return fd; /* RLIMIT_NOFILE below it */
    sys_call1(SYS_close, fd);
    return high;
}

/* The program's name without what would be a path, a pattern or invisible. */
static void program_name(const struct ledger_view *view, struct text *text)
{
    size_t length, start = 0;
    const char *exe = ledger_view_string(view, view->header->program, &length);
    if (length == 0)
        exe = ledger_view_string(view, view->header->exe, &length);

    for (size_t i = 0; i < length; i++)
        if (exe[i] == '/')
            start = i + 1;
    if (start == length)
        text_string(text, "program");
    for (size_t i = start; i < length; i++) {
        char c = exe[i];
        /* a drive's or a scope's ':' is what pprof takes for host:port */
        if ((unsigned char)c <= ' ' || c == 0x7f || c == ':' || c == '/')
            c = '_';
        text_bytes(text, &c, 1);
    }
}

static void host_name(struct text *text)
{
    struct utsname name = {0};

    if (sys_call1(SYS_uname, &name) == 0)
        for (char *c = name.nodename; *c; c++)
            text_bytes(text, *c == '/' ? "_" : c, 1);
}

void directory_expand(struct directory *directory, const char *pattern)
{
    struct text text;

    text_init(&text, directory->path, sizeof directory->path);
    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            text_bytes(&text, pattern, 1);
            continue;
        }
        switch (pattern[1]) {
        case 'p':
            text_number(&text, directory->pid, 10, 1);
            break;
        case 'e':
            text_string(&text, directory->program);
            break;
        case 'h':
            host_name(&text);
            break;
        case '%':
            text_string(&text, "%");
            break;
        default: /* not a pattern of ours: stays */
            text_string(&text, "%");
            continue;
        }
        pattern++;
    }
}

/* mkdir -p. What exists already is no error; returns the first other one. */
static long make_path(char *path)
{
    long wrong = 0, result;

    for (char *end = path + 1;; end++) {
        char kept = *end;
        if (kept && kept != '/')
            continue;
        *end = '\0';
        result = sys_call3(SYS_mkdirat, AT_FDCWD, path, 0777);
        *end = kept;
        if (result < 0 && result != -EEXIST && wrong == 0)
            wrong = result;
        if (!kept)
            return wrong;
    }
}

void directory_file_name(const struct directory *directory, uint32_t sequence,
                         enum dump_profile profile, char *name)
{
    struct text text;

    text_init(&text, name, DIRECTORY_NAME_MAX);
    text_format(&text, "%s.%u.%04u.%s.pb.gz", directory->program, directory->pid, sequence,
                dump_profile_name(profile));
}

static bool sequence_used(const struct directory *directory, uint32_t sequence)
{
    char name[DIRECTORY_NAME_MAX];

    for (int profile = 0; profile < DUMP_PROFILES; profile++) {
        directory_file_name(directory, sequence, (enum dump_profile)profile, name);
        if (sys_call3(SYS_faccessat, directory->fd, name, 0 /* F_OK */) == 0)
            return true;
    }
    return false;
}

static long claim_sequence(struct directory *directory, _Atomic(uint32_t) *sequence)
{
    for (;;) {
        struct text text;
        long fd;

        directory->sequence = atomic_fetch_add(sequence, 1) + 1;
        text_init(&text, directory->claim, sizeof directory->claim);
        text_format(&text, ".%s.%u.%04u.tmp", directory->program, directory->pid,
                    directory->sequence);
        fd = open_high(directory->fd, directory->claim, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
                       0666);
        if (fd == -EEXIST)
            continue; /* another process of this pid, or one that was killed */
        if (fd < 0)
            return fd;
        sys_call1(SYS_close, fd);
        if (!sequence_used(directory, directory->sequence))
            return 0;
        sys_call3(SYS_unlinkat, directory->fd, directory->claim, 0);
    }
}

void directory_identify(struct directory *directory, const struct ledger_view *view)
{
    struct text text;

    directory->pid = view->header->pid;
    text_init(&text, directory->program, sizeof directory->program);
    program_name(view, &text);
}

long directory_open(struct directory *directory, const char *pattern,
                    const struct ledger_view *view, _Atomic(uint32_t) *sequence)
{
    long result;

    directory_identify(directory, view);
    directory_expand(directory, pattern);
    result = open_high(AT_FDCWD, directory->path, O_RDONLY | O_DIRECTORY, 0);
    if (result == -ENOENT) {
        long wrong = make_path(directory->path);
        result = open_high(AT_FDCWD, directory->path, O_RDONLY | O_DIRECTORY, 0);
        if (result == -ENOENT && wrong < 0)
            result = wrong; /* the reason why it isn't there */
    }
    if (result < 0)
        return result;
    directory->fd = (int)result;
    result = claim_sequence(directory, sequence);
    if (result < 0)
        sys_call1(SYS_close, directory->fd);
    return result;
}

void directory_close(struct directory *directory)
{
    sys_call3(SYS_unlinkat, directory->fd, directory->claim, 0);
    sys_call1(SYS_close, directory->fd);
}

static bool file_write(struct sink *sink, const void *bytes, size_t length)
{
    struct directory_file *file = (struct directory_file *)sink;
    const char *at = bytes;

    while (length) {
        long written = sys_write(file->fd, at, length);
        if (written == -EINTR)
            continue;
        if (written <= 0) {
            sink->error = written ? written : -ENOSPC;
            return false;
        }
        at += written;
        length -= (size_t)written;
    }
    return true;
}

long directory_file_open(struct directory *directory, struct directory_file *file,
                         enum dump_profile profile)
{
    struct text text;
    long fd;

    file->sink = (struct sink){.write = file_write};
    directory_file_name(directory, directory->sequence, profile, file->name);
    text_init(&text, file->temporary, sizeof file->temporary);
    text_format(&text, ".%s.tmp", file->name);
    fd = open_high(directory->fd, file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
    file->fd = (int)fd;
    return fd < 0 ? fd : 0;
}

long directory_file_keep(struct directory *directory, struct directory_file *file)
{
    /* some file systems say only now that there was no room (close(2)) */
    long result = sys_call1(SYS_close, file->fd);

    if (result == 0)
        result = sys_call4(SYS_renameat, directory->fd, file->temporary, directory->fd, file->name);
    if (result < 0)
        sys_call3(SYS_unlinkat, directory->fd, file->temporary, 0);
    return result;
}

void directory_file_drop(struct directory *directory, struct directory_file *file)
{
    sys_call1(SYS_close, file->fd);
    sys_call3(SYS_unlinkat, directory->fd, file->temporary, 0);
}

static void remove_oldest(struct directory *directory)
{
    uint8_t *written = &rotation.written[rotation.oldest % ROTATION_DUMPS];
    char name[DIRECTORY_NAME_MAX];

    for (int profile = 0; profile < DUMP_PROFILES; profile++) {
        if (!(*written & 1u << profile))
            continue;
        directory_file_name(directory, rotation.oldest, (enum dump_profile)profile, name);
        sys_call3(SYS_unlinkat, directory->fd, name, 0);
        rotation.files--;
    }
    *written = 0;
    rotation.oldest++;
}

void directory_rotate(struct directory *directory, uint32_t written, uint64_t max_files)
{
    if (rotation.pid != directory->pid || directory->sequence <= rotation.newest) {
        memset(&rotation, 0, sizeof rotation);
        rotation.pid = directory->pid;
        rotation.oldest = directory->sequence;
    }
    /* only with no limit may the ring be too short: those files are simply kept */
    if (directory->sequence - rotation.oldest >= ROTATION_DUMPS)
        rotation.oldest = directory->sequence - ROTATION_DUMPS + 1;
    rotation.newest = directory->sequence;
    rotation.written[directory->sequence % ROTATION_DUMPS] = (uint8_t)written;
    rotation.files += (uint32_t)__builtin_popcount(written);
    while (max_files && rotation.files > max_files && rotation.oldest < directory->sequence)
        remove_oldest(directory);
}

const char *directory_error_text(long error)
{
    static const struct {
        int number;
        char text[36]; /* no pointers: ../README.md */
    } texts[] = {
        {ENOSPC, "no space left on the device"},
        {EDQUOT, "disk quota exceeded"},
        {EROFS, "the file system is read-only"},
        {EACCES, "permission denied"},
        {EPERM, "not permitted"},
        {ENOENT, "no such directory"},
        {ENOTDIR, "not a directory"},
        {EFBIG, "larger than ulimit -f allows"},
        {EMFILE, "too many open files"},
        {ENFILE, "too many open files in the system"},
        {ENAMETOOLONG, "the name is too long"},
        {EIO, "input/output error"},
        {ELOOP, "too many symbolic links"},
        {ENOMEM, "not enough memory"},
    };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].number == -error)
            return texts[i].text;
    return NULL;
}
