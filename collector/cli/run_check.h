/* Before prof run: can this program be profiled, and by which libprof.so? */
#ifndef COLLECTOR_CLI_RUN_CHECK_H
#define COLLECTOR_CLI_RUN_CHECK_H

#include "profile/profile.h"

/* libprof.so: $LIBPROF_SO, beside this program, in its build tree, beside the installed
 * one, or in the library folder it was built for. malloc'ed; NULL with *err. */
char *run_find_library(struct error *err);

/* Can LD_PRELOAD name this path? Spaces and colons separate names there, and nothing escapes them
 * (ld.so(8)). */
bool run_can_be_preloaded(const char *path);

/* Looks the program up as a shell would and reads its headers. False with *err, one
 * line, when the loader would ignore LD_PRELOAD or can't load libprof.so: static,
 * setuid, file capabilities, another libc, another word size or machine,
 * ThreadSanitizer as a library, or a script
 * whose interpreter is one of these. What can't be found or read is left to exec. */
bool run_check_program(const char *name, struct error *err);

/* Makes the directory for dumps, with its parents, before hours of work go by; *made:
 * it was not there. False with *err: dumps can't be written there. */
bool run_make_directory(const char *path, bool *made, struct error *err);

#endif
