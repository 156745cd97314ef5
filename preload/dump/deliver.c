#include "dump/deliver.h"

#include "kit/sections.h"
#include "kit/sys.h"
#include "ledger/ledger.h"
#include "runtime/config.h"
#include "runtime/log.h"
#include "wire/directory.h"
#include "wire/handover.h"
#include <string.h>

struct report_file {
    struct sink sink; /* first member */
    int fd;
};

static bool file_write(struct sink *sink, const void *bytes, size_t length)
{
    const char *at = bytes;

    while (length) {
        size_t part = length < HANDOVER_FRAME_MAX ? length : HANDOVER_FRAME_MAX;
        sink->error = handover_send(((struct report_file *)sink)->fd, HANDOVER_DATA, at, part);
        if (sink->error)
            return false;
        at += part;
        length -= part;
    }
    return true;
}

/* One file: its name, its bytes, and the word that it is whole. Without that word
 * the collector throws it away. */
static bool send_profile(int fd, const struct directory *names, uint32_t sequence,
                         const struct dump_request *request)
{
    struct report_file file = {.sink = {.write = file_write}, .fd = fd};
    char name[DIRECTORY_NAME_MAX];

    directory_file_name(names, sequence, request->profile, name);
    return handover_send(fd, HANDOVER_FILE, name, strlen(name)) == 0 &&
           !dump_encode(request, &file.sink) && handover_send(fd, HANDOVER_DONE, NULL, 0) == 0;
}

static bool send_all(const struct dump_request *given, uint32_t sequence, uint32_t chosen)
{
    static COLD_TABLE struct directory names; /* owner: the one dump that runs */
    struct dump_request request = *given;
    bool good = true;
    int fd = handover_open(ledger_view_string(request.view, request.view->header->exe, NULL));

    if (fd < 0)
        return false;
    directory_identify(&names, request.view);
    request.now_ns = sys_clock_ns(CLOCK_REALTIME);
    request.now_mono_ns = sys_clock_ns(CLOCK_MONOTONIC);
    for (int profile = 0; profile < DUMP_PROFILES && good; profile++) {
        request.profile = (enum dump_profile)profile;
        if (chosen & 1u << profile)
            good = send_profile(fd, &names, sequence, &request);
    }
    sys_call1(SYS_close, fd);
    return good;
}

bool deliver_to_collector(struct dump_request *request, enum handover_reason reason,
                          uint32_t chosen, void (*walk)(void))
{
    uint32_t sequence;

    if (!config.socket[0])
        return false;
    if (walk && chosen & 1u << DUMP_THREADS)
        walk();
    sequence = atomic_fetch_add(&ledger->sequence, 1) + 1;
    enum handover_outcome outcome = handover_dump(ledger, sequence, reason);
    if (outcome == HANDOVER_DONE_THERE)
        return true;
    if (outcome == HANDOVER_ELSEWHERE && send_all(request, sequence, chosen))
        return true;
    if (outcome == HANDOVER_NOT_OURS)
        log_line(LOG_VERBOSE,
                 "the collector at %s does not take this process: its profiles go to "
                 "LIBPROF_DIR",
                 config.socket);
    atomic_fetch_sub(&ledger->sequence, 1); /* the directory's dump gets the number */
    return false;
}
