#include "interp/merge.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* No address of a program has this bit: the low ones are the number of a Python frame. */
#define IS_PYTHON (UINT64_C(1) << 63)
#define PYTHON_MOST 512 /* frames read of a stack */

struct known {
    UT_hash_handle hh;
    struct {
        const char *name, *file; /* the struct python's */
        unsigned line, first_line;
    } key;
    uint64_t number;
    struct profile *profile; /* that has `location` */
    struct profile_location *location;
};

struct merge {
    struct python *python;
    struct known *known;
    struct known **by_number;
    size_t n, cap;
};

struct merge *merge_new(struct python *python)
{
    struct merge *merge = mem_zero(1, sizeof *merge);
    merge->python = python;
    return merge;
}

void merge_free(struct merge *merge)
{
    struct known *known, *next;
    if (!merge)
        return;
    HASH_ITER(hh, merge->known, known, next)
    {
        HASH_DEL(merge->known, known);
        free(known);
    }
    python_close(merge->python);
    free(merge->by_number);
    free(merge);
}

bool merge_has_python(const struct merge *merge)
{
    return merge->python != NULL;
}

static uint64_t number_of(struct merge *merge, const struct python_frame *frame)
{
    struct known *known, fresh;
    memset(&fresh, 0, sizeof fresh); /* padding is part of the key */
    fresh.key.name = frame->name;
    fresh.key.file = frame->file;
    fresh.key.line = frame->line;
    fresh.key.first_line = frame->first_line;
    HASH_FIND(hh, merge->known, &fresh.key, sizeof fresh.key, known);
    if (!known) {
        known = mem_alloc(sizeof *known);
        *known = fresh;
        known->number = merge->n;
        merge->by_number =
            mem_grow(merge->by_number, merge->n, &merge->cap, sizeof *merge->by_number);
        merge->by_number[merge->n++] = known;
        HASH_ADD(hh, merge->known, key, sizeof known->key, known);
    }
    return IS_PYTHON | known->number;
}

/* How many calls of the evaluator there are, and where each ends among the Python frames. */
static size_t count_entries(const struct python_frame *frames, size_t n)
{
    size_t entries = 0;
    for (size_t i = 0; i < n; i++)
        entries += frames[i].is_entry;
    return entries;
}

size_t merge_python(struct merge *merge, pid_t tid, uint64_t *frames, size_t depth, size_t max)
{
    struct python_frame python[PYTHON_MOST];
    size_t n = merge->python ? python_frames(merge->python, tid, python, PYTHON_MOST) : 0;
    if (!n)
        return depth;
    size_t evaluators = 0, next = 0, length = 0;
    for (size_t i = 0; i < depth; i++)
        evaluators += python_is_evaluator(merge->python, frames[i]);
    if (depth && evaluators != count_entries(python, n))
        return depth;
    uint64_t *merged = mem_alloc((depth + n + 1) * sizeof *merged);
    for (size_t i = 0; i < depth; i++) {
        if (!python_is_evaluator(merge->python, frames[i])) {
            merged[length++] = frames[i];
            continue;
        }
        bool entry = false;
        while (next < n && !entry) {
            merged[length++] = number_of(merge, &python[next]);
            entry = python[next++].is_entry;
        }
    }
    for (; !depth && next < n; next++)
        merged[length++] = number_of(merge, &python[next]);
    length = length < max ? length : max;
    memcpy(frames, merged, length * sizeof *frames);
    free(merged);
    return length;
}

struct profile_location *merge_location(struct merge *merge, struct profile *p, uint64_t frame)
{
    uint64_t number = frame & ~IS_PYTHON;
    if (!(frame & IS_PYTHON) || number >= merge->n)
        return NULL;
    struct known *known = merge->by_number[number];
    if (known->profile != p) {
        known->profile = p;
        known->location = profile_add_location(p, NULL, number + 1, 1);
        known->location->lines[0].function = profile_add_function(
            p, known->key.name, known->key.name, known->key.file, known->key.first_line);
        known->location->lines[0].line = known->key.line;
    }
    return known->location;
}
