/*
 * The 64-bit hash of a stack, which the ledger knows it by: a multiply-fold of one frame after
 * the other, leaf first, so that a walk can take it along. 2^-64 per pair of different stacks
 * is taken as never: comparing them frame by frame would cost exact mode two cache
 * lines an event.
 */
#ifndef LIBPROF_KIT_HASH_H
#define LIBPROF_KIT_HASH_H

#include <stdint.h>

#define HASH_START UINT64_C(0xa0761d6478bd642f)
#define HASH_FACTOR UINT64_C(0xe7037ed1a0b428db)

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 uint128;
    uint128 product = (uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Of the frames before, which begin with HASH_START, and one more. */
static inline uint64_t hash_add(uint64_t hash, uint64_t frame)
{
    return hash_fold(hash ^ frame, HASH_FACTOR);
}

static inline uint64_t hash_frames(const uint64_t *frames, unsigned depth)
{
    uint64_t hash = HASH_START;
    for (unsigned i = 0; i < depth; i++)
        hash = hash_add(hash, frames[i]);
    return hash;
}

#endif
