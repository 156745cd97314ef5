/*
 * A flame graph in one SVG file: callers above callees, width is value. Without a
 * script it is a picture; its own script (svg.js) zooms, searches and takes keys.
 * Colours tell objects apart; in a comparison red is more, blue is less.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "export/format.h"
#include "export/tree.h"
#include "profile/unit.h"
#include "svg_js.h"

#define WIDTH 1200.0
#define HEADER 66
#define ROW 18
#define MARGIN 10
/* Narrower frames are left out: nobody can see or hit them. */
#define MIN_WIDTH 0.1
#define CHAR_WIDTH 7.25 /* of the 12 px monospaced font */
#define N_HUES 9
#define N_SHADES 3
/* Degrees: neighbours differ much, and nine come round to different hues. */
#define HUE_STEP 160.0

struct svg {
    struct writer *out;
    const struct profile *p;
    const struct tree *t;
    size_t type;
    const char *unit;
    double scale;        /* pixels for one unit of value */
    double change_scale; /* largest share that any frame gained or lost */
};

static unsigned hash_text(const char *text)
{
    unsigned h = 2166136261u;
    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 16777619u;
    return h ^ h >> 15;
}

static int64_t value_of(const struct svg *s, const int64_t *values, size_t node)
{
    return values[node * s->t->n_types + s->type];
}

static int channel(double hue, double saturation, double lightness, double offset)
{
    double a = saturation * fmin(lightness, 1 - lightness);
    double k = fmod(offset + hue / 30, 12);
    return (int)lround(255 * (lightness - a * fmax(-1, fmin(fmin(k - 3, 9 - k), 1))));
}

/* Hexadecimal: not every viewer knows hsl(). */
static void put_fill(struct writer *w, const char *class, double hue, double saturation,
                     double lightness)
{
    writer_printf(w, ".%s rect{fill:#%02x%02x%02x}", class, channel(hue, saturation, lightness, 0),
                  channel(hue, saturation, lightness, 8), channel(hue, saturation, lightness, 4));
}

static void put_fills(struct writer *w, bool dark)
{
    char class[16];
    for (int hue = 0; hue < N_HUES; hue++)
        for (int shade = 0; shade < N_SHADES; shade++) {
            snprintf(class, sizeof(class), "c%d%c", hue, 'a' + shade);
            put_fill(w, class, fmod(hue * HUE_STEP + 25, 360), dark ? 0.45 : 0.75,
                     (dark ? 0.30 : 0.72) + shade * 0.05);
        }
    for (int step = -4; step <= 4; step++) {
        snprintf(class, sizeof(class), "%c%d", step < 0 ? 'l' : 'g', abs(step));
        put_fill(w, class, step < 0 ? 215 : 5, step ? 0.75 : 0.0,
                 dark ? 0.30 + abs(step) * 0.05 : 0.88 - abs(step) * 0.08);
    }
    put_fill(w, "none", 0, 0, dark ? 0.33 : 0.8);
}

static void put_style(struct writer *w)
{
    writer_put(
        w,
        "<style>"
        "text{font:12px monospace;fill:#111;pointer-events:none}"
        ":root{background:#fff}.page{fill:#fff}.title{font:bold 16px sans-serif}.note{fill:#555}"
        "#frames rect{stroke:#fff;stroke-width:.5;stroke-opacity:.4}"
        ".live #frames g{cursor:pointer}.above{opacity:.55}"
        "#frames g:hover rect,#frames g:focus rect{stroke:#000;stroke-width:1.5;stroke-opacity:1}"
        "#frames g{outline:none}"
        "#frames g.hit rect{fill:#e040fb}"
        "foreignObject,#reset{display:none}.live foreignObject,.live #reset"
        "{display:inline}#reset{cursor:pointer}#reset text{fill:#0645ad}"
        "input{font:12px sans-serif;width:100%;box-sizing:border-box;"
        "color-scheme:light dark}");
    put_fills(w, false);
    writer_put(w, "@media(prefers-color-scheme:dark){text{fill:#eee}"
                  ":root{background:#1b1b1f}.page{fill:#1b1b1f}"
                  ".note{fill:#aaa}#frames rect{stroke:#1b1b1f}#reset text{fill:#8ab4f8}"
                  "#frames g:hover rect,#frames g:focus rect{stroke:#fff}");
    put_fills(w, true);
    writer_put(w, "#frames g.hit rect{fill:#a21caf}}</style>\n");
}

static void put_header(struct svg *s, const struct export_options *options, uint32_t depth)
{
    struct writer *w = s->out;
    const struct profile_value_type *type = &s->p->sample_types[s->type];
    double height = HEADER + (depth + 1) * (double)ROW + MARGIN;
    char *title = export_title(s->p, options);
    char total[UNIT_TEXT];
    writer_printf(w,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
                  "width=\"%.0f\" height=\"%.0f\" data-width=\"%.0f\">\n<title>",
                  WIDTH, height, WIDTH, height, WIDTH);
    writer_put_xml(w, title);
    writer_put(w, "</title>\n");
    put_style(w);
    writer_put(w, "<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n"
                  "<text class=\"title\" x=\"10\" y=\"24\">");
    writer_put_xml(w, title);
    writer_put(w, "</text>\n<text class=\"note\" x=\"10\" y=\"42\">");
    writer_put_xml(w, type->type);
    writer_printf(w, ", total %s",
                  unit_format(total, value_of(s, s->t->total, 0), type->unit, "auto"));
    if (s->t->base_total)
        writer_printf(w, ", before %s; red: more than before, blue: less",
                      unit_format(total, value_of(s, s->t->base_total, 0), type->unit, "auto"));
    writer_put(w, "</text>\n<text id=\"info\" x=\"10\" y=\"60\" role=\"status\"/>\n"
                  "<text id=\"found\" class=\"note\" x=\"800\" y=\"24\" text-anchor=\"end\"/>\n"
                  "<g id=\"reset\" tabindex=\"0\" role=\"button\"><rect x=\"1080\" y=\"8\" "
                  "width=\"110\" height=\"24\" fill=\"none\" pointer-events=\"all\"/>"
                  "<text x=\"1190\" y=\"24\" text-anchor=\"end\">Reset zoom</text></g>\n"
                  "<foreignObject x=\"820\" y=\"8\" width=\"250\" height=\"26\">"
                  "<input xmlns=\"http://www.w3.org/1999/xhtml\" id=\"search\" type=\"search\" "
                  "placeholder=\"Search functions (/)\" aria-label=\"Search functions, a regular "
                  "expression\"/></foreignObject>\n");
    free(title);
}

/* The name cut to the width, at a character's beginning. */
static void put_label(struct writer *w, const char *name, double width)
{
    size_t room = width > 6 ? (size_t)((width - 6) / CHAR_WIDTH) : 0, at = 0, n = 0;
    if (room < 3)
        return;
    for (; name[at] && n < room; n++)
        for (at++; ((unsigned char)name[at] & 0xc0) == 0x80;)
            at++;
    if (!name[at]) {
        writer_put_xml(w, name);
        return;
    }
    while (at > 0 && ((unsigned char)name[--at] & 0xc0) == 0x80)
        ;
    char *cut = mem_printf("%.*s", (int)at, name);
    writer_put_xml(w, cut);
    writer_put(w, "\u2026");
    free(cut);
}

/* "g3": gained; "l2": lost; the step says how much, of what any frame did. */
static void put_change_class(struct svg *s, size_t node)
{
    double change =
        (double)value_of(s, s->t->total, node) - (double)value_of(s, s->t->base_total, node);
    int step = s->change_scale > 0 ? (int)ceil(4 * fabs(change) / s->change_scale) : 0;
    writer_printf(s->out, "%c%d", change < 0 ? 'l' : 'g', step > 4 ? 4 : step);
}

static void put_class(struct svg *s, size_t node)
{
    const struct frame *f = node ? &s->t->frames->list[s->t->nodes[node].frame] : NULL;
    if (s->t->base_total)
        put_change_class(s, node);
    else if (!f || !f->mapping)
        writer_put(s->out, "none");
    else
        writer_printf(s->out, "c%u%c", (f->mapping - 1) % N_HUES,
                      'a' + (int)(hash_text(f->name) % N_SHADES));
}

/* Lines: name; value, share; where it is. */
static void put_title(struct svg *s, size_t node)
{
    struct writer *w = s->out;
    const struct tree_node *at = &s->t->nodes[node];
    const struct frame *f = node ? &s->t->frames->list[at->frame] : NULL;
    char value[UNIT_TEXT], share[UNIT_TEXT];
    int64_t total = value_of(s, s->t->total, node);
    writer_put(w, "<title>");
    writer_put_xml(w, f ? f->name : "all");
    writer_printf(w, "\n%s, %s", unit_format(value, total, s->unit, "auto"),
                  unit_percent(share, total, value_of(s, s->t->total, 0)));
    if (s->t->base_total)
        writer_printf(w, ", before %s",
                      unit_format(value, value_of(s, s->t->base_total, node), s->unit, "auto"));
    if (f && (at->inlined || *f->file || *f->object)) {
        writer_put(w, at->inlined ? "\ninlined " : "\n");
        writer_put_xml(w, *f->file ? f->file : f->object);
    }
    writer_put(w, "</title>");
}

static void put_node(struct svg *s, size_t node, double x, double width)
{
    struct writer *w = s->out;
    uint32_t depth = s->t->nodes[node].depth;
    int y = HEADER + (int)depth * ROW;
    writer_put(w, "<g class=\"");
    put_class(s, node);
    writer_printf(w, "\" data-d=\"%u\" tabindex=\"%d\">", depth, node ? -1 : 0);
    put_title(s, node);
    writer_printf(w,
                  "<rect x=\"%.3f\" y=\"%d\" width=\"%.3f\" height=\"%d\"/><text x=\"%.1f\" "
                  "y=\"%d\">",
                  x, y, width, ROW - 1, x + 3, y + 13);
    put_label(w, node ? s->t->frames->list[s->t->nodes[node].frame].name : "all", width);
    writer_put(w, "</text></g>\n");
}

static bool is_visible(const struct svg *s, size_t node)
{
    return (double)value_of(s, s->t->total, node) * s->scale >= MIN_WIDTH;
}

static void put_nodes(struct svg *s)
{
    /* By node: where its next child begins. */
    double *next = mem_zero(s->t->n, sizeof(*next));
    for (size_t i = 0; i < s->t->n; i++) {
        if (i && !is_visible(s, i)) {
            i = s->t->nodes[i].end - 1;
            continue;
        }
        double width = i ? (double)value_of(s, s->t->total, i) * s->scale : WIDTH;
        double x = i ? next[s->t->nodes[i].parent] : 0;
        next[s->t->nodes[i].parent] = x + width;
        next[i] = x; /* in this order: the root is its own parent */
        put_node(s, i, x, width);
    }
    free(next);
}

/* How deep the picture gets, and the largest change in it. */
static uint32_t measure(struct svg *s)
{
    uint32_t depth = 0;
    for (size_t i = 1; i < s->t->n; i++) {
        if (!is_visible(s, i))
            continue;
        if (s->t->nodes[i].depth > depth)
            depth = s->t->nodes[i].depth;
        if (s->t->base_total)
            s->change_scale = fmax(s->change_scale, fabs((double)value_of(s, s->t->total, i) -
                                                         (double)value_of(s, s->t->base_total, i)));
    }
    return depth;
}

bool svg_write(struct writer *out, const struct profile *p, const struct export_options *options,
               struct error *err)
{
    if (!export_check_positive(p, options->type, "svg", err))
        return false;
    struct tree *t = tree_new(p);
    struct svg s = {.out = out, .p = p, .t = t, .type = (size_t)options->type};
    int64_t total = value_of(&s, t->total, 0);
    s.unit = p->sample_types[s.type].unit;
    s.scale = total > 0 ? WIDTH / (double)total : 0;
    put_header(&s, options, measure(&s));
    writer_put(out, "<g id=\"frames\">\n");
    put_nodes(&s);
    writer_put(out, "</g>\n<script><![CDATA[\n");
    writer_put(out, svg_js);
    writer_put(out, "]]></script>\n</svg>\n");
    tree_free(t);
    return true;
}
