/* The modules that libdwfl found, in a profile: mappings, and locations in them. */
#ifndef COLLECTOR_OUTSIDE_MODULES_H
#define COLLECTOR_OUTSIDE_MODULES_H

#include <elfutils/libdwfl.h>
#include <stdint.h>

#include "profile/profile.h"

/* Adds a mapping for each executable segment of each module. */
void modules_add(struct profile *p, Dwfl *dwfl);

/* The location of an address, which is made when there is none yet. */
struct profile_location *modules_location(struct profile *p, uint64_t address);

#endif
