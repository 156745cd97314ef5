/*
 * Run-time addresses to those in the file on disk: what disassemblers know.
 */
#ifndef COLLECTOR_EXPORT_LINK_ADDRESS_H
#define COLLECTOR_EXPORT_LINK_ADDRESS_H

#include "profile/profile.h"

/* What to add to a run-time address in the mapping. Read from the program headers
 * of the mapping's file if it is there with the right build id; else a position
 * independent file is taken to be linked so that addresses equal file offsets, and
 * a mapping in the low 4 GiB to be of a program linked to run where it is. */
uint64_t link_address_find_bias(const struct profile_mapping *m);

#endif
