/* The scores, each a function of what was predicted and what was right. */
#ifndef GLS_PREDICT_SCORE_TABLE_H
#define GLS_PREDICT_SCORE_TABLE_H

#include <glissade/predict.h>

/* Predictions with a target: outputs z [n, width]; classes label and predicted [n], or values y [n, width]. */
typedef struct gls_scored {
    gls_context *ctx;
    gls_link link;
    int64_t n, width, classes;
    const gls_real *z, *y;
    const int32_t *label, *predicted;
    const int64_t *confusion; /* [classes, classes] or NULL: tokens */
    const double *recall, *f1;
    int64_t length;    /* of sequences: n rows of label and predicted [n, length], each ended by -1 if shorter */
    double characters; /* that the labels of tokens stand for; 0: not known */
} gls_scored;

typedef struct gls_score_row {
    gls_score_type type;
    gls_status (*score)(const gls_scored *scored, double *out); /* NaN: does not apply to these */
} gls_score_row;
extern const gls_score_row gls_score_rows[]; /* ends without a name */

#endif
