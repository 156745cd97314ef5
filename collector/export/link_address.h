/*
 * Run-time addresses to those in the files on disk: what disassemblers know.
 */
#ifndef COLLECTOR_EXPORT_LINK_ADDRESS_H
#define COLLECTOR_EXPORT_LINK_ADDRESS_H

#include "export/frames.h"

/*
 * Turns the addresses of all sites from run-time to link-time ones. Those of callers,
 * which lie in the last byte of a call, become the beginning of that call where the
 * file's bytes tell it: an instruction a disassembly shows.
 *
 * The program headers of a mapping's file are asked if the file is there and has
 * the right build id; else a position independent file is taken to be linked so that
 * addresses equal file offsets, and a mapping in the low 4 GiB to be of a program
 * linked to run where it is.
 */
void link_address_resolve(const struct profile *p, struct frames *f);

#endif
