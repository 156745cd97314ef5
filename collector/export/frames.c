#include "export/frames.h"

#include <obstack.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define obstack_chunk_alloc mem_alloc
#define obstack_chunk_free free

/* Line numbers beyond this are damage, and more than KCachegrind can hold. */
#define MAX_LINE INT32_MAX

struct frame_key {
    const char *name; /* strings of the profile: equal ones are the same pointer */
    const char *file;
    const char *object;
};

struct known_frame {
    UT_hash_handle hh;
    struct frame_key key;
    uint32_t index;
};

struct builder {
    const struct profile *p;
    struct frames *f;
    enum frames_identity identity;
    struct known_frame *known;
    size_t room;
};

const char *frames_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* "[libc.so.6]" */
static const char *name_of_object(struct builder *b, const char *object)
{
    if (!*object)
        return "<unknown>";
    const char *base = frames_base_name(object);
    if (*base == '[')
        return base; /* "[vdso]" */
    struct obstack *pool = b->f->pool;
    obstack_1grow(pool, '[');
    obstack_grow(pool, base, strlen(base));
    obstack_grow0(pool, "]", 1);
    return obstack_finish(pool);
}

static uint32_t find_frame(struct builder *b, const struct profile_location *l,
                           const struct profile_function *fn)
{
    const char *object = l->mapping ? l->mapping->file : "";
    const char *name = fn && *fn->name ? fn->name : fn ? fn->system_name : "";
    const char *file = fn ? fn->filename : "";
    /* Two empty strings may be different pointers: the one above and the profile's. */
    struct frame_key key = {
        .name = *name ? name : NULL,
        .file = *file && b->identity == FRAMES_BY_PLACE ? file : NULL,
        .object = *object ? object : NULL,
    };
    struct known_frame *known;
    HASH_FIND(hh, b->known, &key, sizeof(key), known);
    if (known)
        return known->index;
    known = obstack_alloc((struct obstack *)b->f->pool, sizeof(*known));
    known->key = key;
    known->index = (uint32_t)b->f->n;
    HASH_ADD(hh, b->known, key, sizeof(key), known);
    b->f->list = mem_grow(b->f->list, b->f->n, &b->room, sizeof(*b->f->list));
    b->f->list[b->f->n++] = (struct frame){
        .name = *name ? name : name_of_object(b, object),
        .file = file,
        .object = object,
        .line = fn && fn->start_line > 0 && fn->start_line <= MAX_LINE ? fn->start_line : 0,
        .address = UINT64_MAX,
        .mapping = l->mapping ? (uint32_t)l->mapping->id : 0,
        .named = *name != '\0',
    };
    return known->index;
}

static void add_site(struct builder *b, const struct profile_location *l, size_t line)
{
    const struct profile_line *at = line < l->n_lines ? &l->lines[line] : NULL;
    struct frame_site *site = &b->f->sites[b->f->n_sites++];
    int64_t number = at && at->line > 0 && at->line <= MAX_LINE ? at->line : 0;
    *site = (struct frame_site){
        .frame = find_frame(b, l, at ? at->function : NULL),
        .line = (uint32_t)number,
        .address = l->address,
        .inlined = line + 1 < l->n_lines,
    };
    struct frame *frame = &b->f->list[site->frame];
    if (site->address < frame->address)
        frame->address = site->address;
    if (number && (!frame->line || (!(at->function->start_line > 0) && number < frame->line)))
        frame->line = number;
}

struct frames *frames_new(const struct profile *p, enum frames_identity identity)
{
    struct frames *f = mem_zero(1, sizeof(*f));
    struct builder b = {.p = p, .f = f, .identity = identity};
    size_t n = 0;
    f->pool = mem_alloc(sizeof(struct obstack));
    obstack_init((struct obstack *)f->pool);
    for (size_t i = 0; i < p->n_locations; i++)
        n += p->locations[i]->n_lines ? p->locations[i]->n_lines : 1;
    f->sites = mem_zero(n + 1, sizeof(*f->sites));
    f->first = mem_zero(p->n_locations + 1, sizeof(*f->first));
    for (size_t i = 0; i < p->n_locations; i++) {
        const struct profile_location *l = p->locations[i];
        f->first[i] = (uint32_t)f->n_sites;
        size_t lines = l->n_lines ? l->n_lines : 1;
        for (size_t j = 0; j < lines; j++)
            add_site(&b, l, j);
    }
    f->first[p->n_locations] = (uint32_t)f->n_sites;
    HASH_CLEAR(hh, b.known);
    return f;
}

void frames_free(struct frames *f)
{
    if (!f)
        return;
    obstack_free((struct obstack *)f->pool, NULL);
    free(f->pool);
    free(f->list);
    free(f->sites);
    free(f->first);
    free(f);
}

void frames_expand(const struct frames *f, const struct profile_sample *s,
                   struct frame_stack *stack)
{
    stack->n = 0;
    for (size_t i = s->n_locations; i-- > 0;) {
        size_t location = s->locations[i]->id - 1;
        for (uint32_t site = f->first[location + 1]; site-- > f->first[location];) {
            stack->sites = mem_grow(stack->sites, stack->n, &stack->room, sizeof(*stack->sites));
            stack->sites[stack->n++] = site;
        }
    }
}
