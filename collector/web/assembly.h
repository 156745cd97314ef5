/*
 * Machine code as text, by objdump: for code whose source isn't here.
 *
 * Context: any thread; runs a program and waits for it, ten seconds at most.
 */
#ifndef COLLECTOR_WEB_ASSEMBLY_H
#define COLLECTOR_WEB_ASSEMBLY_H

#include "profile/profile.h"

/* Called for each instruction, in order of addresses. */
typedef void assembly_visit_fn(void *arg, uint64_t address, const char *text);

/* Disassembles [from, to) of the file, link-time addresses. False with *err. */
bool assembly_visit(const char *file, uint64_t from, uint64_t to, assembly_visit_fn *visit,
                    void *arg, struct error *err);

#endif
