/* svrg, stochastic gradients with variance reduction. At a snapshot s the mean gradient m over `average` mini-batches;
 * then `period` steps w -= lr (g(w) - g(s) + m), both gradients on the same mini-batch; then the next snapshot is w.
 * Johnson, Zhang: Accelerating stochastic gradient descent using predictive variance reduction, NIPS 2013 */
#include "method/rule/rows.h"

#include <string.h>

typedef struct svrg_options {
    gls_method_common common;
    int64_t average, period;
} svrg_options;

typedef enum phase { AVERAGE, AT_SNAPSHOT, AT_W } phase;

typedef struct svrg {
    gls_method_setup setup;
    gls_real *snapshot, *mean, *kept;
    int64_t average, period;
    struct {
        int64_t phase, taken, step; /* of m; of the period */
        int64_t snapshots;
    } now;
} svrg;

enum { SNAPSHOT, MEAN, KEPT };

static gls_status create(void *memory, const gls_method_setup *setup) {
    svrg *self = memory;
    const svrg_options *o = setup->options;
    double epoch = ceil(setup->steps_per_epoch - 1e-9);
    if (!o->average && !(epoch >= 1))
        return gls_fail(
            setup->ctx, GLS_ERR_ARGUMENT,
            "method svrg: the mini-batches of an epoch are not known here: expected average, a number of them");
    self->setup = *setup;
    self->snapshot = setup->state[SNAPSHOT];
    self->mean = setup->state[MEAN];
    self->kept = setup->state[KEPT];
    self->average = o->average ? o->average : (int64_t)epoch;
    self->period = o->period ? o->period : 2 * self->average;
    return GLS_OK;
}

static void query(const void *memory, const gls_real *w, gls_query *query) {
    const svrg *self = memory;
    bool first = self->now.phase == AVERAGE && self->now.taken == 0; /* the snapshot is w itself */
    bool inner = self->now.phase == AT_W;
    *query = (gls_query){.kind = GLS_QUERY_GRADIENT, .at = first || inner ? w : self->snapshot, .same_batch = inner};
}

static void take_mean(svrg *self, const gls_real *g, const gls_real *w) {
    gls_context *ctx = self->setup.ctx;
    int64_t d = self->setup.parameters, k = self->now.taken++;
    if (k == 0) {
        memcpy(self->snapshot, w, (size_t)d * sizeof *w);
        memcpy(self->mean, g, (size_t)d * sizeof *g);
    } else {
        gls_team_scale(ctx, self->mean, (double)k / (double)(k + 1), d);
        gls_team_axpy(ctx, self->mean, 1 / (double)(k + 1), g, d);
    }
    if (self->now.taken < self->average) return;
    self->now.taken = self->now.step = 0;
    self->now.snapshots++;
    self->now.phase = AT_SNAPSHOT;
}

/* kept is g(s) on this mini-batch, and then the whole direction. */
static void move(svrg *self, const gls_real *g, gls_real *w, gls_step_report *report) {
    gls_context *ctx = self->setup.ctx;
    const svrg_options *o = self->setup.options;
    int64_t d = self->setup.parameters;
    gls_team_scale(ctx, self->kept, -1, d);
    gls_team_axpy(ctx, self->kept, 1, g, d);
    gls_team_axpy(ctx, self->kept, 1, self->mean, d);
    gls_team_axpy(ctx, w, -o->common.lr, self->kept, d);
    report->moved = true;
    report->update_norm = o->common.lr * sqrt(gls_team_sum_squares(ctx, self->kept, d));
    self->now.phase = ++self->now.step < self->period ? AT_SNAPSHOT : AVERAGE;
}

static gls_status tell(void *memory, const gls_answer *answer, gls_real *w, gls_step_report *report) {
    svrg *self = memory;
    int64_t d = self->setup.parameters;
    double norm2 = isnan(answer->norm2) ? gls_team_sum_squares(self->setup.ctx, answer->g, d) : answer->norm2;
    report->lr = ((const svrg_options *)self->setup.options)->common.lr;
    report->gradient_norm = sqrt(norm2);
    if (!isfinite(norm2)) {
        report->refused = true;
        report->nonfinite = gls_count_nonfinite(answer->g, d);
    } else if (self->now.phase == AVERAGE) {
        take_mean(self, answer->g, w);
    } else if (self->now.phase == AT_SNAPSHOT) {
        memcpy(self->kept, answer->g, (size_t)d * sizeof *answer->g);
        self->now.phase = AT_W;
    } else {
        move(self, answer->g, w, report);
    }
    return GLS_OK;
}

static gls_status arrays(void *memory, const gls_method_setup *setup, const char *prefix, gls_arrays *list) {
    svrg *self = memory;
    return gls_arrays_add_state(setup->ctx, list, prefix, "progress", GLS_I64, sizeof self->now / sizeof(int64_t),
                                &self->now);
}

static void record(const void *memory, const gls_method_setup *setup, gls_record *out) {
    const svrg *self = memory;
    (void)setup;
    gls_record_set(out, "snapshots", (double)self->now.snapshots);
}

static const char *const vectors[] = {"snapshot", "mean", "kept", NULL};

static const gls_option table[] = {
    GLS_REAL("lr", gls_method_common, lr, "0.1", 0, INFINITY, "learning rate", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_INT("average", svrg_options, average, "0", 0, INFINITY,
            "mini-batches whose gradients at the snapshot are averaged; 0: those of an epoch"),
    GLS_INT("period", svrg_options, period, "0", 0, INFINITY,
            "steps from one snapshot to the next; 0: twice `average`"),
    {0}};

const gls_method_type gls_method_svrg = {.member = {"svrg", "stochastic gradients with variance reduction",
                                                    "[T] 2.1, fig. 2-2", table, sizeof(svrg_options)},
                                         .self_size = sizeof(svrg),
                                         .vectors = vectors,
                                         .create = create,
                                         .query = query,
                                         .tell = tell,
                                         .arrays = arrays,
                                         .record = record};
