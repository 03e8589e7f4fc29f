/* ingd, interpolated normalised gradient descent with function values. At x: m = O(x, 0). Up to K times: if |m| <= eps,
 * x is (delta, eps)-stationary. x' = x - delta m/|m|; if f(x') - f(x) < -delta |m|/4 continue from x'. Else y uniform
 * on [x, x'], g = O(y, -m), m = beta m + (1 - beta) g, beta = (4L^2 - |m|^2)/(4L^2 + 2|m|^2). After K tries a new
 * search begins at x. Held is -m, which is also the oracle's direction. */
#include "method/rule/rows.h"

#include <string.h>

typedef struct ingd_options {
    gls_method_common common;
    double delta, eps, L, gap;
    int64_t K, T, repeat, certificate;
} ingd_options;

typedef enum phase { START, TRIAL, INTERPOLATE, DONE } phase;

/* Everything that moves while the method runs, as one array of the state. */
typedef struct progress {
    int64_t phase;
    int64_t tries;    /* k of the search under way: gradients in m, from 1 */
    int64_t accepted; /* t: steps taken in this round */
    int64_t restarts, values, gradients, inner;
    int64_t round; /* of `repeat`, from 1 */
    int64_t draws;
} progress;

typedef struct ingd {
    gls_method_setup setup;
    gls_real *direction, *at;
    gls_real *points; /* [kept, d] of the search under way */
    double *weights;  /* [kept] */
    int64_t kept;
    progress now;
    double value; /* f(x) */
    double norm;  /* |m| */
    double delta;
} ingd;

enum { DIRECTION, AT, MOST_POINTS = 1 << 26 };

static double steps_allowed(const ingd *self, const ingd_options *o) {
    return o->T > 0 ? (double)o->T : ceil(4 * o->gap / (o->eps * self->delta));
}

static double tries_allowed(const ingd_options *o) {
    return o->K > 0 ? (double)o->K : ceil(48 * o->L * o->L / (o->eps * o->eps));
}

static gls_status create(void *memory, const gls_method_setup *setup) {
    ingd *self = memory;
    const ingd_options *o = setup->options;
    int64_t d = setup->parameters;
    self->setup = *setup;
    self->direction = setup->state[DIRECTION];
    self->at = setup->state[AT];
    self->now.round = 1;
    self->delta = o->repeat > 0 ? 1 : o->delta;
    double fit = d > 0 ? floor((double)MOST_POINTS / (double)d) : 1;
    double wanted = o->certificate < 0 ? fmin(fmin(tries_allowed(o), 1024), fit) : (double)o->certificate;
    self->kept = (int64_t)wanted;
    if (d > 0 && self->kept > INT64_MAX / d) return gls_fail(setup->ctx, GLS_ERR_MEMORY, "method ingd: certificate");
    if (!self->points) self->points = gls_alloc(setup->ctx, self->kept * d, sizeof *self->points);
    if (!self->weights) self->weights = gls_alloc(setup->ctx, self->kept, sizeof *self->weights);
    return self->points && self->weights ? GLS_OK : GLS_ERR_MEMORY;
}

static void destroy(gls_context *ctx, void *memory) {
    ingd *self = memory;
    gls_free(ctx, self->points);
    gls_free(ctx, self->weights);
}

static void query(const void *memory, const gls_real *w, gls_query *query) {
    const ingd *self = memory;
    bool first = self->now.gradients == 0;
    switch ((phase)self->now.phase) {
    case START:
        *query = (gls_query){.kind = GLS_QUERY_ORACLE, .at = w, .same_batch = !first};
        return;
    case TRIAL:
        *query = (gls_query){.kind = GLS_QUERY_VALUE, .at = self->at, .same_batch = true};
        return;
    case INTERPOLATE:
        *query =
            (gls_query){.kind = GLS_QUERY_ORACLE, .at = self->at, .direction = self->direction, .same_batch = true};
        return;
    case DONE:
        *query = (gls_query){.kind = GLS_QUERY_DONE, .at = w};
    }
}

/* ---- the moves of the machine ---- */

/* at = w - a m */
static void walk(ingd *self, const gls_real *w, double a) {
    memcpy(self->at, w, (size_t)self->setup.parameters * sizeof *w);
    gls_team_axpy(self->setup.ctx, self->at, a, self->direction, self->setup.parameters);
}

/* Takes a gradient at `point` into m with weight 1 - beta; the point into the certificate. */
static void take(ingd *self, const gls_real *point, const gls_real *g, double beta) {
    gls_context *ctx = self->setup.ctx;
    int64_t d = self->setup.parameters, last = self->now.tries++;
    gls_team_scale(ctx, self->direction, beta, d);
    gls_team_axpy(ctx, self->direction, -(1 - beta), g, d);
    self->norm = sqrt(gls_team_sum_squares(ctx, self->direction, d));
    self->now.gradients++;
    if (last >= self->kept) return;
    for (int64_t j = 0; j < last; j++) self->weights[j] *= beta;
    self->weights[last] = 1 - beta;
    memcpy(self->points + last * d, point, (size_t)d * sizeof *point);
}

/* What comes after m has changed: the end, a trial, or a new search. */
static void look(ingd *self, const gls_real *w) {
    const ingd_options *o = self->setup.options;
    if (self->norm <= o->eps) {
        self->now.phase = DONE;
        if (self->now.round < o->repeat) {
            self->now.round++;
            self->delta = 1 / (double)self->now.round;
            self->now.accepted = 0;
            self->now.phase = START;
        }
        return;
    }
    if ((double)self->now.tries > tries_allowed(o)) {
        self->now.restarts++;
        self->now.phase = START;
        return;
    }
    walk(self, w, self->delta / self->norm);
    self->now.phase = TRIAL;
}

static gls_status accept(ingd *self, gls_real *w, gls_step_report *report) {
    const ingd_options *o = self->setup.options;
    if ((double)self->now.accepted >= steps_allowed(self, o))
        return gls_fail(self->setup.ctx, GLS_ERR_ARGUMENT,
                        "method ingd: %lld accepted steps have not reached a stationary point: gap = %g is too small",
                        (long long)self->now.accepted, o->gap);
    memcpy(w, self->at, (size_t)self->setup.parameters * sizeof *w);
    self->now.accepted++;
    self->now.phase = START;
    report->moved = true;
    report->update_norm = self->delta;
    return GLS_OK;
}

static gls_status told_value(ingd *self, double value, gls_real *w, gls_step_report *report) {
    bool descends = value - self->value < -self->delta * self->norm / 4;
    if (descends) {
        GLS_TRY(accept(self, w, report));
    } else {
        gls_random random = gls_random_create(self->setup.seed, "ingd", (uint64_t)self->now.draws, 0);
        walk(self, w, gls_random_uniform(&random) * self->delta / self->norm);
        self->now.draws++;
        self->now.phase = INTERPOLATE;
    }
    self->now.values++;
    return GLS_OK;
}

static gls_status told_gradient(ingd *self, const gls_answer *answer, double norm, const gls_real *w) {
    const ingd_options *o = self->setup.options;
    if (norm > o->L * (1 + 1e-5)) /* beyond the rounding of a float norm: L is no Lipschitz constant */
        return gls_fail(self->setup.ctx, GLS_ERR_ARGUMENT,
                        "method ingd: a gradient has norm %g, above the Lipschitz constant L = %g", norm, o->L);
    if (self->now.phase == START) {
        self->value = answer->value;
        self->now.values++;
        self->now.tries = 0;
        take(self, w, answer->g, 0);
    } else {
        double m2 = self->norm * self->norm, l2 = o->L * o->L;
        self->now.inner++;
        take(self, self->at, answer->g, (4 * l2 - m2) / (4 * l2 + 2 * m2));
    }
    look(self, w);
    return GLS_OK;
}

/* The phase says what was asked for: value, gradient or both. All of it must be finite before anything changes. */
static gls_status tell(void *memory, const gls_answer *answer, gls_real *w, gls_step_report *report) {
    ingd *self = memory;
    report->lr = self->delta;
    bool wants_value = self->now.phase != INTERPOLATE, wants_gradient = self->now.phase != TRIAL;
    bool bad_value = wants_value && !isfinite(answer->value);
    double norm2 = 0;
    if (wants_gradient) {
        norm2 = isnan(answer->norm2) ? gls_team_sum_squares(self->setup.ctx, answer->g, self->setup.parameters)
                                     : answer->norm2;
        report->gradient_norm = sqrt(norm2);
        if (!isfinite(norm2)) report->nonfinite = gls_count_nonfinite(answer->g, self->setup.parameters);
    }
    if (bad_value || !isfinite(norm2)) {
        report->refused = true;
        report->nonfinite += bad_value;
        return GLS_OK;
    }
    if (wants_gradient) return told_gradient(self, answer, sqrt(norm2), w);
    return told_value(self, answer->value, w, report);
}

/* ---- looking inside ---- */

static gls_status arrays(void *memory, const gls_method_setup *setup, const char *prefix, gls_arrays *list) {
    ingd *self = memory;
    gls_context *ctx = setup->ctx;
    struct {
        const char *name;
        gls_dtype dtype;
        int64_t size;
        void *data;
    } item[] = {{"progress", GLS_I64, sizeof self->now / sizeof(int64_t), &self->now},
                {"value", GLS_F64, 1, &self->value},
                {"norm", GLS_F64, 1, &self->norm},
                {"delta", GLS_F64, 1, &self->delta},
                {"weights", GLS_F64, self->kept, self->weights},
                {"points", GLS_DTYPE_REAL, self->kept * setup->parameters, self->points}};
    for (size_t i = 0; i < sizeof item / sizeof *item; i++)
        GLS_TRY(gls_arrays_add_state(ctx, list, prefix, item[i].name, item[i].dtype, item[i].size, item[i].data));
    return GLS_OK;
}

static void record(const void *memory, const gls_method_setup *setup, gls_record *out) {
    const ingd *self = memory;
    gls_record_set(out, "values", (double)self->now.values);
    gls_record_set(out, "gradients", (double)self->now.gradients);
    gls_record_set(out, "accepted", (double)self->now.accepted);
    gls_record_set(out, "inner", (double)self->now.inner);
    gls_record_set(out, "restarts", (double)self->now.restarts);
    gls_record_set(out, "search", (double)self->now.tries);
    gls_record_set(out, "m_norm", self->norm);
    gls_record_set(out, "delta", self->delta);
    gls_record_set(out, "round", (double)self->now.round);
}

static gls_status certificate(const void *memory, gls_context *ctx, gls_certificate *out) {
    const ingd *self = memory;
    const ingd_options *o = self->setup.options;
    if (self->now.phase != DONE)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "method ingd has not ended: there is no certificate");
    if (self->now.tries > self->kept)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED,
                        "method ingd: the certificate has %lld points, %lld are kept (option certificate)",
                        (long long)self->now.tries, (long long)self->kept);
    *out = (gls_certificate){.delta = self->delta,
                             .eps = o->eps,
                             .norm = self->norm,
                             .count = self->now.tries,
                             .points = self->points,
                             .weights = self->weights,
                             .minus_m = self->direction};
    return GLS_OK;
}

static const char *const vectors[] = {"direction", "at", NULL};

static const gls_option table[] = {
    ROW_POSITIVE(ingd_options, delta, "0.1", 0, "radius: how far a step goes"),
    ROW_POSITIVE(ingd_options, eps, "0.1", 0, "norm at which a combination of gradients counts as zero"),
    ROW_REAL(ingd_options, L, NULL, 0, INFINITY, GLS_OPTION_ABOVE_MIN | GLS_OPTION_REQUIRED,
             "Lipschitz constant: no gradient is longer"),
    ROW_REAL(ingd_options, gap, NULL, 0, INFINITY, GLS_OPTION_ABOVE_MIN | GLS_OPTION_REQUIRED,
             "at least f(w_1) - inf f"),
    GLS_INT("K", ingd_options, K, "0", 0, INFINITY, "tries in a search; 0: the theorem's 48 L^2/eps^2"),
    GLS_INT("T", ingd_options, T, "0", 0, INFINITY, "accepted steps at most; 0: the theorem's 4 gap/(eps delta)"),
    GLS_INT("repeat", ingd_options, repeat, "0", 0, INFINITY,
            "rounds k = 1, 2, ... with delta = 1/k; 0: one round with delta"),
    GLS_INT("certificate", ingd_options, certificate, "-1", -1, INFINITY,
            "points of the certificate kept, each as large as w; -1: up to 1024 that fit 64 Mi numbers"),
    GLS_METHOD_THEORY("values a theorem gives: {theorem: ingd, L: 1, delta: 0.1, eps: 0.1, gap: 1}"),
    {0}};

const gls_method_type gls_method_ingd = {.member = {"ingd",
                                                    "interpolated normalised gradient descent with function values",
                                                    "[T] Alg. 2", table, sizeof(ingd_options)},
                                         .self_size = sizeof(ingd),
                                         .vectors = vectors,
                                         .create = create,
                                         .destroy = destroy,
                                         .query = query,
                                         .tell = tell,
                                         .arrays = arrays,
                                         .record = record,
                                         .certificate = certificate};
