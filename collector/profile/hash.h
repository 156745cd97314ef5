/*
 * uthash, set up for the collector: a table that cannot grow ends the program as
 * any other allocation does.
 */
#ifndef COLLECTOR_PROFILE_HASH_H
#define COLLECTOR_PROFILE_HASH_H

#include "profile/mem.h"

#define uthash_fatal(msg) mem_die()
#include <uthash.h>

#endif
