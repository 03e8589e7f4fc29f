/* The training's state as named arrays: one list serves saving and restoring, so the two cannot differ. */
#include "run/training/training.h"

gls_status gls_training_result_arrays(gls_training *t, gls_real *w, const char *state_prefix, gls_arrays *arrays) {
    GLS_TRY(gls_arrays_add_layout(t->ctx, arrays, gls_problem_layout(t->problem), "", w));
    return gls_arrays_add_layout(t->ctx, arrays, t->problem->state_layout, state_prefix, t->problem->state);
}

static gls_status add_counters(gls_training *t, gls_arrays *arrays) {
    static const gls_counter row[] = {
#define ROW(type, dtype, name) GLS_COUNTER_ROW(gls_training_counters, dtype, name)
        GLS_TRAINING_COUNTERS(ROW)
#undef ROW
    };
    GLS_TRY(gls_counters_arrays(t->ctx, row, sizeof row / sizeof *row, &t->counters, "trainer/", arrays));
    GLS_TRY(
        gls_arrays_add_vector(t->ctx, arrays, "trainer/refused_in_a_row", GLS_I64, 1, &t->counters.refused_in_a_row));
    gls_arrays_optional(arrays);
    if (gls_comm_size(gls_context_comm(t->ctx)) == 1) return GLS_OK;
    GLS_TRY(gls_arrays_add_vector(t->ctx, arrays, "trainer/bytes", GLS_I64, 1, &t->counters.bytes));
    gls_arrays_optional(arrays);
    return GLS_OK;
}

gls_status gls_training_gather(gls_training *t) {
    return gls_comm_exchange_gather(t->exchange);
}

gls_status gls_training_arrays(gls_training *t, gls_arrays *arrays) {
    GLS_TRY(gls_training_result_arrays(t, t->w, "state/", arrays));
    GLS_TRY(gls_method_arrays(t->method, "method/", arrays));
    GLS_TRY(gls_estimator_arrays(t->estimator, "estimator/", arrays));
    GLS_TRY(gls_comm_exchange_arrays(t->exchange, "exchange/", arrays));
    GLS_TRY(gls_batches_arrays(t->batches, "sampler/", arrays));
    GLS_TRY(gls_batches_rule_arrays(t->batch_rule, "batch_rule/", arrays));
    return add_counters(t, arrays);
}

gls_status gls_training_restored(gls_training *t) {
    GLS_TRY(gls_batches_restored(t->batches));
    GLS_TRY(gls_batches_rule_restored(t->batch_rule));
    GLS_TRY(gls_comm_exchange_restored(t->exchange));
    t->epoch = t->epoch_before = gls_batches_epoch(t->batches);
    return GLS_OK;
}
