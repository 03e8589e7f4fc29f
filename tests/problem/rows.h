/* Made-up rows of every form, the same at every call. */
#ifndef TESTS_PROBLEM_ROWS_H
#define TESTS_PROBLEM_ROWS_H

#include <glissade/glissade.h>

typedef struct made_rows {
    gls_data_info info;
    gls_batch batch;
    void *block[10];
} made_rows;

/* n rows of p features (sparse: a third of them stored); classes > 0: labels, else `targets` real values. */
void rows_make(made_rows *rows, int64_t n, int64_t p, bool sparse, int64_t classes, int64_t targets, bool masses);
/* n rows of `length` tokens out of `vocabulary`, with next tokens of which some are left out, and masses. */
void rows_make_tokens(made_rows *rows, int64_t n, int64_t vocabulary, int64_t length);
/* Gives rows with labels a second one each, and shares of which some are 1. */
void rows_mix(made_rows *rows);
void rows_free(made_rows *rows);

#endif
