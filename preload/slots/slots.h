/*
 * Slots: the words through which an object calls functions of other objects (its global
 * offset table, and pointers in its data; ELF gABI chapter 5). In a program that was started
 * without us they lead to the real functions.
 *
 * Context: the constructor or attach_detach, with all other threads stopped; slots_update
 * also in the hooks of dlopen and dlsym.
 */
#ifndef LIBPROF_SLOTS_SLOTS_H
#define LIBPROF_SLOTS_SLOTS_H

#include <stddef.h>

/* Points the slots of every loaded object at libprof's functions. Returns how many. */
size_t slots_take(void);

/* The same for objects that were loaded since. One thread at a time does it; another one
 * that comes meanwhile returns at once. */
void slots_update(void);

/* Puts back what was in them, in the objects that are still loaded. A slot that the program
 * has changed since stays as it is. */
void slots_give_back(void);

#endif
