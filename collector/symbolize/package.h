/* Which Debian package a file comes from, as dpkg's own lists say. */
#ifndef COLLECTOR_SYMBOLIZE_PACKAGE_H
#define COLLECTOR_SYMBOLIZE_PACKAGE_H

/* malloc'ed name of the package with the file's debug information ("xz-utils-dbgsym");
 * NULL: dpkg does not know the file, or there is no dpkg. path is absolute. */
char *package_find_debug(const char *path);

#endif
