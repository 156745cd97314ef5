/*
 * The directory sink: the files of one dump, EXE.PID.SEQ.PROFILE.pb.gz.
 *
 * A file appears under its name only when it is whole: it is written under a
 * temporary name (O_EXCL, O_NOFOLLOW) and renamed. SEQ is claimed with a file of
 * its own, so that two processes of the same pid (containers that share a
 * directory) don't take each other's names (hazard 26).
 *
 * Context: dump context; descriptors are O_CLOEXEC, numbered 100 and up, and
 * closed when the dump ends.
 */
#ifndef LIBPROF_WIRE_DIRECTORY_H
#define LIBPROF_WIRE_DIRECTORY_H

#include "runtime/config.h"
#include "wire/encode.h"
#include "wire/sink.h"

#define DIRECTORY_NAME_MAX 256 /* NAME_MAX, limits.h, and a NUL */

struct directory {
    int fd;
    uint32_t sequence;
    uint32_t pid;
    char program[128];          /* fit for a file name */
    char path[CONFIG_PATH_MAX]; /* patterns filled in */
    char claim[DIRECTORY_NAME_MAX];
};

struct directory_file {
    struct sink sink; /* first member */
    int fd;
    char temporary[DIRECTORY_NAME_MAX], name[DIRECTORY_NAME_MAX];
};

/* Whose files they are: fills in pid and program, all that directory_file_name needs. */
void directory_identify(struct directory *directory, const struct ledger_view *view);

/* Fills in path: pattern (LIBPROF_DIR) with %p, %e, %h and %% replaced by pid,
 * program, the host's name and %. */
void directory_expand(struct directory *directory, const char *pattern);

/* EXE.PID.SEQ.PROFILE.pb.gz; name has DIRECTORY_NAME_MAX bytes. */
void directory_file_name(const struct directory *directory, uint32_t sequence,
                         enum dump_profile profile, char *name);

/*
 * Opens the directory of LIBPROF_DIR's pattern, makes it (and its parents) if it
 * is missing, and claims a sequence number from *sequence on, which it leaves at
 * the number taken. 0, or -errno; then directory->path says where.
 */
long directory_open(struct directory *directory, const char *pattern,
                    const struct ledger_view *view, _Atomic(uint32_t) *sequence);
void directory_close(struct directory *directory);

/* Opens the file of a profile: encode into file->sink, then keep or drop it. */
long directory_file_open(struct directory *directory, struct directory_file *file,
                         enum dump_profile profile);

/* Gives the file its name. 0, or -errno: the temporary file is gone then. */
long directory_file_keep(struct directory *directory, struct directory_file *file);
void directory_file_drop(struct directory *directory, struct directory_file *file);

/*
 * Notes the profiles (mask) that this dump wrote and removes this process's
 * oldest dumps until at most max_files are left (0 = no limit). The newest dump
 * always stays.
 */
void directory_rotate(struct directory *directory, uint32_t written, uint64_t max_files);

/* What an error number means: a static string, or NULL for the less usual. */
const char *directory_error_text(long error);

#endif
