/* "Did you mean ...?" for a word that is none. */
#ifndef COLLECTOR_CLI_NEAREST_H
#define COLLECTOR_CLI_NEAREST_H

#include <stddef.h>

/* How many letters have to be changed, left out, put in or exchanged with their neighbour to make
 * one word of the other: Damerau and Levenshtein's distance, for words of up to 31 letters; beyond
 * that
 * 99. '-' and '_' are equal. */
unsigned nearest_distance(const char *a, size_t a_length, const char *b);

/* Is the distance small enough for a slip: a letter in three, and two at most? */
int nearest_is_slip(unsigned distance, size_t length);

#endif
