/* Noise of a gradient oracle: what an analytic problem adds in training. Keyed by (seed, "noise", draw, slot, element),
 * so the same draw is the same noise however a mini-batch is cut. */
#ifndef GLS_PROBLEM_ORACLE_NOISE_H
#define GLS_PROBLEM_ORACLE_NOISE_H

#include <glissade/base.h>

#include "base/table.h"

/* The place of one draw of noise. */
typedef struct gls_oracle_noise_place {
    uint64_t seed, draw;
    int64_t slot;
    int64_t dim;
    const gls_real *w, *exact; /* [dim] the point, and the gradient there */
} gls_oracle_noise_place;

typedef struct gls_oracle_noise gls_oracle_noise;

typedef struct gls_oracle_noise_type {
    gls_member member; /* options' struct is handed to check and draw */
    /* NULL: fine. Whether these options can be used in `dim` dimensions. */
    gls_status (*check)(gls_context *ctx, const void *options, int64_t dim);
    /* out [dim] = the exact gradient with its noise. */
    void (*draw)(const void *options, const gls_oracle_noise_place *place, gls_real *out);
} gls_oracle_noise_type;

/* spec: a name, or a map with `name`; NULL, `none`: *out is NULL. */
gls_status gls_oracle_noise_create(gls_context *ctx, const gls_value *spec, int64_t dim, gls_oracle_noise **out);
void gls_oracle_noise_destroy(gls_oracle_noise *noise);
void gls_oracle_noise_draw(const gls_oracle_noise *noise, const gls_oracle_noise_place *place, gls_real *out);

/* The models of noise. */
extern const gls_member_kind gls_oracle_noise_kind;

#endif
