/*
 * The calling thread's entry in the ledger's thread table: its index, its name.
 *
 * Context: hooks and handlers; AS-safe.
 */
#ifndef LIBPROF_SAMPLE_CORE_THREAD_ENTRY_H
#define LIBPROF_SAMPLE_CORE_THREAD_ENTRY_H

#include <stdint.h>

/* Its index, entered now if need be; 0 when the table is full, or it is not entered yet and system
 * calls are forbidden (kit/sys.h). */
uint32_t thread_index(void);

/* Writes the thread's present name into its entry, if it has one. */
void thread_refresh_name(void);

#endif
