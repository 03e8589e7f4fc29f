/* Averages of the run's own mini-batch loss and gradient norm over windows of steps. [T] 6.4 */
#include <glissade/measure.h>

#include "measure/series.h"

#include <math.h>

typedef struct options {
    int64_t window;
} options;

static const gls_option table[] = {
    GLS_INT("window", options, window, "100", 1, 1e9, "observations in a window"),
    {0},
};

/* x of the series is the loss, y the gradient norm. */
typedef struct averages {
    gls_series windows;
    double filled, loss, norm; /* sums of the window under way */
    double total, all_loss, all_norm;
} averages;

static gls_status report(const averages *a, gls_measure_result *out) {
    int64_t n = gls_series_count(&a->windows);
    double *x = gls_alloc(out->ctx, 2 * n, sizeof *x);
    if (!x) return GLS_ERR_MEMORY;
    gls_series_copy(&a->windows, x, x + n);
    gls_status status = gls_measure_result_array(out, "window_loss", "loss", n, x);
    if (status == GLS_OK) status = gls_measure_result_array(out, "window_gradient_norm", "gradient", n, x + n);
    double loss = n > 0 ? x[n - 1] : NAN, norm = n > 0 ? x[2 * n - 1] : NAN;
    gls_free(out->ctx, x);
    GLS_TRY(status);
    GLS_TRY(gls_measure_result_number(out, "last_window_loss", "loss", loss));
    GLS_TRY(gls_measure_result_headline(out, "last_window_loss"));
    GLS_TRY(gls_measure_result_number(out, "last_window_gradient_norm", "gradient", norm));
    GLS_TRY(gls_measure_result_headline(out, "last_window_gradient_norm"));
    GLS_TRY(gls_measure_result_number(out, "average_loss", "loss", a->all_loss / a->total));
    return gls_measure_result_number(out, "average_gradient_norm", "gradient", a->all_norm / a->total);
}

static gls_status on_problem(gls_measure *m, const gls_measure_input *in, gls_measure_result *out) {
    const options *o = m->options;
    averages *a = m->self;
    if (isfinite(in->loss) && isfinite(in->gradient_norm)) {
        a->filled += 1;
        a->loss += in->loss;
        a->norm += in->gradient_norm;
        a->total += 1;
        a->all_loss += in->loss;
        a->all_norm += in->gradient_norm;
    }
    if (a->filled >= (double)o->window) {
        gls_series_add(&a->windows, a->loss / a->filled, a->norm / a->filled);
        a->filled = a->loss = a->norm = 0;
    }
    out->sample = (int64_t)a->total;
    return report(a, out);
}

static gls_status arrays(gls_measure *m, const char *prefix, gls_arrays *list) {
    return gls_arrays_add_state(m->ctx, list, prefix, "averages", GLS_F64, sizeof(averages) / sizeof(double), m->self);
}

const gls_measure_type gls_measure_time_averages = {
    .member = {"time_averages", "loss and gradient norm of the run's mini-batches, averaged over windows", "[T] 6.4",
               table, sizeof(options)},
    .self_size = sizeof(averages),
    .needs = GLS_MEASURE_RUN,
    .every = "1s",
    .problem = on_problem,
    .arrays = arrays,
};
