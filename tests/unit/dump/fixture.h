/* A ledger with known contents, and a profile read back with protobuf-c's reader. */
#ifndef LIBPROF_TESTS_DUMP_FIXTURE_H
#define LIBPROF_TESTS_DUMP_FIXTURE_H

#include "ledger/ledger.h"
#include "profile.pb-c.h"
#include "wire/encode.h"

typedef Perftools__Profiles__Profile Profile;
typedef Perftools__Profiles__Sample Sample;

#define MAIN_START UINT64_C(0x555500001000)
#define LIB_START UINT64_C(0x7f0000002000)
#define FRAME(module, address) ((uint64_t)(module) << 48 | (address))
#define START_NS UINT64_C(1700000000000000000)
#define START_MONO_NS UINT64_C(5000000000)

/* Makes `ledger`: modules 1 (a library), 2 (the main program), 3 (a library at
 * the same address as 1, after it), of the given heap rate. */
void fixture_ledger(uint64_t heap_rate, uint64_t max_memory);
void fixture_drop(void);

/* Adds to the counter of a site; depth frames of `frames`. Returns the site. */
uint32_t fixture_site(enum ledger_kind kind, uint64_t key, const uint64_t *frames, unsigned depth,
                      enum unwind_end end, uint64_t count, uint64_t value);

/* Encodes, checks the container and unpacks. Freed by the reader's own function. */
Profile *fixture_encode(enum dump_profile profile);

/* A profile's bytes (gzip member), malloced. */
void *fixture_encode_bytes(enum dump_profile profile, size_t *size);

/* gunzip of exactly one member; NULL when it isn't one. */
void *fixture_inflate(const void *bytes, size_t size, size_t *out_size);

#endif
