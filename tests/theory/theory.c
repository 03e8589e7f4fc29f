#include "theory.h"

gls_context *ctx;
bool full;

int theory_setup(void **state) {
    const char *length = getenv("GLS_THEORY");
    full = length && strcmp(length, "full") == 0;
    gls_context_options options = {.size = sizeof options, .threads = 2, .seed = 1};
    return gls_context_create(&ctx, &options) == GLS_OK ? 0 : -1;
}

int theory_teardown(void **state) {
    gls_context_destroy(ctx);
    return 0;
}

void check(gls_status status) {
    if (status != GLS_OK) fail_msg("%s: %s", gls_status_name(status), gls_context_message(ctx));
}

const char *text(const char *format, ...) {
    static char buffer[32][400];
    static int next;
    char *out = buffer[next++ % 32];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out, sizeof buffer[0], format, arguments);
    va_end(arguments);
    return out;
}

gls_value *value_of(const char *yaml) {
    gls_value *value;
    check(gls_config_parse(ctx, "theory", yaml, (int64_t)strlen(yaml), &value));
    return value;
}

gls_problem *problem_of(const char *name, const char *yaml) {
    gls_value *value = value_of(yaml);
    gls_problem *problem;
    check(gls_problem_create(ctx, name, value, NULL, &problem));
    gls_value_destroy(ctx, value);
    return problem;
}

double theory_value(const char *yaml, const char *name) {
    gls_value *value = value_of(yaml);
    gls_record record;
    gls_record_clear(&record);
    check(gls_theory_values(ctx, value, &record));
    gls_value_destroy(ctx, value);
    return gls_record_get(&record, name);
}

outcome solved(gls_problem *problem, plan how) {
    outcome o = {.repeat = how.repeat > 0 ? how.repeat : 1, .marks = how.marks, .d = gls_problem_size(problem)};
    gls_value *method = value_of(how.method);
    gls_value *average = how.average ? value_of(how.average) : NULL;
    gls_value *estimator = how.estimator ? value_of(how.estimator) : NULL;
    gls_solve_options options = {.size = sizeof options,
                                 .method = method,
                                 .estimator = estimator,
                                 .average = average,
                                 .steps = how.steps,
                                 .batch = how.batch,
                                 .order = how.order,
                                 .repeat = o.repeat,
                                 .seed = how.seed,
                                 .init = how.init,
                                 .follow = how.follow,
                                 .epsilon = how.epsilon,
                                 .stop = how.stop,
                                 .marks = how.marks,
                                 .mark = how.mark,
                                 .observe = how.observe,
                                 .finish = how.finish,
                                 .user = how.user};
    o.solution = calloc((size_t)o.repeat, sizeof *o.solution);
    o.point = calloc((size_t)(o.repeat * o.d), sizeof *o.point);
    o.figures = calloc((size_t)(o.repeat * (o.marks + 1)), sizeof *o.figures);
    assert_true(o.solution && o.point && o.figures);
    check(gls_solve(problem, &options, o.solution, o.point, how.marks > 0 ? o.figures : NULL));
    gls_value_destroy(ctx, method);
    gls_value_destroy(ctx, average);
    gls_value_destroy(ctx, estimator);
    return o;
}

void outcome_free(outcome *o) {
    free(o->solution);
    free(o->point);
    free(o->figures);
}

double ask(gls_problem *problem, const double *w, gls_mode mode, uint64_t draw, int64_t batch, double *g) {
    int64_t n = batch > 0 ? batch : problem->data.examples, d = gls_problem_size(problem);
    int64_t *index = malloc((size_t)n * sizeof *index), *slot = malloc((size_t)n * sizeof *slot);
    assert_true(index && slot);
    for (int64_t i = 0; i < n; i++) {
        index[i] = i % problem->data.examples;
        slot[i] = i;
    }
    gls_batch rows = {.rows = n, .index = index, .slot = slot, .draw = draw};
    gls_point *at;
    gls_evaluation *e;
    check(gls_point_create(problem, &at));
    check(gls_point_set(at, w));
    check(gls_evaluation_create(problem, n, GLS_WANT_GRADIENT, mode, &e));
    gls_evaluate_args args = {.point = at,
                              .rows = &rows,
                              .want = GLS_WANT_GRADIENT,
                              .mode = mode,
                              .batch_mass = (double)n,
                              .batch_rows = n,
                              .seed = 1};
    double value;
    check(gls_evaluate(e, &args));
    check(gls_ask_loss(e, &value));
    if (g) {
        memset(g, 0, (size_t)d * sizeof *g);
        check(gls_ask_gradient(e, GLS_PRODUCT_GRADIENT, NULL, g));
        for (int64_t i = 0; i < d; i++) g[i] /= (double)n;
    }
    gls_evaluation_destroy(e);
    gls_point_destroy(at);
    free(index);
    free(slot);
    return value / (double)n;
}

void verdict(const char *name, const char *measured, const char *predicted, int64_t repetitions, bool holds) {
    const char *word = !holds ? "fails" : strstr(predicted, "reported") != NULL ? "reported" : "holds";
    printf("# theory: %s | %s | %s | %lld | %s\n", name, measured, predicted, (long long)repetitions, word);
    fflush(stdout);
    if (!holds) fail_msg("%s: measured %s, predicted %s", name, measured, predicted);
}

double mean_of(const double *x, int64_t n, double *error) {
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++) square += (x[i] - sum) * (x[i] - sum);
    if (error) *error = n > 1 ? sqrt(square / (double)(n - 1) / (double)n) : NAN;
    return sum;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double quantile_of(double *x, int64_t n, double p) {
    qsort(x, (size_t)n, sizeof *x, ascending);
    int64_t i = (int64_t)(p * (double)(n - 1) + 0.5);
    return x[i];
}

double slope_of(const double *x, const double *y, int64_t n) {
    double mx = mean_of(x, n, NULL), my = mean_of(y, n, NULL), xy = 0, xx = 0;
    for (int64_t i = 0; i < n; i++) {
        xy += (x[i] - mx) * (y[i] - my);
        xx += (x[i] - mx) * (x[i] - mx);
    }
    return xy / xx;
}

static double decay_over(const outcome *o, const int64_t *mark, int64_t first, double minimum, const int64_t *chosen) {
    double x[64], y[64];
    int64_t n = o->marks - first;
    assert_true(n > 1 && n <= 64);
    for (int64_t k = 0; k < n; k++) {
        double sum = 0;
        for (int64_t r = 0; r < o->repeat; r++) sum += o->figures[chosen[r] * o->marks + first + k].value - minimum;
        x[k] = log((double)mark[first + k]);
        y[k] = log(sum / (double)o->repeat);
    }
    return slope_of(x, y, n);
}

double decay_of(const outcome *o, const int64_t *mark, int64_t first, double minimum, double *error) {
    enum { RESAMPLES = 200 };
    double slopes[RESAMPLES];
    int64_t *chosen = malloc((size_t)o->repeat * sizeof *chosen);
    assert_non_null(chosen);
    for (int64_t r = 0; r < o->repeat; r++) chosen[r] = r;
    double slope = decay_over(o, mark, first, minimum, chosen);
    gls_random random = gls_random_create(1, "resample", 0, 0);
    for (int k = 0; k < RESAMPLES; k++) {
        for (int64_t r = 0; r < o->repeat; r++) chosen[r] = gls_random_below(&random, o->repeat);
        slopes[k] = decay_over(o, mark, first, minimum, chosen);
    }
    free(chosen);
    double spread;
    mean_of(slopes, RESAMPLES, &spread);
    *error = spread * sqrt(RESAMPLES);
    return slope;
}

double mean_end(const outcome *o, double minimum) {
    double sum = 0;
    for (int64_t r = 0; r < o->repeat; r++) sum += (o->solution[r].end.value - minimum) / (double)o->repeat;
    return sum;
}
