/* Mini-batches of a training: sampler, batch schedule, loader fed ahead. */
#ifndef GLS_RUN_BATCHES_H
#define GLS_RUN_BATCHES_H

#include <glissade/data.h>

typedef struct gls_training gls_training;
typedef struct gls_batches gls_batches;

gls_status gls_batches_create(gls_training *training, gls_batches **out);
void gls_batches_destroy(gls_batches *batches);
/* The next mini-batch, or the present one again. */
gls_status gls_batches_get(gls_batches *batches, bool same, gls_stream **out);
double gls_batches_epoch(const gls_batches *batches); /* after the present mini-batch */
/* Position after the present mini-batch, and that of the present one, whatever was fetched ahead. */
gls_status gls_batches_arrays(gls_batches *batches, const char *prefix, gls_arrays *arrays);
gls_status gls_batches_restored(gls_batches *batches);
/* Steps in the whole run and in an epoch; total 0: open. */
gls_status gls_batches_plan(gls_training *training, double *steps_per_epoch, double *total_steps);

#endif
