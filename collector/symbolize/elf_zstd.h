/*
 * Debug sections packed with zstd (ELFCOMPRESS_ZSTD). libelf unpacks zlib; zstd only since
 * 0.189, and only where it was built so.
 */
#ifndef COLLECTOR_SYMBOLIZE_ELF_ZSTD_H
#define COLLECTOR_SYMBOLIZE_ELF_ZSTD_H

#include "symbolize/elf_file.h"

/* Unpacks them all, in memory, so that libdw finds plain sections. False: one is damaged or
 * larger than any that a linker writes; libdw does without it. */
bool elf_zstd_expand(struct elf_file *f);

#endif
