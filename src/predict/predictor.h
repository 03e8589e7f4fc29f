/* The inside of a predictor, for its scores. */
#ifndef GLS_PREDICT_PREDICTOR_H
#define GLS_PREDICT_PREDICTOR_H

#include <glissade/estimator.h>
#include <glissade/model.h>
#include <glissade/predict.h>

#include "data/text.h"
#include "predict/trained.h"

struct gls_predictor {
    gls_context *ctx;
    gls_trained trained;
    gls_problem *problem;
    gls_fitted *fitted;
    gls_pass *pass;
    gls_real *w;                 /* [d] */
    gls_token_language language; /* of its texts */
};

/* To be destroyed. GLS_ERR_INPUT for rows of other words. */
gls_status gls_predictor_loader(gls_predictor *predictor, const gls_source *rows, gls_loader **loader);

#endif
