/* The text forms that have a file of their own; read_text.c chooses among them. */
#ifndef COLLECTOR_PROFILE_READ_TEXT_FORMS_H
#define COLLECTOR_PROFILE_READ_TEXT_FORMS_H

#include "profile/text_lines.h"

/* Read the rest, from the header on, which is the current line. False: told. */
bool text_read_heap(struct text *t);
bool text_read_contention(struct text *t);
bool text_read_threadz(struct text *t);

/* Does a thread's stack follow this line? */
bool text_is_thread_start(const char *line);

#endif
