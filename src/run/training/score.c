/* The score that train.score names: the model's own, or one of the table that `evaluate` has. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "predict/score_set.h"
#include "run/training/training.h"

static const char *name_at(const void *user, int64_t i) {
    const gls_score_type *type;
    unsigned task = *(const unsigned *)user;
    for (int64_t k = 0; (type = gls_score_type_at(k)); k++)
        if ((type->tasks & task) && i-- == 0) return type->name;
    return NULL;
}

gls_status gls_training_choose_score(gls_training *t) {
    const char *name = t->train->score;
    if (strcmp(name, "auto") == 0) return GLS_OK;
    const gls_score_type *type = gls_score_type_find(name);
    unsigned task = ~0U;
    if (type) GLS_TRY(gls_score_task(t->problem, &t->problem->data, &task));
    if (type && (type->tasks & task)) {
        t->score = type;
        return GLS_OK;
    }
    char all[GLS_NAMES_TEXT];
    gls_text_of_names(all, name_at, &task);
    return gls_fail(t->ctx, GLS_ERR_ARGUMENT, "train.score: '%s' is no score%s; expected auto or one of %s", name,
                    type ? " of such targets" : "", all);
}

const char *gls_training_score_name(const gls_training *t) {
    return t->score ? t->score->name : t->problem->score_count ? t->problem->score[0] : NULL;
}

double gls_training_merit(const gls_training *t, double score) {
    return t->score && t->score->lower ? -score : score;
}

gls_status gls_training_score(gls_training *t, const gls_source *set, const gls_real *w, double *score) {
    gls_scores found = {0};
    gls_token_language language;
    gls_score_set of = {.ctx = t->ctx,
                        .problem = t->problem,
                        .pass = t->evaluation_pass,
                        .w = w,
                        .info = &set->info,
                        .language = &language};
    *score = NAN;
    GLS_TRY(gls_token_language_create(t->ctx, "train.score", gls_value_get(t->config, "data"), &set->info, &language));
    gls_status status = gls_training_loader(t, set, &of.loader);
    if (status == GLS_OK) status = gls_score_set_fill(&of, set, t->score->name, &found);
    if (status == GLS_OK && found.count) *score = found.value[0];
    gls_scores_clear(t->ctx, &found);
    gls_loader_destroy(of.loader);
    gls_token_language_clear(&language);
    return status;
}
