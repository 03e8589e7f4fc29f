/* A step of the training on its next mini-batch, with its counters and its record; the policy for refused steps. */
#include <math.h>

#include "base/value.h"
#include "run/training/training.h"

/* Under the policy `skip` a run whose steps are all refused would never end; one that recovers does so within a
 * few steps, since a refused step changes nothing and only the mini-batch is another. */
enum { MAX_REFUSED = 1000 };

/* Weights of past and present in the smoothed loss: about the last twenty mini-batches. */
static const double past = 0.95, present = 0.05;

bool gls_training_due(const gls_training *t, gls_length every) {
    if (!(every.amount > 0)) return false;
    if (every.steps) return t->counters.steps % (int64_t)every.amount == 0;
    return floor(t->epoch / every.amount + gls_training_epoch_slack) >
           floor(t->epoch_before / every.amount + gls_training_epoch_slack);
}

bool gls_training_epochs_done(const gls_training *t) {
    return t->epochs > 0 && t->epoch >= t->epochs - gls_training_epoch_slack;
}

static gls_status answer(void *user, const gls_query *query, gls_answer *out, bool *given) {
    gls_training *t = user;
    gls_stream *rows;
    GLS_TRY(gls_batches_get(t->batches, query->same_batch, &rows));
    gls_record_clear(&t->record);
    GLS_TRY(gls_training_answer(t, t->pass, t->estimator, query, rows, t->g, &t->estimate, &t->record));
    *out = (gls_answer){.value = t->estimate.loss,
                        .g = query->kind == GLS_QUERY_VALUE ? NULL : t->g,
                        .norm2 = t->estimate.norm2,
                        .epoch = t->epoch_before};
    return GLS_OK;
}

static gls_status refuse(gls_training *t, const gls_step_report *report) {
    t->counters.refused++;
    t->counters.refused_in_a_row++;
    bool stop = t->train->nonfinite == GLS_REFUSED_STOP;
    if (!stop && t->counters.refused_in_a_row < MAX_REFUSED) {
        gls_log(t->ctx, GLS_LOG_WARNING, "step %lld was refused: %lld values of the gradient are not finite",
                (long long)t->counters.steps + 1, (long long)report->nonfinite);
        return GLS_OK;
    }
    return gls_fail(t->ctx, GLS_ERR_NONFINITE,
                    "step %lld: %lld of %lld values of the gradient are not finite (loss "
                    "%g); the weights are those before this step. Try a smaller method.lr, a clipped or normalised "
                    "method%s",
                    (long long)t->counters.steps + 1, (long long)report->nonfinite,
                    (long long)gls_problem_size(t->problem), isnan(t->estimate.loss) ? (double)NAN : t->estimate.loss,
                    stop ? ", or train.nonfinite: skip" : "; many steps in a row were refused");
}

/* The rest of a mini-batch that its spans leave may be too small for statistics. */
static void say_span(const gls_training *t) {
    int64_t span = gls_training_span(t), rows = t->estimate.rows, rest = span > 0 ? rows % span : rows;
    if (rest == 0 || rest >= t->problem->coupling_least) return;
    gls_log_once(t->ctx, GLS_LOG_WARNING,
                 "batch norm: a mini-batch ends with %lld row%s, which have no variance: they leave the running "
                 "statistics alone%s",
                 (long long)rest, rest == 1 ? "" : "s",
                 span > 0 ? "" : " (train.drop_last: true leaves such a mini-batch out)");
}

static gls_status accept(gls_training *t, gls_stepper_end end) {
    if (end == GLS_STEP_OVERFLOWED)
        return gls_fail(t->ctx, GLS_ERR_NONFINITE,
                        "step %lld: the gradient is finite, but the step itself is not; try a smaller method.lr",
                        (long long)t->counters.steps + 1);
    t->counters.refused_in_a_row = 0;
    say_span(t);
    double *loss = &t->counters.loss, now = t->estimate.loss;
    *loss = isnan(*loss) ? now : past * *loss + present * now;
    return GLS_OK;
}

/* bytes: that this rank sent in the step. */
static void take_down(gls_training *t, const gls_step_report *report, int64_t bytes) {
    gls_record *record = &t->record;
    gls_record_set(record, "loss", t->estimate.loss);
    gls_record_set(record, "lr", report->lr);
    gls_record_set(record, "gradient_norm", report->gradient_norm);
    gls_record_set(record, "factor", report->factor);
    gls_record_set(record, "clipped", report->clipped);
    gls_record_set(record, "update_norm", report->update_norm);
    gls_record_set(record, "refused", (double)t->counters.refused);
    gls_record_set(record, "zero_gradients", (double)report->zero_gradients);
    gls_record_set(record, "batch", (double)t->estimate.rows);
    if (bytes) gls_record_set(record, "bytes_sent", (double)bytes);
}

/* A refused step counts as a step and its examples as used: the mini-batch is used up, and a run of a given number of
 * steps must end. */
gls_status gls_training_advance(gls_training *t, gls_stepper_end *end) {
    gls_step_report report;
    t->previous_kept = gls_training_wants_previous(t);
    gls_stepper stepper = {.method = t->method,
                           .w = t->w,
                           .previous = t->previous_kept ? t->previous : NULL,
                           .average = t->average,
                           .size = gls_problem_size(t->problem),
                           .problem = t->problem,
                           .pass = t->pass,
                           .answer = answer,
                           .user = t};
    t->epoch_before = t->epoch;
    const gls_comm *comm = gls_context_comm(t->ctx);
    int64_t sent = gls_comm_bytes(comm);
    GLS_TRY(gls_training_step(&stepper, &report, end));
    sent = gls_comm_bytes(comm) - sent;
    if (*end == GLS_STEP_DONE) return GLS_OK;
    GLS_TRY(*end == GLS_STEP_REFUSED ? refuse(t, &report) : accept(t, *end));
    t->epoch = gls_batches_epoch(t->batches);
    t->stepped = true;
    t->counters.steps++;
    t->counters.examples += t->estimate.rows;
    t->counters.bytes += sent;
    take_down(t, &report, sent);
    return gls_batches_rule_follow(t->batch_rule);
}
