/*
 * Where variables lie. The linker puts those of the largest alignment first (see
 * ../meson.build): tables that nothing touches before there is something to record are
 * given a page's, so that what every process writes to at its start lies together at the
 * end. A page that is written to costs each process that is started a fault.
 */
#ifndef LIBPROF_RUNTIME_LATE_H
#define LIBPROF_RUNTIME_LATE_H

#define LATE_TABLE _Alignas(4096)

#endif
