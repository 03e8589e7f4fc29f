/* Sequences of labels read out of frames, and how far one is from another. */
#ifndef GLS_PROBLEM_SEQUENCE_H
#define GLS_PROBLEM_SEQUENCE_H

#include <glissade/base.h>

/* Of outputs with a blank: label k is output k, or from the blank on output k + 1. */
static inline int64_t gls_sequence_output(int64_t label, int64_t blank) {
    return label < blank ? label : label + 1;
}
/* The largest output of every frame z [frames, width], runs of equal ones once, blanks left out: out [frames] begins
 * with the labels. Returns how many. A frame that is not a number counts as a blank. */
int64_t gls_sequence_decode(const gls_real *z, int64_t frames, int64_t width, int64_t blank, int32_t *out);
/* The labels in front of the first negative one. */
int64_t gls_sequence_length(const int32_t *label, int64_t room);
/* The fewest labels to put in, take out or change that make a of b (Levenshtein 1966); room [m + 1]. */
int64_t gls_sequence_edits(const int32_t *a, int64_t n, const int32_t *b, int64_t m, int64_t *room);

#endif
