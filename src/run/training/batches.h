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
/* From the next mini-batch on; those that were announced are drawn anew. */
void gls_batches_resize(gls_batches *batches, int64_t rows);
/* The map that train.batch or train.batch_schedule is, or NULL. */
const gls_value *gls_batches_spec(const gls_training *training);

/* batch_rule.c: a batch size that follows a measurement. */
typedef struct gls_batches_rule gls_batches_rule;
/* *out is NULL where train.batch names no rule. */
gls_status gls_batches_rule_create(gls_training *training, gls_batches_rule **out);
void gls_batches_rule_destroy(gls_batches_rule *rule); /* NULL is legal; so it is below */
/* The greatest mini-batch; 0: no rule. */
int64_t gls_batches_rule_limit(const gls_training *training);
/* After a step: measures if it is due, and resizes the mini-batches. Collective over ranks. */
gls_status gls_batches_rule_follow(gls_batches_rule *rule);
gls_status gls_batches_rule_arrays(gls_batches_rule *rule, const char *prefix, gls_arrays *arrays);
gls_status gls_batches_rule_restored(gls_batches_rule *rule);

/* Steps in the whole run and in an epoch; total 0: open. */
gls_status gls_batches_plan(gls_training *training, double *steps_per_epoch, double *total_steps);

#endif
