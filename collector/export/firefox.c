/*
 * The Firefox Profiler's processed format, version 48: the web application upgrades
 * older versions, so that this one stays readable. A thread for each sample type.
 *
 * Stacks are the nodes of the flame tree; frames and functions are the same thing
 * here, one for each function. There is no time line: sample i is at i milliseconds.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/format.h"
#include "export/strings.h"
#include "export/tree.h"

#define PROCESSED_VERSION 48
#define GECKO_VERSION 29

enum category { CATEGORY_OTHER, CATEGORY_PROGRAM, CATEGORY_LIBRARY };

struct firefox {
    struct writer *out;
    const struct profile *p;
    struct tree *t;
    struct string_table strings;
    struct string_table objects; /* libs and resources have the same numbers */
    uint32_t *mapping;           /* by object: index of a mapping of it */
};

/* One column: [f(0),f(1),...] with a constant for f. */
static void put_constant(struct writer *w, const char *name, const char *value, size_t n)
{
    writer_printf(w, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        if (i)
            writer_put_char(w, ',');
        writer_put(w, value);
    }
    writer_put_char(w, ']');
}

typedef int64_t column_fn(const struct firefox *x, size_t i);

/* A column of numbers; negative ones are null unless they are kept. */
static void put_column(struct firefox *x, const char *name, size_t n, column_fn *value,
                       bool keep_negative)
{
    writer_printf(x->out, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        int64_t v = value(x, i);
        if (i)
            writer_put_char(x->out, ',');
        if (v < 0 && !keep_negative)
            writer_put(x->out, "null");
        else
            writer_put_int(x->out, v);
    }
    writer_put_char(x->out, ']');
}

static enum category category_of(const struct firefox *x, const struct frame *f)
{
    if (!f->mapping)
        return CATEGORY_OTHER;
    return strcmp(f->object, x->p->mappings[0]->file) == 0 ? CATEGORY_PROGRAM : CATEGORY_LIBRARY;
}

static int64_t stack_prefix(const struct firefox *x, size_t i)
{
    return (int64_t)x->t->nodes[i + 1].parent - 1;
}

static int64_t stack_frame(const struct firefox *x, size_t i)
{
    return x->t->nodes[i + 1].frame;
}

static int64_t stack_category(const struct firefox *x, size_t i)
{
    return category_of(x, &x->t->frames->list[x->t->nodes[i + 1].frame]);
}

static int64_t frame_category(const struct firefox *x, size_t i)
{
    return category_of(x, &x->t->frames->list[i]);
}

static int64_t frame_func(const struct firefox *x, size_t i)
{
    return (int64_t)i;
}

static int64_t frame_line(const struct firefox *x, size_t i)
{
    int64_t line = x->t->frames->list[i].line;
    return line ? line : -1;
}

/* All strings and objects are numbered before they are written: so these only look up. */
static int64_t func_name(const struct firefox *x, size_t i)
{
    struct firefox *y = (struct firefox *)(uintptr_t)x;
    return string_table_index(&y->strings, x->t->frames->list[i].name);
}

static int64_t func_file(const struct firefox *x, size_t i)
{
    struct firefox *y = (struct firefox *)(uintptr_t)x;
    const char *file = x->t->frames->list[i].file;
    return *file ? (int64_t)string_table_index(&y->strings, file) : -1;
}

static int64_t func_resource(const struct firefox *x, size_t i)
{
    struct firefox *y = (struct firefox *)(uintptr_t)x;
    const struct frame *f = &x->t->frames->list[i];
    return f->mapping ? (int64_t)string_table_index(&y->objects, f->object) : -1;
}

static int64_t resource_lib(const struct firefox *x, size_t i)
{
    return (int64_t)i;
}

static int64_t resource_name(const struct firefox *x, size_t i)
{
    struct firefox *y = (struct firefox *)(uintptr_t)x;
    return string_table_index(&y->strings, frames_base_name(x->objects.list[i]));
}

static void number_strings(struct firefox *x)
{
    const struct frames *f = x->t->frames;
    x->mapping = mem_zero(x->p->n_mappings + 1, sizeof(*x->mapping));
    for (size_t i = 0; i < f->n; i++) {
        func_name(x, i);
        func_file(x, i);
        size_t n = x->objects.n;
        if (func_resource(x, i) == (int64_t)n)
            x->mapping[n] = f->list[i].mapping - 1;
    }
    for (size_t i = 0; i < x->objects.n; i++)
        resource_name(x, i);
}

/* 16 bytes of build id as Breakpad prints a GUID: the first three fields are little
 * endian; and an age of 0. */
static void put_breakpad_id(struct writer *w, const char *build_id)
{
    static const unsigned char order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    size_t n = strlen(build_id);
    writer_put_char(w, '"');
    for (size_t i = 0; i < 16; i++)
        for (size_t half = 0; half < 2; half++) {
            size_t at = order[i] * (size_t)2 + half;
            int c = at < n && isxdigit((unsigned char)build_id[at]) ? build_id[at] : '0';
            writer_put_char(w, (char)toupper(c));
        }
    writer_put(w, "0\"");
}

static void put_libs(struct firefox *x)
{
    writer_put(x->out, ",\n\"libs\":[");
    for (size_t i = 0; i < x->objects.n; i++) {
        const struct profile_mapping *m = x->p->mappings[x->mapping[i]];
        static const char *const names[] = {"name", "debugName", "path", "debugPath"};
        writer_put(x->out, i ? ",\n{\"arch\":\"\"" : "\n{\"arch\":\"\"");
        for (size_t j = 0; j < 4; j++) {
            writer_printf(x->out, ",\"%s\":", names[j]);
            writer_put_json(x->out, j < 2 ? frames_base_name(m->file) : m->file);
        }
        writer_put(x->out, ",\"breakpadId\":");
        put_breakpad_id(x->out, m->build_id);
        writer_put(x->out, ",\"codeId\":");
        if (*m->build_id)
            writer_put_json(x->out, m->build_id);
        else
            writer_put(x->out, "null");
        writer_put_char(x->out, '}');
    }
    writer_put_char(x->out, ']');
}

static void put_meta(struct firefox *x, const struct export_options *options)
{
    struct writer *w = x->out;
    char *title = export_title(x->p, options);
    writer_printf(w,
                  "{\"meta\":{\"interval\":1,\"startTime\":%lld,\"processType\":0,\"stackwalk\":1,"
                  "\"debug\":false,\"version\":%d,\"preprocessedProfileVersion\":%d,"
                  "\"symbolicated\":true,\"importedFrom\":\"libprof\",\"product\":",
                  (long long)(x->p->time_nanos / 1000000), GECKO_VERSION, PROCESSED_VERSION);
    writer_put_json(w, title);
    writer_put(w, ",\"categories\":["
                  "{\"name\":\"Other\",\"color\":\"grey\",\"subcategories\":[\"Other\"]},"
                  "{\"name\":\"Program\",\"color\":\"yellow\",\"subcategories\":[\"Other\"]},"
                  "{\"name\":\"Library\",\"color\":\"blue\",\"subcategories\":[\"Other\"]}],"
                  "\"markerSchema\":[],\"extensions\":{\"length\":0,\"baseURL\":[],\"id\":[],"
                  "\"name\":[]},\"sampleUnits\":{\"time\":\"ms\",\"eventDelay\":\"ms\","
                  "\"threadCPUDelta\":\"\u00b5s\"},\"usesOnlyOneStackType\":true,"
                  "\"doesNotUseFrameImplementation\":true,\"sourceCodeIsNotOnSearchfox\":true,");
    writer_printf(w, "\"initialSelectedThreads\":[%d]}", options->type);
    free(title);
}

/* What all threads have in common: tables of stacks, frames, functions, objects. */
static void put_tables(struct firefox *x)
{
    struct writer *w = x->out;
    size_t stacks = x->t->n - 1, frames = x->t->frames->n, objects = x->objects.n;
    writer_printf(w, ",\n\"stackTable\":{\"length\":%zu", stacks);
    put_column(x, "prefix", stacks, stack_prefix, false);
    put_column(x, "frame", stacks, stack_frame, false);
    put_column(x, "category", stacks, stack_category, false);
    put_constant(w, "subcategory", "0", stacks);
    writer_printf(w, "},\n\"frameTable\":{\"length\":%zu", frames);
    put_constant(w, "address", "-1", frames);
    put_constant(w, "inlineDepth", "0", frames);
    put_column(x, "category", frames, frame_category, false);
    put_constant(w, "subcategory", "0", frames);
    put_column(x, "func", frames, frame_func, false);
    put_constant(w, "nativeSymbol", "null", frames);
    put_constant(w, "innerWindowID", "0", frames);
    put_constant(w, "implementation", "null", frames);
    put_column(x, "line", frames, frame_line, false);
    put_constant(w, "column", "null", frames);
    writer_printf(w, "},\n\"funcTable\":{\"length\":%zu", frames);
    put_column(x, "name", frames, func_name, false);
    put_constant(w, "isJS", "false", frames);
    put_constant(w, "relevantForJS", "false", frames);
    put_column(x, "resource", frames, func_resource, true);
    put_column(x, "fileName", frames, func_file, false);
    put_column(x, "lineNumber", frames, frame_line, false);
    put_constant(w, "columnNumber", "null", frames);
    writer_printf(w, "},\n\"resourceTable\":{\"length\":%zu", objects);
    put_column(x, "lib", objects, resource_lib, false);
    put_column(x, "name", objects, resource_name, false);
    put_constant(w, "host", "null", objects);
    put_constant(w, "type", "1", objects);
    writer_put(w, "},\n\"nativeSymbols\":{\"length\":0,\"libIndex\":[],\"address\":[],"
                  "\"name\":[],\"functionSize\":[]},\"markers\":{\"length\":0,\"category\":[],"
                  "\"data\":[],\"endTime\":[],\"name\":[],\"phase\":[],\"startTime\":[]},"
                  "\n\"stringArray\":");
    string_table_write_json(&x->strings, w);
}

/* One sample for each node with a value of its own. */
static void put_samples(struct firefox *x, size_t type)
{
    struct writer *w = x->out;
    const struct tree *t = x->t;
    const char *unit = x->p->sample_types[type].unit;
    bool is_time = strcmp(unit, "nanoseconds") == 0;
    struct writer stack = {0}, time = {0}, weight = {0};
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        int64_t value = t->self[i * t->n_types + type];
        if (!value)
            continue;
        const char *comma = n ? "," : "";
        writer_put(&stack, comma);
        if (i)
            writer_put_uint(&stack, i - 1);
        else
            writer_put(&stack, "null");
        writer_put(&time, comma);
        writer_put_uint(&time, n++);
        writer_put(&weight, comma);
        writer_put_int(&weight, is_time ? value / 1000000 : value);
        if (is_time)
            writer_printf(&weight, ".%06lld", (long long)(value % 1000000));
    }
    writer_printf(w, ",\"samples\":{\"length\":%zu,\"weightType\":\"%s\",\"stack\":[", n,
                  is_time                      ? "tracing-ms"
                  : strcmp(unit, "bytes") == 0 ? "bytes"
                                               : "samples");
    writer_put_bytes(w, stack.data, stack.size);
    writer_put(w, "],\"time\":[");
    writer_put_bytes(w, time.data, time.size);
    writer_put(w, "],\"weight\":[");
    writer_put_bytes(w, weight.data, weight.size);
    writer_put(w, "]}");
    writer_free(&stack);
    writer_free(&time);
    writer_free(&weight);
}

static void put_threads(struct firefox *x)
{
    struct writer *w = x->out, tables = {0};
    x->out = &tables;
    put_tables(x);
    x->out = w;
    writer_put(w, ",\n\"threads\":[");
    for (size_t type = 0; type < x->t->n_types; type++) {
        writer_put(w, type ? ",\n{\"name\":" : "\n{\"name\":");
        writer_put_json(w, x->p->sample_types[type].type);
        writer_printf(w,
                      ",\"isMainThread\":%s,\"pid\":\"1\",\"tid\":%zu,\"processType\":\"default\","
                      "\"registerTime\":0,\"unregisterTime\":null,\"processStartupTime\":0,"
                      "\"processShutdownTime\":null,\"pausedRanges\":[],\"processName\":",
                      type ? "false" : "true", type + 1);
        writer_put_json(w, profile_program_name(x->p));
        put_samples(x, type);
        writer_put_bytes(w, tables.data, tables.size);
        writer_put_char(w, '}');
    }
    writer_put(w, "]}\n");
    writer_free(&tables);
}

bool firefox_write(struct writer *out, const struct profile *p,
                   const struct export_options *options, struct error *err)
{
    struct firefox x = {.out = out, .p = p};
    if (!export_check_positive(p, -1, "firefox", err))
        return false;
    x.t = tree_new(p);
    number_strings(&x);
    put_meta(&x, options);
    put_libs(&x);
    writer_put(out, ",\n\"pages\":[],\"counters\":[],\"profilerOverhead\":[]");
    put_threads(&x);
    string_table_free(&x.strings);
    string_table_free(&x.objects);
    free(x.mapping);
    tree_free(x.t);
    return true;
}
