/*
 * Perfetto's trace: a track for each thread, with its waits as slices and other events as instants;
 * an arrow from an unlock to the wait that it ended; CPU samples as perf samples with their stacks.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/writer.h"
#include "trace.pb-c.h"
#include "trace/event_name.h"
#include "trace/perfetto.h"

#define SEQUENCE 1
#define STATE_CLEARED 1 /* SEQ_INCREMENTAL_STATE_CLEARED: what is interned begins here */
#define NEEDS_STATE 2
#define CLOCK_MONOTONIC_ID 3 /* BuiltinClock's */
#define PROCESS_TRACK 1
#define THREAD_TRACK 1000 /* and the thread's index */

struct output {
    struct writer bytes;
    const struct trace *trace;
    bool begun;
};

static void put_packet(struct output *out, ProfTrace__TracePacket *packet)
{
    packet->has_trusted_packet_sequence_id = packet->has_sequence_flags = true;
    packet->trusted_packet_sequence_id = SEQUENCE;
    packet->sequence_flags = out->begun ? NEEDS_STATE : STATE_CLEARED | NEEDS_STATE;
    out->begun = true;
    ProfTrace__Trace message = PROF_TRACE__TRACE__INIT;
    message.n_packet = 1;
    message.packet = &packet;
    /* a message may be cut into pieces: its repeated field goes on */
    size_t size = prof_trace__trace__get_packed_size(&message);
    uint8_t *bytes = mem_alloc(size);
    prof_trace__trace__pack(&message, bytes);
    writer_put_bytes(&out->bytes, bytes, size);
    free(bytes);
}

static void put_tracks(struct output *out)
{
    const struct trace *trace = out->trace;
    ProfTrace__ProcessDescriptor process = PROF_TRACE__PROCESS_DESCRIPTOR__INIT;
    ProfTrace__TrackDescriptor track = PROF_TRACE__TRACK_DESCRIPTOR__INIT;
    ProfTrace__TracePacket packet = PROF_TRACE__TRACE_PACKET__INIT;
    process.has_pid = true;
    process.pid = (int32_t)trace->pid;
    process.process_name = (char *)(uintptr_t)trace->program;
    track.has_uuid = true;
    track.uuid = PROCESS_TRACK;
    track.process = &process;
    packet.track_descriptor = &track;
    put_packet(out, &packet);
    for (size_t n = 0; n < trace->n_threads; n++) {
        ProfTrace__ThreadDescriptor thread = PROF_TRACE__THREAD_DESCRIPTOR__INIT;
        ProfTrace__TrackDescriptor own = PROF_TRACE__TRACK_DESCRIPTOR__INIT;
        ProfTrace__TracePacket next = PROF_TRACE__TRACE_PACKET__INIT;
        thread.has_pid = thread.has_tid = true;
        thread.pid = (int32_t)trace->pid;
        thread.tid = (int32_t)trace->threads[n].tid;
        thread.thread_name = (char *)(uintptr_t)trace->threads[n].name;
        own.has_uuid = own.has_parent_uuid = true;
        own.uuid = THREAD_TRACK + n;
        own.parent_uuid = PROCESS_TRACK;
        own.thread = &thread;
        next.track_descriptor = &own;
        put_packet(out, &next);
    }
}

static void put_string(ProfTrace__InternedString *string, uint64_t iid, const char *text)
{
    prof_trace__interned_string__init(string);
    string->has_iid = string->has_str = true;
    string->iid = iid;
    string->str.data = (uint8_t *)(uintptr_t)text;
    string->str.len = strlen(text);
}

/* The functions of a location, innermost first, share its frame: inlined ones are joined. */
static char *frame_name(const struct profile_location *location)
{
    char *name = NULL;
    for (size_t n = location->n_lines; n-- > 0;) {
        char *longer = mem_printf("%s%s%s", name ? name : "", name ? " > " : "",
                                  location->lines[n].function->name);
        free(name);
        name = longer;
    }
    return name ? name : mem_printf("0x%llx", (unsigned long long)location->address);
}

/* Mappings and frames have their index in the profile, plus 1, as their number. */
static void put_frames(struct output *out)
{
    const struct profile *p = out->trace->stacks;
    for (size_t n = 0; n < p->n_mappings; n++) {
        ProfTrace__InternedString path, *paths = &path;
        ProfTrace__Mapping mapping = PROF_TRACE__MAPPING__INIT, *mappings = &mapping;
        ProfTrace__InternedData data = PROF_TRACE__INTERNED_DATA__INIT;
        ProfTrace__TracePacket packet = PROF_TRACE__TRACE_PACKET__INIT;
        uint64_t iid = n + 1;
        put_string(&path, iid, p->mappings[n]->file);
        mapping.has_iid = mapping.has_start = mapping.has_end = mapping.has_start_offset = true;
        mapping.iid = iid;
        mapping.start = p->mappings[n]->start;
        mapping.end = p->mappings[n]->limit;
        mapping.start_offset = p->mappings[n]->offset;
        mapping.n_path_string_ids = 1;
        mapping.path_string_ids = &iid;
        data.n_mapping_paths = data.n_mappings = 1;
        data.mapping_paths = &paths;
        data.mappings = &mappings;
        packet.interned_data = &data;
        put_packet(out, &packet);
    }
    for (size_t n = 0; n < p->n_locations; n++) {
        const struct profile_location *location = p->locations[n];
        ProfTrace__InternedString function, *functions = &function;
        ProfTrace__Frame frame = PROF_TRACE__FRAME__INIT, *frames = &frame;
        ProfTrace__InternedData data = PROF_TRACE__INTERNED_DATA__INIT;
        ProfTrace__TracePacket packet = PROF_TRACE__TRACE_PACKET__INIT;
        char *name = frame_name(location);
        put_string(&function, n + 1, name);
        frame.has_iid = frame.has_function_name_id = frame.has_rel_pc = true;
        frame.iid = frame.function_name_id = n + 1;
        frame.rel_pc = location->address;
        if (location->mapping) {
            frame.has_mapping_id = true;
            frame.mapping_id = location->mapping->id;
            frame.rel_pc = location->address - location->mapping->start + location->mapping->offset;
        }
        data.n_function_names = data.n_frames = 1;
        data.function_names = &functions;
        data.frames = &frames;
        packet.interned_data = &data;
        put_packet(out, &packet);
        free(name);
    }
}

/* A stack's number is the sample's index, plus 1; Perfetto wants the outermost frame first. */
static void put_stacks(struct output *out)
{
    const struct profile *p = out->trace->stacks;
    for (size_t n = 0; n < p->n_samples; n++) {
        const struct profile_sample *sample = p->samples[n];
        uint64_t *ids = mem_alloc((sample->n_locations + 1) * sizeof *ids);
        for (size_t i = 0; i < sample->n_locations; i++)
            ids[i] = sample->locations[sample->n_locations - 1 - i]->id;
        ProfTrace__Callstack stack = PROF_TRACE__CALLSTACK__INIT, *stacks = &stack;
        ProfTrace__InternedData data = PROF_TRACE__INTERNED_DATA__INIT;
        ProfTrace__TracePacket packet = PROF_TRACE__TRACE_PACKET__INIT;
        stack.has_iid = true;
        stack.iid = n + 1;
        stack.n_frame_ids = sample->n_locations;
        stack.frame_ids = ids;
        data.n_callstacks = 1;
        data.callstacks = &stacks;
        packet.interned_data = &data;
        put_packet(out, &packet);
        free(ids);
    }
}

static void put_sample(struct output *out, const struct trace_event *event)
{
    ProfTrace__PerfSample sample = PROF_TRACE__PERF_SAMPLE__INIT;
    ProfTrace__TracePacket packet = PROF_TRACE__TRACE_PACKET__INIT;
    sample.has_cpu = sample.has_pid = sample.has_tid = true;
    sample.pid = out->trace->pid;
    sample.tid = out->trace->threads[event->thread].tid;
    sample.has_callstack_iid = event->stack != TRACE_NONE;
    sample.callstack_iid = (uint64_t)event->stack + 1;
    sample.has_timebase_count = true;
    sample.timebase_count = event->value;
    packet.has_timestamp = packet.has_timestamp_clock_id = true;
    packet.timestamp = (uint64_t)event->end_ns;
    packet.timestamp_clock_id = CLOCK_MONOTONIC_ID;
    packet.perf_sample = &sample;
    put_packet(out, &packet);
}

/* "parse < read_file < main": what the slice's details show. malloc'ed. */
static char *stack_text(const struct trace *trace, const struct trace_event *event)
{
    struct writer text = {0};
    if (event->stack == TRACE_NONE)
        return mem_strdup("");
    const struct profile_sample *sample = trace->stacks->samples[event->stack];
    for (size_t n = 0; n < sample->n_locations; n++) {
        char *name = frame_name(sample->locations[n]);
        writer_printf(&text, "%s%s", n ? " < " : "", name);
        free(name);
    }
    writer_put_char(&text, '\0');
    return text.data;
}

static void put_track_event(struct output *out, const struct trace_event *event, size_t number,
                            ProfTrace__TrackEvent__Type type, int64_t ns)
{
    ProfTrace__TrackEvent track = PROF_TRACE__TRACK_EVENT__INIT;
    ProfTrace__TracePacket packet = PROF_TRACE__TRACE_PACKET__INIT;
    ProfTrace__DebugAnnotation stack = PROF_TRACE__DEBUG_ANNOTATION__INIT,
                               value = PROF_TRACE__DEBUG_ANNOTATION__INIT,
                               *annotations[] = {&stack, &value};
    static const char *const units[LEDGER_TRACE_KINDS] = {
        [LEDGER_TRACE_WAIT] = "ns waited",
        [LEDGER_TRACE_WAKE] = "ns that others waited",
        [LEDGER_TRACE_ALLOC] = "bytes",
        [LEDGER_TRACE_FREE] = "bytes",
    };
    char name[TRACE_NAME], *category = event->lock ? "lock" : "event", *text = NULL;
    uint64_t flow;
    track.has_type = track.has_track_uuid = true;
    track.type = type;
    track.track_uuid = THREAD_TRACK + event->thread;
    if (type != PROF_TRACE__TRACK_EVENT__TYPE__TYPE_SLICE_END) {
        track.name = (char *)(uintptr_t)trace_event_name(out->trace, event, name);
        track.n_categories = 1;
        track.categories = &category;
        stack.name = (char *)(uintptr_t) "stack";
        stack.string_value = text = stack_text(out->trace, event);
        value.name = (char *)(uintptr_t)(units[event->kind] ? units[event->kind] : "value");
        value.has_uint_value = true;
        value.uint_value = event->value;
        track.n_debug_annotations = units[event->kind] ? 2 : 1;
        track.debug_annotations = annotations;
    }
    /* an arrow's number is the unlock's, plus 1: it ends in each wait that the unlock ended */
    flow = event->kind == LEDGER_TRACE_WAKE ? number + 1 : (uint64_t)event->woken_by + 1;
    if (event->kind == LEDGER_TRACE_WAKE) {
        track.n_flow_ids = 1;
        track.flow_ids = &flow;
    } else if (type == PROF_TRACE__TRACK_EVENT__TYPE__TYPE_SLICE_END &&
               event->woken_by != TRACE_NONE) {
        track.n_terminating_flow_ids = 1;
        track.terminating_flow_ids = &flow;
    }
    packet.has_timestamp = packet.has_timestamp_clock_id = true;
    packet.timestamp = (uint64_t)ns;
    packet.timestamp_clock_id = CLOCK_MONOTONIC_ID;
    packet.track_event = &track;
    put_packet(out, &packet);
    free(text);
}

void *trace_encode_perfetto(const struct trace *trace, size_t *size)
{
    struct output out = {.trace = trace};
    put_tracks(&out);
    put_frames(&out);
    put_stacks(&out);
    for (size_t n = 0; n < trace->n_events; n++) {
        const struct trace_event *event = &trace->events[n];
        if (event->kind == LEDGER_TRACE_CPU) {
            put_sample(&out, event);
        } else if (event->kind == LEDGER_TRACE_WAIT) {
            put_track_event(&out, event, n, PROF_TRACE__TRACK_EVENT__TYPE__TYPE_SLICE_BEGIN,
                            event->begin_ns);
            put_track_event(&out, event, n, PROF_TRACE__TRACK_EVENT__TYPE__TYPE_SLICE_END,
                            event->end_ns);
        } else {
            put_track_event(&out, event, n, PROF_TRACE__TRACK_EVENT__TYPE__TYPE_INSTANT,
                            event->end_ns);
        }
    }
    *size = out.bytes.size;
    return out.bytes.data;
}
