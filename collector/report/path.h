/* File names of source code, as reports show them. */
#ifndef COLLECTOR_REPORT_PATH_H
#define COLLECTOR_REPORT_PATH_H

/* malloc'ed; "a/./b/../c" -> "a/c" by text alone, as Go's filepath.Clean. */
char *path_clean(const char *path);

/* The part of path to show or to search for: without any of the prefixes in the
 * ':' list trim; if that is empty, without everything up to the base name of one of
 * the ':' list search. Points into path. */
const char *path_trim(const char *path, const char *trim, const char *search);

#endif
