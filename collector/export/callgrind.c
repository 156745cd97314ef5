/*
 * The callgrind format, for KCachegrind and callgrind_annotate: every sample type
 * is an event, every function belongs to its object and file, calls and lines carry
 * link-time addresses so that assembly can be shown.
 *
 * A profile knows stacks, not calls. Each sample's stack is walked from the root;
 * its value becomes self cost of the leaf, and inclusive cost of the call to each
 * function *where that function appears first*. A function further down that is
 * already on the stack gets the call, without cost: so the incoming costs of a
 * function add up to its true inclusive cost under any recursion. The root is a
 * function of its own, or the stacks' first functions would have no incoming call
 * while also being called by others.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "export/format.h"
#include "export/frames.h"
#include "export/link_address.h"
#include "export/strings.h"

#define ROOT_NAME "[root]"
#define NONE UINT32_MAX

struct edge_key {
    uint32_t site;   /* of the call; frames->n_sites: the root */
    uint32_t callee; /* frame */
};

struct edge {
    UT_hash_handle hh;
    struct edge_key key;
    struct edge *next; /* from the same site */
    int64_t count;     /* of calls: the sum of value[0] */
    int64_t cost[];    /* inclusive, by sample type */
};

/* What KCachegrind takes functions for the same by; see disambiguate(). */
struct twin {
    UT_hash_handle hh;
    char *key;
    unsigned n;
};

struct callgrind {
    struct writer *out;
    const struct profile *p;
    struct frames *f;
    size_t n_types;
    size_t *order;  /* of the events: indexes of sample types, the one asked for first */
    int64_t *self;  /* by site and type; the root is the site after the last */
    int64_t *total; /* by type */
    struct edge *edges;
    struct edge **calls;  /* by site: what it calls */
    uint32_t *next_site;  /* by site: the next of the same frame */
    uint32_t *first_site; /* by frame */
    uint32_t *on_stack;   /* by frame: the last sample it was seen in, + 1 */
    unsigned *suffix;     /* by frame: 0, or what tells it from its namesake */
    /* Numbers by which names were written, 0: not yet. */
    uint32_t *fn_known;
    struct string_table objects, files;
};

static struct edge *find_edge(struct callgrind *c, uint32_t site, uint32_t callee)
{
    struct edge_key key = {.site = site, .callee = callee};
    struct edge *e;
    HASH_FIND(hh, c->edges, &key, sizeof(key), e);
    if (e)
        return e;
    e = mem_zero(1, sizeof(*e) + c->n_types * sizeof(e->cost[0]));
    e->key = key;
    e->next = c->calls[site];
    c->calls[site] = e;
    HASH_ADD(hh, c->edges, key, sizeof(key), e);
    return e;
}

static void add_costs(int64_t *to, const int64_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = export_add(to[i], values[i]);
}

static void add_sample(struct callgrind *c, size_t index, struct frame_stack *stack)
{
    const struct profile_sample *s = c->p->samples[index];
    uint32_t caller = (uint32_t)c->f->n_sites;
    frames_expand(c->f, s, stack);
    for (size_t i = 0; i < stack->n; i++) {
        uint32_t site = stack->sites[i];
        uint32_t frame = c->f->sites[site].frame;
        struct edge *e = find_edge(c, caller, frame);
        e->count = export_add(e->count, s->values[0]);
        if (c->on_stack[frame] != index + 1)
            add_costs(e->cost, s->values, c->n_types);
        c->on_stack[frame] = (uint32_t)(index + 1);
        caller = site;
    }
    add_costs(c->self + caller * c->n_types, s->values, c->n_types);
    add_costs(c->total, s->values, c->n_types);
}

/* KCachegrind takes functions for the same when name, base name of the file and
 * base name of the object agree: later ones get a number then. */
static void disambiguate(struct callgrind *c)
{
    struct twin *twins = NULL, *t, *next;
    for (size_t i = 0; i < c->f->n; i++) {
        const struct frame *f = &c->f->list[i];
        char *key = mem_printf("%s\n%s\n%s", f->name, frames_base_name(f->file),
                               frames_base_name(f->object));
        HASH_FIND_STR(twins, key, t);
        if (t) {
            free(key);
            c->suffix[i] = ++t->n;
            continue;
        }
        t = mem_zero(1, sizeof(*t));
        t->key = key;
        t->n = 1;
        HASH_ADD_KEYPTR(hh, twins, t->key, strlen(t->key), t);
    }
    HASH_ITER(hh, twins, t, next)
    {
        HASH_DEL(twins, t);
        free(t->key);
        free(t);
    }
}

static void put_number(struct callgrind *c, const char *prefix, uint32_t number)
{
    writer_put(c->out, prefix);
    writer_put_char(c->out, '(');
    writer_put_uint(c->out, number);
    writer_put_char(c->out, ')');
}

/* "prefix(ID) name" where the name is new, "prefix(ID)" after. */
static void put_name(struct callgrind *c, const char *prefix, struct string_table *known,
                     const char *name)
{
    size_t n = known->n;
    uint32_t number = string_table_index(known, *name ? name : "???");
    put_number(c, prefix, number + 1);
    if (number == n) {
        writer_put_char(c->out, ' ');
        writer_put_line(c->out, known->list[number], 0, 0);
    }
    writer_put_char(c->out, '\n');
}

static void put_function(struct callgrind *c, const char *prefix, uint32_t frame)
{
    /* The root comes after the last frame. */
    put_number(c, prefix, frame + 1);
    if (!c->fn_known[frame]) {
        c->fn_known[frame] = 1;
        writer_put_char(c->out, ' ');
        writer_put_line(c->out, frame < c->f->n ? c->f->list[frame].name : ROOT_NAME, 0, 0);
        if (c->suffix[frame])
            writer_printf(c->out, " [%u]", c->suffix[frame]);
    }
    writer_put_char(c->out, '\n');
}

static void put_costs(struct callgrind *c, const int64_t *cost)
{
    for (size_t i = 0; i < c->n_types; i++) {
        writer_put_char(c->out, ' ');
        writer_put_int(c->out, cost[c->order[i]]);
    }
    writer_put_char(c->out, '\n');
}

/* Absolute: KCachegrind reads relative ones into 32 bits. */
static void put_position(struct callgrind *c, uint64_t address, uint64_t line)
{
    writer_put_hex(c->out, address);
    writer_put_char(c->out, ' ');
    writer_put_uint(c->out, line);
}

/* The object and file of a frame; the root has neither. */
static const struct frame *place_of(const struct callgrind *c, uint32_t frame)
{
    static const struct frame root = {.name = ROOT_NAME, .file = "", .object = ""};
    return frame < c->f->n ? &c->f->list[frame] : &root;
}

static void put_call(struct callgrind *c, const struct frame *from, const struct frame_site *site,
                     const struct edge *e)
{
    const struct frame *to = place_of(c, e->key.callee);
    if (strcmp(to->object, from->object) != 0)
        put_name(c, "cob=", &c->objects, to->object);
    if (strcmp(to->file, from->file) != 0)
        put_name(c, "cfi=", &c->files, to->file);
    put_function(c, "cfn=", e->key.callee);
    /* 0 calls would make it self cost for callgrind_annotate. */
    writer_put(c->out, "calls=");
    writer_put_int(c->out, e->count > 0 ? e->count : 1);
    writer_put_char(c->out, ' ');
    put_position(c, to->address, (uint64_t)to->line);
    writer_put_char(c->out, '\n');
    put_position(c, site->address, site->line);
    put_costs(c, e->cost);
}

static bool has_cost(const struct callgrind *c, const int64_t *cost)
{
    for (size_t i = 0; i < c->n_types; i++)
        if (cost[i])
            return true;
    return false;
}

static void put_site(struct callgrind *c, const struct frame *frame, uint32_t index)
{
    static const struct frame_site root_site;
    const struct frame_site *site = index < c->f->n_sites ? &c->f->sites[index] : &root_site;
    const int64_t *self = c->self + index * c->n_types;
    if (has_cost(c, self)) {
        put_position(c, site->address, site->line);
        put_costs(c, self);
    }
    for (const struct edge *e = c->calls[index]; e; e = e->next)
        put_call(c, frame, site, e);
}

static void put_frame(struct callgrind *c, uint32_t index)
{
    const struct frame *frame = place_of(c, index);
    writer_put_char(c->out, '\n');
    put_name(c, "ob=", &c->objects, frame->object);
    put_name(c, "fl=", &c->files, frame->file);
    put_function(c, "fn=", index);
    for (uint32_t site = c->first_site[index]; site != NONE; site = c->next_site[site])
        put_site(c, frame, site);
}

/* Letters, digits and underscores only; different for each type. */
static void put_event_name(struct callgrind *c, size_t type)
{
    const char *name = c->p->sample_types[type].type;
    if (!*name || (*name >= '0' && *name <= '9'))
        writer_put_char(c->out, '_');
    for (const char *at = name; *at; at++) {
        bool plain =
            (*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        writer_put_char(c->out, plain ? *at : '_');
    }
    for (size_t i = 0; i < type; i++)
        if (strcmp(c->p->sample_types[i].type, name) == 0) {
            writer_printf(c->out, "_%zu", type + 1);
            return;
        }
}

static void put_header(struct callgrind *c)
{
    const struct profile *p = c->p;
    const char *program = p->n_mappings ? p->mappings[0]->file : "";
    writer_put(c->out, "# callgrind format\nversion: 1\ncreator: libprof-" LIBPROF_VERSION "\n");
    if (*program) {
        writer_put(c->out, "cmd: ");
        writer_put_line(c->out, program, 0, 0);
        writer_put_char(c->out, '\n');
    }
    for (size_t i = 0; i < p->n_comments; i++) {
        writer_put(c->out, "desc: Comment: ");
        writer_put_line(c->out, p->comments[i], 0, 0);
        writer_put_char(c->out, '\n');
    }
    writer_put(c->out, "positions: instr line\n");
    for (size_t i = 0; i < c->n_types; i++) {
        const struct profile_value_type *type = &p->sample_types[c->order[i]];
        writer_put(c->out, "event: ");
        put_event_name(c, c->order[i]);
        writer_put(c->out, " : ");
        writer_put_line(c->out, type->type, 0, 0);
        writer_put(c->out, " (");
        writer_put_line(c->out, type->unit, 0, 0);
        writer_put(c->out, ")\n");
    }
    writer_put(c->out, "events:");
    for (size_t i = 0; i < c->n_types; i++) {
        writer_put_char(c->out, ' ');
        put_event_name(c, c->order[i]);
    }
    writer_put(c->out, "\nsummary:");
    put_costs(c, c->total);
}

static void prepare(struct callgrind *c, int type)
{
    size_t sites = c->f->n_sites + 1, frames = c->f->n + 1;
    c->order = mem_zero(c->n_types, sizeof(*c->order));
    c->order[0] = (size_t)type;
    for (size_t i = 0, at = 1; i < c->n_types; i++)
        if (i != (size_t)type)
            c->order[at++] = i;
    c->self = mem_zero(sites * c->n_types, sizeof(*c->self));
    c->total = mem_zero(c->n_types, sizeof(*c->total));
    c->calls = mem_zero(sites, sizeof(*c->calls));
    c->next_site = mem_zero(sites, sizeof(*c->next_site));
    c->first_site = mem_zero(frames, sizeof(*c->first_site));
    c->on_stack = mem_zero(frames, sizeof(*c->on_stack));
    c->suffix = mem_zero(frames, sizeof(*c->suffix));
    c->fn_known = mem_zero(frames, sizeof(*c->fn_known));
    for (size_t i = 0; i < frames; i++)
        c->first_site[i] = NONE;
    for (size_t i = sites; i-- > 0;) {
        uint32_t frame = i < c->f->n_sites ? c->f->sites[i].frame : (uint32_t)c->f->n;
        c->next_site[i] = c->first_site[frame];
        c->first_site[frame] = (uint32_t)i;
    }
}

static void release(struct callgrind *c)
{
    struct edge *e, *next;
    HASH_ITER(hh, c->edges, e, next)
    {
        HASH_DEL(c->edges, e);
        free(e);
    }
    string_table_free(&c->objects);
    string_table_free(&c->files);
    free(c->order);
    free(c->self);
    free(c->total);
    free(c->calls);
    free(c->next_site);
    free(c->first_site);
    free(c->on_stack);
    free(c->suffix);
    free(c->fn_known);
    frames_free(c->f);
}

bool callgrind_write(struct writer *out, const struct profile *p,
                     const struct export_options *options, struct error *err)
{
    struct callgrind c = {.out = out, .p = p, .n_types = p->n_sample_types};
    struct frame_stack stack = {0};
    if (!export_check_positive(p, -1, "callgrind", err))
        return false;
    c.f = frames_new(p, FRAMES_BY_PLACE);
    link_address_resolve(p, c.f);
    prepare(&c, options->type);
    for (size_t i = 0; i < p->n_samples; i++)
        add_sample(&c, i, &stack);
    free(stack.sites);
    disambiguate(&c);
    put_header(&c);
    put_frame(&c, (uint32_t)c.f->n);
    for (uint32_t i = 0; i < c.f->n; i++)
        put_frame(&c, i);
    writer_put(out, "\ntotals:");
    put_costs(&c, c.total);
    release(&c);
    return true;
}
