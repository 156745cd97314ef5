#include "serve/archive.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/encode_process.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SUFFIX ".pb.gz"

char *archive_name(const char *start, uint32_t sequence, unsigned profile)
{
    return mem_printf("%s%04u.%s" SUFFIX, start, sequence, dump_profile_name(profile));
}

/* The process's own dumps are called the same. */
char *archive_path(struct collector *collector, const struct process *process, uint32_t sequence,
                   const char *profile)
{
    return mem_printf("%s/%s.%d.%04u.%s" SUFFIX, collector->options.dir, process_name(process),
                      (int)process_shown_pid(process), sequence, profile);
}

/* Under a temporary name first: readers never see half a file. */
static bool write_file(const char *path, const unsigned char *bytes, size_t size, struct error *err)
{
    char *temporary = mem_printf("%s.tmp", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST && unlink(temporary) == 0)
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    bool good = fd >= 0;
    while (good && size) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR)
            continue;
        good = put > 0;
        bytes += good ? put : 0;
        size -= good ? (size_t)put : 0;
    }
    if (fd >= 0)
        good = close(fd) == 0 && good;
    good = good && rename(temporary, path) == 0;
    if (!good) {
        fail_with(err, "%s can't be written: %s", path, strerror(errno));
        if (fd >= 0)
            unlink(temporary);
    }
    free(temporary);
    return good;
}

/* The next number for which no file is in the way (an earlier run's, or an earlier
 * program's of the same pid). */
static uint32_t free_sequence(struct collector *collector, struct process *process, uint32_t wanted,
                              uint32_t profiles)
{
    uint32_t sequence = wanted ? wanted : process->last_sequence + 1;
    for (;; sequence++) {
        bool taken = false;
        for (unsigned which = 0; which < DUMP_PROFILES && !taken; which++) {
            if (!(profiles & 1u << which))
                continue;
            char *path = archive_path(collector, process, sequence, dump_profile_name(which));
            taken = access(path, F_OK) == 0;
            free(path);
        }
        if (!taken)
            return sequence;
    }
}

void archive_list(struct collector *collector, struct process *process, uint32_t sequence,
                  uint32_t profiles, bool is_final)
{
    pthread_mutex_lock(&collector->registry.lock);
    struct process_dump *dump = process->dumps;
    while (dump && dump->sequence != sequence)
        dump = dump->next;
    if (!dump) {
        dump = mem_zero(1, sizeof *dump);
        dump->sequence = sequence;
        dump->time_ns = clock_realtime();
        dump->next = process->dumps;
        process->dumps = dump;
    }
    dump->profiles |= profiles;
    dump->is_final |= is_final;
    if (sequence > process->last_sequence)
        process->last_sequence = sequence;
    collector->registry.changes++;
    pthread_mutex_unlock(&collector->registry.lock);
}

bool archive_write(struct collector *collector, struct process *process, uint32_t wanted,
                   uint32_t sequence, bool is_final, struct error *err)
{
    pthread_rwlock_rdlock(&process->ledger.lock);
    uint32_t profiles = process->ledger.base ? dump_present(&process->ledger.view) & wanted : 0;
    pthread_rwlock_unlock(&process->ledger.lock);
    if (!profiles)
        return true;
    if (mkdir(collector->options.dir, 0777) < 0 && errno != EEXIST)
        return fail_with(err, "%s can't be made: %s", collector->options.dir, strerror(errno));
    sequence = free_sequence(collector, process, sequence, profiles);
    uint32_t written = 0;
    bool good = true;
    for (unsigned which = 0; which < DUMP_PROFILES && good; which++) {
        if (!(profiles & 1u << which))
            continue;
        size_t size;
        unsigned char *bytes = encode_process(collector, process, which, &size, err);
        char *path = archive_path(collector, process, sequence, dump_profile_name(which));
        good = bytes && write_file(path, bytes, size, err);
        written |= good ? 1u << which : 0;
        free(path);
        free(bytes);
    }
    if (written)
        archive_list(collector, process, sequence, written, is_final);
    return good;
}

void archive_remove(struct collector *collector, struct process *process)
{
    /* Only called when the process is on its way out: its list doesn't change. */
    for (struct process_dump *dump = process->dumps; dump; dump = dump->next)
        for (unsigned which = 0; which < DUMP_PROFILES; which++) {
            if (!(dump->profiles & 1u << which))
                continue;
            char *path = archive_path(collector, process, dump->sequence, dump_profile_name(which));
            unlink(path);
            free(path);
        }
}

/* From the end: .pb.gz, the profile, the sequence, the pid; what is left is the
 * program's name and may itself hold dots. */
bool archive_check_name(const char *name, uint32_t *sequence, unsigned *profile)
{
    char copy[256];
    size_t length = strlen(name);
    if (length >= sizeof copy || length < sizeof SUFFIX || name[0] == '.' || strchr(name, '/') ||
        strcmp(name + length - (sizeof SUFFIX - 1), SUFFIX) != 0)
        return false;
    for (size_t i = 0; i < length; i++)
        if (iscntrl((unsigned char)name[i]))
            return false;
    memcpy(copy, name, length + 1);
    copy[length - (sizeof SUFFIX - 1)] = '\0';
    char *word = strrchr(copy, '.');
    if (!word)
        return false;
    *word = '\0';
    for (*profile = 0; *profile < DUMP_PROFILES; ++*profile)
        if (strcmp(word + 1, dump_profile_name(*profile)) == 0)
            break;
    char *number = strrchr(copy, '.');
    if (*profile == DUMP_PROFILES || !number || !isdigit((unsigned char)number[1]))
        return false;
    char *end;
    unsigned long value = strtoul(number + 1, &end, 10);
    *sequence = (uint32_t)value;
    return *end == '\0' && value > 0 && value < UINT32_MAX && number != copy;
}
