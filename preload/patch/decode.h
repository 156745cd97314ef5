/*
 * The first instructions of a function, moved elsewhere. Knows the instructions that compilers put
 * at the beginning of functions (Intel SDM vol. 2, chapter 2 and the opcode maps of appendix A) and
 * refuses all others.
 *
 * Context: start only.
 */
#ifndef LIBPROF_PATCH_DECODE_H
#define LIBPROF_PATCH_DECODE_H

#include <stdbool.h>
#include <stdint.h>

/* Room that moved instructions take at most, bytes. */
#define DECODE_MOST 24

/* Copies whole instructions from `code`, at least `least` bytes of them and none beyond `size`, so
 * that they do the same at `to`: addresses relative to the instruction are adjusted, and short
 * jumps widened. Returns how many bytes were taken; 0: one of them cannot be moved. to: DECODE_MOST
 * bytes, where they will run; *written: how many of them were used. A jump among them may lead into
 * the bytes that were taken: ask decode_jumps_into. */
unsigned decode_move(const uint8_t *code, uint64_t size, unsigned least, uint8_t *to,
                     unsigned *written);

/* May any instruction of the function jump to a byte of it from `low` up to, without, `high`? Every
 * byte is taken for the beginning of a jump, so that the answer is never wrongly no. */
bool decode_jumps_into(const uint8_t *code, uint64_t size, unsigned low, unsigned high);

#endif
