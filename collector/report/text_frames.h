/* Frames below a record of a text profile; shared by the forms. */
#ifndef COLLECTOR_REPORT_TEXT_FRAMES_H
#define COLLECTOR_REPORT_TEXT_FRAMES_H

#include <stdint.h>
#include <stdio.h>

#include "profile/profile.h"

/* ` 0x1 0x2`: the return addresses. A leaf's exact address is one higher here too,
 * because readers take one off every address of these forms. */
void text_print_addresses(const struct profile_sample *s, FILE *out);
/* `#<TAB>0x1<TAB>f+0x2<TAB>file:3` for each frame, columns aligned, then a blank line. entries:
 * as in struct text_options. */
void text_print_frames(const struct profile_sample *s, const uint64_t *entries, FILE *out);
/* Go-quoted string, in double quotes. */
void text_print_quoted(const char *s, FILE *out);

#endif
