#include "serve/encode_process.h"

#include "base/clock.h"
#include "base/mem.h"
#include "serve/other_allocators.h"
#include "serve/resident.h"
#include <stdlib.h>
#include <string.h>

/* A sink that keeps what it gets. */
struct memory_sink {
    struct sink sink;
    unsigned char *bytes;
    size_t length, room;
};

static bool memory_write(struct sink *sink, const void *bytes, size_t length)
{
    struct memory_sink *memory = (struct memory_sink *)sink;
    if (memory->room - memory->length < length) {
        memory->room = (memory->length + length) * 2;
        memory->bytes = mem_resize(memory->bytes, memory->room, 1);
    }
    memcpy(memory->bytes + memory->length, bytes, length);
    memory->length += length;
    return true;
}

unsigned char *encode_process(struct collector *collector, struct process *process,
                              enum dump_profile which, size_t *size, struct error *err)
{
    struct memory_sink memory = {.sink = {.write = memory_write}};
    struct process_status status;
    registry_get_status(&collector->registry, process, &status);
    struct dump_request request = {
        .view = &process->ledger.view,
        .profile = which,
        .now_ns = (uint64_t)(status.end_ns ? status.end_ns : clock_realtime()),
        .now_mono_ns = (uint64_t)(status.end_ns ? status.end_mono_ns : clock_monotonic()),
    };
    static const char *const gone[] = {
        "libprof: the process has ended: its threads as they were when they were last asked for"};
    if (which == DUMP_THREADS && status.state != PROCESS_RUNNING) {
        request.ended = true;
        request.comments = gone;
        request.comment_count = 1;
    }
    uint64_t kilobytes[LEDGER_MEMORY_KINDS];
    process_refresh(process);
    pthread_rwlock_rdlock(&process->ledger.lock);
    resident_get(process, status.state == PROCESS_RUNNING, kilobytes);
    request.memory = kilobytes;
    if (which == DUMP_HEAP || which == DUMP_HEAPPEAK)
        request.allocator = other_allocators_find(process, &request);
    const char *wrong = process->ledger.base ? dump_encode(&request, &memory.sink)
                                             : "its memory isn't held any more";
    pthread_rwlock_unlock(&process->ledger.lock);
    if (wrong) {
        fail_with(err, "process %s: %s", process_id(process), wrong);
        free(memory.bytes);
        return NULL;
    }
    *size = memory.length;
    return memory.bytes;
}
