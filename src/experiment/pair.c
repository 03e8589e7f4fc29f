/* Work of kind pair: runs on training sets that differ in one example, compared after every epoch. */
#include "base/value.h"
#include "experiment/experiment.h"
#include <glissade/search.h>

typedef struct pair_options {
    gls_ints exchange;
} pair_options;

static const gls_option item = {.type = GLS_OPTION_INT, .minimum = 0, .maximum = 1e15};
static const gls_option table[] = {GLS_LIST("exchange", pair_options, exchange, NULL, 1, 1000, &item,
                                            "examples to exchange", .flags = GLS_OPTION_REQUIRED),
                                   {0}};

static void watch(void *user, const gls_exchange_series *series, const gls_exchange_row *row) {
    gls_experiment_job_look(user, 0.5);
}

static void keep(const gls_exchange_series *series, json_t *outcome) {
    static const char *const name[] = {"distance", "eps_stab", "train_loss", "test_loss", "gap", "test_score"};
    for (int64_t i = 0; i < series->rows; i++) {
        const gls_exchange_row *row = &series->row[i];
        const double value[] = {row->distance.mean, row->eps_stab.mean, row->train_loss,
                                row->test_loss,     row->gap,           row->test_score};
        for (int k = 0; k < 6; k++) {
            gls_experiment_outcome_point(outcome, name[k], row->step, row->epoch, value[k]);
            if (i == series->rows - 1) gls_experiment_outcome_figure(outcome, name[k], value[k]);
        }
    }
    if (series->diverged) json_object_set_new(outcome, "diverged", json_true());
}

/* Runs take their threads from the context's options. */
static gls_status pair_in(gls_experiment_job *job, const void *section, json_t *outcome) {
    const pair_options *o = section;
    gls_context_options setup = {.size = sizeof setup, .threads = job->threads};
    gls_exchange_options options = {.size = sizeof options,
                                    .config = job->config,
                                    .example = o->exchange.item,
                                    .examples = o->exchange.count,
                                    .folder = job->folder,
                                    .context = &setup,
                                    .progress = watch,
                                    .user = job};
    gls_exchange *exchange = NULL;
    gls_status status = gls_exchange_run(job->child, &options, &exchange);
    if (status != GLS_OK) {
        gls_fail(job->ctx, status, "%s", gls_context_message(job->child));
    } else if (exchange->interrupted) {
        status = gls_fail(job->ctx, GLS_ERR_INTERRUPTED, "interrupted");
    } else {
        keep(&exchange->series[0], outcome);
    }
    gls_exchange_destroy(exchange);
    return status;
}

static gls_status run(gls_experiment_job *job, json_t *outcome) {
    return gls_experiment_job_by(job, "pair", table, sizeof(pair_options), true, pair_in, outcome);
}

const gls_experiment_kind gls_experiment_pair = {.name = "pair", .seed_key = "train.seed", .run = run};
