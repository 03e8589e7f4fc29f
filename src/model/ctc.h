/* Connectionist temporal classification (Graves et al. 2006): -log of the probability that frames spell a sequence of
 * labels, summed over all alignments: each frame a label or the blank, runs of equal ones read once, blanks left out.
 * In logarithms and doubles; every figure carries its tangent along a direction. */
#ifndef GLS_MODEL_CTC_H
#define GLS_MODEL_CTC_H

#include <glissade/base.h>

/* A figure and its tangent. */
typedef struct gls_ctc_dual {
    double v, d;
} gls_ctc_dual;

/* One row: outputs z [frames, width], softmax over width; labels [labels] in [0, width - 1). */
typedef struct gls_ctc_row {
    const gls_real *z, *z_dot; /* z_dot NULL: no tangents */
    int64_t frames, width, blank;
    const int32_t *label;
    int64_t labels;
} gls_ctc_row;

/* Frames that an alignment takes at least: one a label, and a blank between equal ones. */
int64_t gls_ctc_frames(const gls_ctc_row *row);
/* Bytes of room for a row of that many frames, outputs and labels; `whole` for gradients, else for losses. */
int64_t gls_ctc_bytes(int64_t frames, int64_t width, int64_t labels, bool whole);
/* -log p and its tangent; infinite where no alignment exists. */
gls_ctc_dual gls_ctc_loss(const gls_ctc_row *row, void *room);
/* d [frames, width] = weight times the gradient with respect to z, or with z_dot that gradient's tangent. The row has
 * an alignment. */
void gls_ctc_gradient(const gls_ctc_row *row, double weight, void *room, gls_real *d);

#endif
