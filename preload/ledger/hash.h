/*
 * The ledger's 64-bit hash: a multiply-fold over pairs of words. 2^-64 per pair
 * of different stacks is taken as never: entries are compared by their hash,
 * key and kind, not frame by frame, which would cost exact mode two cache lines
 * an event.
 */
#ifndef LIBPROF_LEDGER_HASH_H
#define LIBPROF_LEDGER_HASH_H

#include <stdint.h>

#define HASH_K0 UINT64_C(0xa0761d6478bd642f)
#define HASH_K1 UINT64_C(0xe7037ed1a0b428db)
#define HASH_K2 UINT64_C(0x8ebc6af09c88c6e3)

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 uint128;
    uint128 product = (uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_frames(const uint64_t *frames, unsigned depth)
{
    /* Two chains, so that the multiplications overlap. */
    uint64_t a = HASH_K0 ^ depth, b = HASH_K1;
    unsigned i = 0;
    for (; i + 4 <= depth; i += 4) {
        a = hash_fold(a ^ frames[i], HASH_K1 ^ frames[i + 1]);
        b = hash_fold(b ^ frames[i + 2], HASH_K2 ^ frames[i + 3]);
    }
    for (; i < depth; i++)
        a = hash_fold(a ^ frames[i], HASH_K2);
    return hash_fold(a ^ HASH_K2, b ^ HASH_K0);
}

static inline uint64_t hash_site(uint64_t stack_hash, unsigned kind, uint64_t key)
{
    return hash_fold(stack_hash ^ HASH_K1, (key + ((uint64_t)kind << 56)) ^ HASH_K0);
}

#endif
