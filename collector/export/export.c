#include "export/export.h"

#include <stdio.h>
#include <string.h>

#include "export/json.h"

const struct export_format export_formats[] = {
    {"callgrind", "call tree, lines and assembly in KCachegrind", callgrind_write},
    {"folded", "a line for each stack, for flamegraph.pl", folded_write},
    {"speedscope", "every sample type, for speedscope", speedscope_write},
    {"chrome", "trace events, for Perfetto and chrome://tracing", chrome_write},
    {"firefox", "for the Firefox Profiler", firefox_write},
    {"svg", "a flame graph: one picture that zooms and searches", svg_write},
    {"html", "one page: flame graph, table, all sample types", html_write},
    {"json", "the flame tree, documented, for programs", json_write},
    {"text", "Go's text form, for people", text_write},
    {"pb", "pprof's own format", pb_write},
    {0},
};

const struct export_format *export_find_format(const char *name, struct error *err)
{
    char names[256] = "";
    size_t n = 0;
    for (const struct export_format *f = export_formats; f->name; f++) {
        if (strcmp(f->name, name) == 0)
            return f;
        n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n ? ", " : "", f->name);
    }
    fail_with(err, "unknown format \"%s\"; there are %s", name, names);
    return NULL;
}
