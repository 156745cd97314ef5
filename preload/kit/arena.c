#include "kit/arena.h"

#include "kit/mappings.h"
#include "kit/sys.h"
#include <stdint.h>

/* Few system calls for a dump of usual size, little waste for a small one. */
#define CHUNK_FIRST ((size_t)256 << 10)
#define CHUNK_LARGEST ((size_t)4 << 20)
#define PAGE ((size_t)4096)

struct arena_chunk {
    struct arena_chunk *older;
    size_t size, used; /* bytes, this header included */
};

_Static_assert(sizeof(struct arena_chunk) <= 32, "header fits the first 32 bytes");
#define CHUNK_HEADER ((size_t)32)

static struct arena_chunk *chunk_add(struct arena *arena, size_t size)
{
    size_t want = arena->chunks ? arena->chunks->size * 2 : CHUNK_FIRST;
    struct arena_chunk *chunk;

    if (want > CHUNK_LARGEST)
        want = CHUNK_LARGEST;
    if (want < size + CHUNK_HEADER)
        want = (size + CHUNK_HEADER + PAGE - 1) & ~(PAGE - 1);
    if (arena->limit && (want > arena->limit || arena->total > arena->limit - want))
        return NULL;
    chunk = mappings_map(want);
    if (!chunk)
        return NULL;
    chunk->older = arena->chunks;
    chunk->size = want;
    chunk->used = CHUNK_HEADER;
    arena->chunks = chunk;
    arena->total += want;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_chunk *chunk = arena->chunks;
    void *p;

    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    if (!chunk || chunk->size - chunk->used < size)
        chunk = chunk_add(arena, size);
    if (!chunk)
        return NULL;
    p = (char *)chunk + chunk->used;
    chunk->used += size;
    return p;
}

void arena_release(struct arena *arena)
{
    struct arena_chunk *chunk = arena->chunks;

    arena->chunks = NULL;
    arena->total = 0;
    while (chunk) {
        struct arena_chunk *older = chunk->older;
        mappings_unmap(chunk, chunk->size);
        chunk = older;
    }
}
