/* Reading another process's memory. */
#ifndef COLLECTOR_BASE_PEEK_H
#define COLLECTOR_BASE_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All `size` bytes at the address, or false with errno set. It asks for the rights of a
 * debugger (process_vm_readv(2)). */
bool peek(pid_t pid, uint64_t address, void *buffer, size_t size);

#endif
