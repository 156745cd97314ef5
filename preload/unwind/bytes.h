/*
 * A bounded cursor over the bytes of unwind tables: reading past the end sets
 * `bad` and gives 0, so that parsers check once at the end of a record instead
 * of at every byte. AS-safe; reads only [at, end).
 */
#ifndef LIBPROF_UNWIND_BYTES_H
#define LIBPROF_UNWIND_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    const uint8_t *at, *end;
    bool bad;
};

static inline size_t bytes_left(const struct bytes *b)
{
    return (size_t)(b->end - b->at);
}

/* size: 1, 2, 4 or 8 bytes, little-endian, zero-extended. */
static inline uint64_t bytes_unsigned(struct bytes *b, size_t size)
{
    uint64_t value = 0;
    if (bytes_left(b) < size) {
        b->bad = true;
        b->at = b->end;
        return 0;
    }
    memcpy(&value, b->at, size);
    b->at += size;
    return value;
}

/* As above, sign-extended. */
static inline int64_t bytes_signed(struct bytes *b, size_t size)
{
    unsigned shift = 64 - 8 * (unsigned)size;
    return (int64_t)(bytes_unsigned(b, size) << shift) >> shift;
}

static inline uint8_t bytes_u8(struct bytes *b)
{
    return (uint8_t)bytes_unsigned(b, 1);
}

/* DWARF 5, 7.6. Bits past 64 are dropped. */
static inline uint64_t bytes_uleb(struct bytes *b)
{
    uint64_t value = 0;
    uint8_t byte;
    unsigned shift = 0;
    do {
        byte = bytes_u8(b);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return value;
}

static inline int64_t bytes_sleb(struct bytes *b)
{
    uint64_t value = 0;
    uint8_t byte;
    unsigned shift = 0;
    do {
        byte = bytes_u8(b);
        if (shift < 64)
            value |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    if (shift < 64 && (byte & 0x40))
        value |= UINT64_MAX << shift;
    return (int64_t)value;
}

static inline void bytes_skip(struct bytes *b, uint64_t size)
{
    if (size > bytes_left(b)) {
        b->bad = true;
        b->at = b->end;
    } else {
        b->at += size;
    }
}

#endif
