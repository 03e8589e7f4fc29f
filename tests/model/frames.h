/* Rows of frames with labels by position, made up for tests of the model room. */
#ifndef GLS_TESTS_MODEL_FRAMES_H
#define GLS_TESTS_MODEL_FRAMES_H

#include "check.h"

typedef struct check_frames {
    check_data d;
    int32_t *document;
} check_frames;

/* rows of at most `length` frames of `values` normal numbers; padded: the last row is full, the others are shorter.
 * Targets: one class, a class at every frame (some left out), or sequences that fit, equal neighbours among them. */
static inline check_frames check_frames_create(int64_t rows, int64_t length, int64_t values, int64_t classes,
                                               gls_target_kind target, bool padded) {
    check_frames f = {.d = check_data_create(rows, length * values, 0, 0, classes, 0)};
    gls_random random = gls_random_create(31, "frames", (uint64_t)target, padded);
    check_data *d = &f.d;
    d->info.length = length;
    d->info.dims = 2;
    d->info.shape[0] = length;
    d->info.shape[1] = values;
    d->info.target = d->batch.target = target;
    d->info.documents = padded ? GLS_DOCUMENTS_PADDED : GLS_DOCUMENTS_WHOLE;
    d->batch.length = length;
    f.document = calloc((size_t)(rows * length), sizeof *f.document);
    if (padded) d->batch.document = f.document;
    if (target == GLS_TARGET_CLASS) d->batch.label = d->label;
    int32_t *label = calloc((size_t)(rows * length), sizeof *label);
    for (int64_t r = 0; r < rows; r++) {
        int64_t frames = padded && r < rows - 1 ? length / 2 + gls_random_below(&random, length / 2) : length;
        int64_t labels = 1 + gls_random_below(&random, frames / 2), used = 0;
        for (int64_t t = 0; t < length; t++) {
            int32_t class = (int32_t)gls_random_below(&random, classes);
            bool frame = target == GLS_TARGET_FRAMES && t < frames && t % 5 != 3;
            label[r * length + t] = frame || (target == GLS_TARGET_SEQUENCE && t < labels) ? class : -1;
            used += label[r * length + t] >= 0;
            f.document[r * length + t] = t < frames ? 0 : -1;
        }
        d->mass[r] = (double)used / (double)length;
    }
    if (target == GLS_TARGET_CLASS) {
        free(label);
        return f;
    }
    free(d->label);
    d->label = label;
    d->batch.label = label;
    d->batch.mass = d->mass;
    return f;
}

static inline void check_frames_destroy(check_frames *f) {
    check_data_destroy(&f->d);
    free(f->document);
}

#endif
