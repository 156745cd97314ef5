/*
 * Where variables lie. A page that is written to costs each process that is started a fault,
 * so what every process writes to at its start lies together, in the page that .data ends in.
 * The linker sorts by section name (../meson.build): small variables come first, and last
 * the tables that nothing touches before there is something to record.
 */
#ifndef LIBPROF_KIT_SECTIONS_H
#define LIBPROF_KIT_SECTIONS_H

/* No alignment beyond a cache line's: all of .bss would begin at a page of its own then. */
#define COLD_TABLE __attribute__((section(".bss.~late"), aligned(64)))

/* Between the two: a large variable of which a start touches only the beginning. */
#define COLD_TAIL __attribute__((section(".bss.~half")))

#endif
