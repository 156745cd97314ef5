/*
 * What the fuzzers do with one input; no call may fault or hang, whatever the
 * bytes. fuzz_entry.c hands it to libFuzzer or AFL, test_fuzz.c runs it on
 * random mutations of real tables for a few seconds.
 */
#ifndef TESTS_UNIT_UNWIND_FUZZ_H
#define TESTS_UNIT_UNWIND_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Takes the bytes for an .eh_frame_hdr followed by its .eh_frame, and reads rows
 * for PCs around those that the table names. */
void fuzz_tables(const uint8_t *data, size_t size);

/* Takes the bytes for registers and a stack (each byte pair picks a value:
 * code, stack, heap, unmapped, random), and walks it with each engine. */
void fuzz_walk(const uint8_t *data, size_t size);

#endif
