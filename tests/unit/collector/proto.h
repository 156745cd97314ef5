/*
 * A protobuf by hand, byte for byte: what a writer may put out, not what ours does.
 */
#ifndef TESTS_COLLECTOR_PROTO_H
#define TESTS_COLLECTOR_PROTO_H

#include <stdint.h>
#include <string.h>

struct proto {
    unsigned char data[4096];
    size_t size;
};

static inline void put_varint(struct proto *p, uint64_t v)
{
    do {
        p->data[p->size++] = (unsigned char)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v);
}

static inline void put_number(struct proto *p, unsigned field, uint64_t v)
{
    put_varint(p, field << 3);
    put_varint(p, v);
}

static inline void put_bytes(struct proto *p, unsigned field, const void *data, size_t n)
{
    put_varint(p, field << 3 | 2);
    put_varint(p, n);
    memcpy(p->data + p->size, data, n);
    p->size += n;
}

static inline void put_message(struct proto *p, unsigned field, const struct proto *m)
{
    put_bytes(p, field, m->data, m->size);
}

static inline void put_string(struct proto *p, unsigned field, const char *s)
{
    put_bytes(p, field, s, strlen(s));
}

static inline void put_packed(struct proto *p, unsigned field, const uint64_t *v, size_t n)
{
    struct proto packed = {.size = 0};
    for (size_t i = 0; i < n; i++)
        put_varint(&packed, v[i]);
    put_message(p, field, &packed);
}

#endif
