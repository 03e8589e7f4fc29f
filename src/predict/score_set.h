/* Scores of a whole set at any weights: of a trained model, and along a run. */
#ifndef GLS_PREDICT_SCORE_SET_H
#define GLS_PREDICT_SCORE_SET_H

#include <glissade/estimator.h>
#include <glissade/predict.h>

#include "data/text.h"

typedef struct gls_score_set {
    gls_context *ctx;
    gls_problem *problem;
    gls_pass *pass;
    const gls_real *w;                  /* [d] */
    gls_loader *loader;                 /* of the rows */
    const gls_data_info *info;          /* of them */
    const gls_token_language *language; /* of texts */
} gls_score_set;

/* What such rows are scored as: one of GLS_TASK_.... GLS_ERR_UNSUPPORTED with a sentence where outputs mean nothing. */
gls_status gls_score_task(const gls_problem *problem, const gls_data_info *info, unsigned *task);
/* All scores but the loss, or the one called `only`; out is cleared first, and to be cleared also when this fails. */
gls_status gls_score_set_fill(const gls_score_set *set, const gls_source *rows, const char *only, gls_scores *out);
/* NULL: there is none of that name. */
const gls_score_type *gls_score_type_find(const char *name);

#endif
