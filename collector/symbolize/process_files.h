/*
 * The files a living process has mapped, where their paths do not lead to them: the
 * process is in a container, its file was replaced or deleted, or never had a path
 * (memfd). The kernel keeps them open to us below /proc/PID (proc(5)).
 */
#ifndef COLLECTOR_SYMBOLIZE_PROCESS_FILES_H
#define COLLECTOR_SYMBOLIZE_PROCESS_FILES_H

#include "profile/profile.h"
#include "symbolize/elf_file.h"

struct process_files;

/* Reads the process's list of mappings. NULL: pid is 0, the process has ended, or its
 * list may not be read by us. The caller closes it. */
struct process_files *process_files_open(long pid);
/* The file the process maps where the mapping says, or NULL. A process id may belong to
 * another process by now, so that a file is only returned if its build id is the mapping's
 * or, where the mapping has none, if the process gives it the same name and file offset.
 * The caller closes the file. f may be NULL. */
struct elf_file *process_files_find(const struct process_files *f,
                                    const struct profile_mapping *m);
/* Does the mapping's path lead us to another file than the process? */
bool process_files_differ(const struct process_files *f, const struct profile_mapping *m);
/* NULL is fine. */
void process_files_close(struct process_files *f);

#endif
