/* Where a sampler is: the arithmetic of epochs, for the sampler itself and for whoever counts steps beforehand. */
#ifndef GLS_DATA_SAMPLER_H
#define GLS_DATA_SAMPLER_H

#include <glissade/data.h>

enum { GLS_SAMPLER_EPOCH, GLS_SAMPLER_PLACE, GLS_SAMPLER_DRAWS }; /* of a position, as checkpoints keep it */

/* Rows of the mini-batch that begins at position [3] where `batch` are asked for; the position moves past them. */
int64_t gls_sampler_move(const gls_sampler_options *options, int64_t batch, int64_t position[3]);
/* With drop_last, an epoch whose rest is smaller than the mini-batch that follows has ended. */
void gls_sampler_skip(const gls_sampler_options *options, int64_t batch, int64_t position[3]);
double gls_sampler_epoch_at(const gls_sampler_options *options, const int64_t position[3]);

/* gls_sampler_next in two parts, for mini-batches that change their size: what follows has `batch` rows. */
gls_status gls_sampler_draw(gls_sampler *sampler, int64_t batch, int64_t *index, int64_t *count, uint64_t *draw);
void gls_sampler_settle(gls_sampler *sampler, int64_t batch);

#endif
