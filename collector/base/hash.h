/*
 * uthash, set up for the collector: a table that cannot grow ends the program as
 * any other allocation does.
 */
#ifndef COLLECTOR_BASE_HASH_H
#define COLLECTOR_BASE_HASH_H

#include "base/mem.h"

#define uthash_fatal(msg) mem_die()
#include <uthash.h>

#endif
