#include "serve/upload.h"

#include "base/mem.h"
#include "serve/archive.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of one file: twice what the largest real profiles take. */
#define FILE_SIZE_MAX (UINT64_C(256) << 20)

void upload_drop(struct upload *upload)
{
    if (upload->file)
        fclose(upload->file);
    if (upload->temporary)
        unlink(upload->temporary);
    free(upload->name);
    free(upload->temporary);
    upload->file = NULL;
    upload->name = upload->temporary = NULL;
    upload->size = 0;
}

/* Is there any profile of this dump? start: "DIR/EXE.PID." */
static bool is_taken(const char *start, uint32_t sequence)
{
    bool taken = false;
    for (unsigned which = 0; which < DUMP_PROFILES && !taken; which++) {
        char *path = archive_name(start, sequence, which);
        taken = access(path, F_OK) == 0;
        free(path);
    }
    return taken;
}

/* The file's name in the directory: malloc'ed. `name` is one of libprof's. */
static char *own_name(struct collector *collector, struct upload *upload, const char *name,
                      uint32_t sequence, unsigned profile)
{
    char *start = mem_printf("%s/%s", collector->options.dir, name);
    for (int dots = 4; dots; dots--) /* EXE.PID. SEQ .PROFILE.pb.gz */
        *strrchr(start, '.') = '\0';
    strcat(start, ".");
    if (sequence != upload->named) {
        upload->named = upload->numbered = sequence;
        while (is_taken(start, upload->numbered))
            upload->numbered++;
    }
    char *path = archive_name(start, upload->numbered, profile);
    free(start);
    char *own = mem_strdup(strrchr(path, '/') + 1);
    free(path);
    return own;
}

bool upload_begin(struct collector *collector, struct upload *upload, const char *name,
                  const char **why)
{
    static uint64_t number; /* makes the temporary name one of its own */
    uint32_t sequence;
    unsigned profile;
    if (!archive_check_name(name, &sequence, &profile)) {
        *why = "a file name that isn't one of libprof's";
        return false;
    }
    upload_drop(upload);
    mkdir(collector->options.dir, 0777);
    upload->name = own_name(collector, upload, name, sequence, profile);
    upload->temporary = mem_printf("%s/.%s.%llu", collector->options.dir, upload->name,
                                   (unsigned long long)number++);
    unlink(upload->temporary); /* of a collector that was killed */
    int fd = open(upload->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    upload->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (upload->file)
        return true;
    collector_log(collector, "%s: %s", upload->temporary, strerror(errno));
    *why = "the file can't be written";
    return false;
}

bool upload_take(struct upload *upload, const unsigned char *bytes, size_t length, const char **why)
{
    upload->size += length;
    if (upload->file && upload->size <= FILE_SIZE_MAX &&
        fwrite(bytes, 1, length, upload->file) == length)
        return true;
    *why = "bytes without a file, or too many";
    return false;
}

bool upload_end(struct collector *collector, struct upload *upload, struct process *process,
                const char **why)
{
    uint32_t sequence = 0;
    unsigned profile = 0;
    *why = "a file can't be finished";
    if (!upload->file)
        return false;
    bool good = fclose(upload->file) == 0;
    upload->file = NULL;
    archive_check_name(upload->name, &sequence, &profile);
    char *path = mem_printf("%s/%s", collector->options.dir, upload->name);
    good = good && rename(upload->temporary, path) == 0;
    if (good) {
        free(upload->temporary);
        upload->temporary = NULL;
        archive_list(collector, process, sequence, 1u << profile, false);
    }
    free(path);
    upload_drop(upload);
    return good;
}
