/* Chapter 6 of the thesis: gradient descent that does not converge, and what its time averages do. */
#include "theory.h"

/* ---- 100 sin a sin b (6.3) ---- */

typedef struct averages {
    gls_problem *problem;
    double value[2]; /* means over the two halves */
    double diagonal; /* smallest | |a| - |b| | of the last quarter: are iterates on a diagonal? */
    int64_t steps;
} averages;

static gls_status follow_sines(void *user, const gls_solve_state *state) {
    averages *a = (averages *)user + state->repetition;
    int half = state->step > a->steps / 2;
    a->value[half] += ask(a->problem, state->w, GLS_MODE_EVALUATE, 0, 0, NULL) / (double)(a->steps / 2);
    if (state->step > a->steps * 3 / 4) {
        double off = fmin(fabs(sin(state->w[0] - state->w[1])), fabs(sin(state->w[0] + state->w[1])));
        a->diagonal = fmax(a->diagonal, off);
    }
    return GLS_OK;
}

static void test_sines_settle_or_cycle(void **state) {
    enum { STARTS = 64 };
    int64_t steps = full ? 40000 : 4000, settled = 0;
    gls_problem *p = problem_of("sines", "{}");
    outcome calm = solved(p, (plan){.method = "{name: sgd, lr: 0.01}", .steps = 2000, .repeat = STARTS, .seed = 6});
    for (int r = 0; r < STARTS; r++) settled += fabs(calm.solution[r].end.value + 100) < 1e-6;
    verdict("[T] 6.3: sin sin, lr 0.01 < 2/L: starts that reach -100", text("%lld of %d", (long long)settled, STARTS),
            "all", STARTS, settled == STARTS);
    outcome_free(&calm);
    static averages a[STARTS];
    memset(a, 0, sizeof a);
    for (int r = 0; r < STARTS; r++) a[r] = (averages){.problem = p, .steps = steps};
    outcome wild = solved(p, (plan){.method = "{name: sgd, lr: 0.04}",
                                    .steps = steps,
                                    .repeat = STARTS,
                                    .seed = 6,
                                    .observe = follow_sines,
                                    .user = a});
    double means[STARTS], apart = 0, lowest = INFINITY, norm = INFINITY;
    int64_t off = 0;
    for (int r = 0; r < STARTS; r++) {
        means[r] = 0.5 * (a[r].value[0] + a[r].value[1]);
        apart = fmax(apart, fabs(a[r].value[0] - a[r].value[1]));
        lowest = fmin(lowest, wild.solution[r].end.value);
        norm = fmin(norm, wild.solution[r].end.gradient_norm);
        off += a[r].diagonal > 1e-6;
    }
    double error, mean = mean_of(means, STARTS, &error);
    double low = quantile_of(means, STARTS, 0.05), high = quantile_of(means, STARTS, 0.95),
           middle = quantile_of(means, STARTS, 0.5);
    verdict("[T] 6.3: sin sin, lr 0.04: mean loss over time, starts' mean, median and 5-95% spread",
            text("%.2f, %.2f, [%.2f, %.2f]", mean, middle, low, high), "about -18; never -100", STARTS,
            lowest > -100 + 1e-6 && fabs(middle + 18) < 4);
    verdict("[T] 6.3: sin sin, lr 0.04: largest difference of the mean loss of two halves; smallest last |grad F|",
            text("%.3f, %.3g", apart, norm), "small, not 0", STARTS, norm > 1e-3);
    verdict("[T] 6.3: sin sin, lr 0.04: starts whose orbit is off the diagonals",
            text("%lld of %d", (long long)off, STARTS), "reported", STARTS, true);
    outcome_free(&wild);
    gls_problem_destroy(p);
}

/* ---- theorem 6.4.1: invariance defect with fresh draws ---- */

typedef struct defect {
    gls_problem *problem;
    double lr, first, sum[8], told[8], before;
    int64_t *mark, marks, at;
} defect;

static gls_status follow_defect(void *user, const gls_solve_state *state) {
    defect *d = (defect *)user + state->repetition;
    double w[2], g[2], here = ask(d->problem, state->w, GLS_MODE_EVALUATE, 0, 0, NULL);
    /* a draw that the run does not use */
    ask(d->problem, state->w, GLS_MODE_TRAIN,
        ((uint64_t)1 << 62) + ((uint64_t)state->repetition << 40) + (uint64_t)state->step, 1, g);
    for (int i = 0; i < 2; i++) w[i] = state->w[i] - d->lr * g[i];
    if (state->step == 1) d->first = here;
    d->before += here - ask(d->problem, w, GLS_MODE_EVALUATE, 0, 0, NULL);
    while (d->at < d->marks && d->mark[d->at] == state->step) {
        d->sum[d->at] = d->before / (double)state->step;
        d->told[d->at++] = (d->first - here) / (double)state->step;
    }
    return GLS_OK;
}

static void test_fresh_draw_defect_decays(void **state) {
    static int64_t marks[] = {100, 316, 1000, 3162, 10000, 31623};
    static const char *const noises[] = {"{name: gaussian, scale: 30}", "none"};
    static const double rates[] = {-0.5, -1};
    for (int k = 0; k < 2; k++) {
        enum { REPEAT = 200 };
        static defect d[REPEAT];
        int count = full ? 6 : 4, repeat = full ? REPEAT : 60;
        gls_problem *p = problem_of("sines", text("{noise: %s}", noises[k]));
        memset(d, 0, sizeof d);
        for (int r = 0; r < repeat; r++) d[r] = (defect){.problem = p, .lr = 0.04, .mark = marks, .marks = count};
        outcome o = solved(p, (plan){.method = "{name: sgd, lr: 0.04}",
                                     .steps = marks[count - 1],
                                     .batch = 1,
                                     .repeat = repeat,
                                     .seed = 23,
                                     .observe = follow_defect,
                                     .user = d});
        double x[8], fresh[8], told[8];
        for (int m = 0; m < count; m++) {
            fresh[m] = told[m] = 0;
            for (int r = 0; r < repeat; r++) {
                fresh[m] += fabs(d[r].sum[m]) / repeat;
                told[m] += fabs(d[r].told[m]) / repeat;
            }
            x[m] = log((double)marks[m]);
            fresh[m] = log(fresh[m]);
            told[m] = log(told[m]);
        }
        double slope = slope_of(x, fresh, count), telescoped = slope_of(x, told, count);
        verdict(
            text("[T] thm 6.4.1: decay of the invariance defect in n, %s map", k == 0 ? "stochastic" : "deterministic"),
            text("%.3f (telescoping form %.3f)", slope, telescoped), text("%.1f (telescoping -1)", rates[k]), repeat,
            fabs(slope - rates[k]) < 0.08 && fabs(telescoped + 1) < 0.08);
        outcome_free(&o);
        gls_problem_destroy(p);
    }
}

/* ---- lemma 6.4.2 ---- */

typedef struct windows {
    gls_problem *problem;
    double value[4000];
} windows;

static gls_status follow_windows(void *user, const gls_solve_state *state) {
    windows *v = user;
    v->value[state->step] = ask(v->problem, state->w, GLS_MODE_EVALUATE, 0, 0, NULL);
    return GLS_OK;
}

static void test_sawtooth_is_periodic(void **state) {
    static const int64_t sizes[] = {20, 80, 320};
    double logs[3], jumps[3], worst = 0;
    for (int k = 0; k < 3; k++) {
        static windows v;
        int64_t n = sizes[k], steps = 3999;
        gls_problem *p = problem_of("sawtooth", text("{n: %lld}", (long long)n));
        v.problem = p;
        outcome o =
            solved(p, (plan){.method = "{name: sgd, lr: 1}", .steps = steps, .observe = follow_windows, .user = &v});
        double jump = 0;
        for (int64_t t = 2000; t + n < steps; t++) {
            jump = fmax(jump, fabs(v.value[t + n] - v.value[t]) / (double)n); /* |M_{t+1} - M_t| */
            worst = fmax(worst, fabs(v.value[t + n + 1] - v.value[t]));
        }
        logs[k] = log((double)n);
        jumps[k] = log(jump);
        outcome_free(&o);
        gls_problem_destroy(p);
    }
    verdict("[T] lemma 6.4.2: change of the loss over n + 1 steps (period)", text("%.1e", worst), "0", 3, worst < 1e-9);
    double slope = slope_of(logs, jumps, 3);
    verdict("[T] lemma 6.4.2: exponent of n in limsup |M_t - M_{t-1}|", text("%.3f", slope), "-2 (printed: -1)", 3,
            fabs(slope + 2) < 0.1);
}

/* ---- theorem 6.4.6: a network without biases stays inside |W_l| <= w under decay ---- */

enum { IN = 4, WIDE = 5, OUT = 3, POINTS = 30, NET = WIDE * IN + WIDE * WIDE + OUT * WIDE };
typedef struct toy {
    double x[POINTS][IN];
    int label[POINTS];
} toy;

/* Points on the sphere with random labels. */
static void make_toy(toy *data) {
    gls_random random = gls_random_create(12, "toy", 0, 0);
    for (int i = 0; i < POINTS; i++) {
        double square = 0;
        for (int j = 0; j < IN; j++) {
            data->x[i][j] = gls_random_normal(&random);
            square += data->x[i][j] * data->x[i][j];
        }
        for (int j = 0; j < IN; j++) data->x[i][j] /= sqrt(square);
        data->label[i] = (int)gls_random_below(&random, OUT);
    }
}

/* softmax cross-entropy of W2 tanh(W1 tanh(W0 x)). */
static int network(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                   double *value, gls_real *g) {
    const toy *data = user;
    const gls_real *w0 = w, *w1 = w0 + WIDE * IN, *w2 = w1 + WIDE * WIDE;
    for (int64_t k = 0; k < count; k++) {
        const double *x = data->x[example[k]];
        double c = weight ? weight[k] : 1, a[WIDE], b[WIDE], z[OUT], total = 0, da[WIDE] = {0}, db[WIDE] = {0};
        for (int i = 0; i < WIDE; i++) {
            double s = 0;
            for (int j = 0; j < IN; j++) s += w0[i * IN + j] * x[j];
            a[i] = tanh(s);
        }
        for (int i = 0; i < WIDE; i++) {
            double s = 0;
            for (int j = 0; j < WIDE; j++) s += w1[i * WIDE + j] * a[j];
            b[i] = tanh(s);
        }
        for (int i = 0; i < OUT; i++) {
            z[i] = 0;
            for (int j = 0; j < WIDE; j++) z[i] += w2[i * WIDE + j] * b[j];
            total += exp(z[i]);
        }
        *value += c * (log(total) - z[data->label[example[k]]]);
        if (!g) continue;
        gls_real *g0 = g, *g1 = g0 + WIDE * IN, *g2 = g1 + WIDE * WIDE;
        for (int i = 0; i < OUT; i++) {
            double e = c * (exp(z[i]) / total - (i == data->label[example[k]]));
            for (int j = 0; j < WIDE; j++) {
                g2[i * WIDE + j] += e * b[j];
                db[j] += e * w2[i * WIDE + j];
            }
        }
        for (int i = 0; i < WIDE; i++) {
            double e = db[i] * (1 - b[i] * b[i]);
            for (int j = 0; j < WIDE; j++) {
                g1[i * WIDE + j] += e * a[j];
                da[j] += e * w1[i * WIDE + j];
            }
        }
        for (int i = 0; i < WIDE; i++)
            for (int j = 0; j < IN; j++) g0[i * IN + j] += da[i] * (1 - a[i] * a[i]) * x[j];
    }
    return 0;
}

/* Operator norm by power iteration on W'W. */
static double operator_norm(const double *W, int rows, int columns) {
    double x[WIDE], y[WIDE], norm = 0;
    for (int j = 0; j < columns; j++) x[j] = 1 + 0.1 * j;
    for (int step = 0; step < 200; step++) {
        double square = 0;
        for (int i = 0; i < rows; i++) {
            y[i] = 0;
            for (int j = 0; j < columns; j++) y[i] += W[i * columns + j] * x[j];
        }
        for (int j = 0; j < columns; j++) {
            x[j] = 0;
            for (int i = 0; i < rows; i++) x[j] += W[i * columns + j] * y[i];
            square += x[j] * x[j];
        }
        norm = sqrt(sqrt(square));
        for (int j = 0; j < columns && square > 0; j++) x[j] /= sqrt(square);
    }
    return norm;
}

typedef struct inside {
    double most;
} inside;

static gls_status follow_norms(void *user, const gls_solve_state *state) {
    inside *in = (inside *)user + state->repetition;
    const double *w = state->w;
    in->most = fmax(in->most, operator_norm(w, WIDE, IN));
    in->most = fmax(in->most, operator_norm(w + WIDE * IN, WIDE, WIDE));
    in->most = fmax(in->most, operator_norm(w + WIDE * IN + WIDE * WIDE, OUT, WIDE));
    return GLS_OK;
}

static void test_network_stays_in_its_invariant_set(void **state) {
    enum { REPEAT = 8 };
    static const double decays[] = {0.2, 1, 3};
    toy data;
    make_toy(&data);
    gls_random random = gls_random_create(13, "weights", 0, 0);
    gls_objective objective = {
        .size = sizeof objective, .parameters = NET, .examples = POINTS, .evaluate = network, .user = &data};
    for (int k = 0; k < 3; k++) {
        inside in[REPEAT] = {{0}};
        double decay = decays[k], w = decay / sqrt(2.0), start[NET]; /* (gamma/(c_l c_s^L))^(1/(L-2)), L = 3, c_s = 1 */
        gls_problem *p;
        check(gls_problem_create_objective(ctx, &objective, &p));
        for (int i = 0; i < NET; i++) start[i] = gls_random_normal(&random);
        double *layer[] = {start, start + WIDE * IN, start + WIDE * IN + WIDE * WIDE};
        const int rows[] = {WIDE, WIDE, OUT}, columns[] = {IN, WIDE, WIDE};
        for (int l = 0; l < 3; l++) {
            double norm = operator_norm(layer[l], rows[l], columns[l]);
            for (int i = 0; i < rows[l] * columns[l]; i++) layer[l][i] *= w / norm;
        }
        int64_t steps = full ? 20000 : 1000;
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g, weight_decay: %g}", 1 / decay, decay),
                                     .steps = steps,
                                     .batch = 4,
                                     .repeat = REPEAT,
                                     .seed = 2,
                                     .init = start,
                                     .observe = follow_norms,
                                     .user = in});
        double most = 0;
        for (int r = 0; r < REPEAT; r++) most = fmax(most, in[r].most);
        verdict(text("[T] thm 6.4.6: largest operator norm of a layer, decay %g, lr = 1/decay", decay),
                text("%.4f", most), text("<= %.4f", w), REPEAT * steps, most <= w * (1 + 1e-9));
        outcome_free(&o);
        gls_problem_destroy(p);
    }
}

/* ---- theorem 6.4.7: the scale of a last batch normalisation stays inside |a| <= 2 sqrt(m)/gamma ---- */

enum { NORMED = OUT * IN + 2 * OUT };

/* Softmax cross-entropy of a normalise(W x) + b, normalised over the rows it is given. */
static int normalised(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                      double *value, gls_real *g) {
    const toy *data = user;
    const gls_real *scale = w + OUT * IN, *shift = scale + OUT;
    double z[POINTS][OUT], unit[POINTS][OUT], back[POINTS][OUT], spread[OUT], m = (double)count;
    for (int i = 0; i < OUT; i++) {
        double mean = 0, square = 0;
        for (int64_t k = 0; k < count; k++) {
            z[k][i] = 0;
            for (int j = 0; j < IN; j++) z[k][i] += w[i * IN + j] * data->x[example[k]][j];
            mean += z[k][i] / m;
        }
        for (int64_t k = 0; k < count; k++) square += (z[k][i] - mean) * (z[k][i] - mean) / m;
        spread[i] = sqrt(square + 1e-5);
        for (int64_t k = 0; k < count; k++) unit[k][i] = (z[k][i] - mean) / spread[i];
    }
    for (int64_t k = 0; k < count; k++) {
        double out[OUT], total = 0;
        for (int i = 0; i < OUT; i++) total += exp(out[i] = scale[i] * unit[k][i] + shift[i]);
        *value += log(total) - out[data->label[example[k]]];
        for (int i = 0; i < OUT; i++) back[k][i] = exp(out[i]) / total - (i == data->label[example[k]]);
    }
    if (!g) return 0;
    for (int i = 0; i < OUT; i++) {
        double sum = 0, along = 0;
        for (int64_t k = 0; k < count; k++) {
            sum += back[k][i];
            along += back[k][i] * unit[k][i];
        }
        g[OUT * IN + i] += along;
        g[OUT * IN + OUT + i] += sum;
        for (int64_t k = 0; k < count; k++) {
            double e = scale[i] / spread[i] * (back[k][i] - sum / m - unit[k][i] * along / m);
            for (int j = 0; j < IN; j++) g[i * IN + j] += e * data->x[example[k]][j];
        }
    }
    return 0;
}

static gls_status follow_scale(void *user, const gls_solve_state *state) {
    inside *in = (inside *)user + state->repetition;
    for (int i = 0; i < OUT; i++) in->most = fmax(in->most, fabs(state->w[OUT * IN + i]));
    return GLS_OK;
}

static void test_batch_norm_scale_stays_bounded(void **state) {
    enum { REPEAT = 8, BATCH = 8 };
    static const double decays[] = {0.1, 1};
    toy data;
    make_toy(&data);
    gls_objective objective = {
        .size = sizeof objective, .parameters = NORMED, .examples = POINTS, .evaluate = normalised, .user = &data};
    for (int k = 0; k < 2; k++) {
        inside in[REPEAT] = {{0}};
        double decay = decays[k], most = 0, bound = 2 * sqrt(BATCH) / decay, start[NORMED];
        gls_random random = gls_random_create(3, "normed", 0, 0);
        gls_problem *p;
        check(gls_problem_create_objective(ctx, &objective, &p));
        for (int i = 0; i < NORMED; i++) start[i] = i < OUT * IN ? gls_random_normal(&random) : 0;
        for (int i = 0; i < OUT; i++) start[OUT * IN + i] = (i % 2 == 0 ? 1 : -1) * bound;
        int64_t steps = full ? 20000 : 1000;
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: %.15g, weight_decay: %g}", 1 / decay, decay),
                                     .steps = steps,
                                     .batch = BATCH,
                                     .repeat = REPEAT,
                                     .seed = 2,
                                     .init = start,
                                     .observe = follow_scale,
                                     .user = in});
        for (int r = 0; r < REPEAT; r++) most = fmax(most, in[r].most);
        verdict(text("[T] thm 6.4.7: largest scale of a last batch norm, decay %g, lr = 1/decay, m = 8, started at the "
                     "bound",
                     decay),
                text("%.4f", most), text("<= %.4f", bound), REPEAT * steps, most <= bound * (1 + 1e-9));
        outcome_free(&o);
        gls_problem_destroy(p);
    }
}

/* ---- (6.10), settled: 2|grad F|^2 = lr <g, Hg> on time average ---- */

typedef struct balance {
    double left, right;
} balance;

static const double spectrum[] = {0.1, 0.5, 1, 2};

static gls_status follow_balance(void *user, const gls_solve_state *state) {
    balance *b = (balance *)user + state->repetition;
    if (state->step < 500) return GLS_OK;
    for (int i = 0; i < 4; i++) { /* g was taken at w + lr g, with lr = 0.3 */
        double slope = spectrum[i] * (state->w[i] + 0.3 * state->g[i]);
        b->left += 2 * slope * slope;
        b->right += 0.3 * spectrum[i] * state->g[i] * state->g[i];
    }
    return GLS_OK;
}

static void test_equilibrium_ratio_is_one(void **state) {
    enum { REPEAT = 50 };
    balance b[REPEAT] = {{0}};
    double ratios[REPEAT], error;
    gls_problem *p = problem_of("quadratic", "{spectrum: [0.1, 0.5, 1, 2], noise: gaussian}");
    int64_t steps = full ? 100000 : 10000;
    outcome o = solved(p, (plan){.method = "{name: sgd, lr: 0.3}",
                                 .steps = steps,
                                 .batch = 1,
                                 .repeat = REPEAT,
                                 .seed = 4,
                                 .observe = follow_balance,
                                 .user = b});
    for (int r = 0; r < REPEAT; r++) ratios[r] = b[r].left / b[r].right;
    double mean = mean_of(ratios, REPEAT, &error);
    verdict("[T] (6.10), settled: 2 E|grad F|^2 / (lr E<g, Hg>)", text("%.4f +- %.4f", mean, 1.96 * error), "1", REPEAT,
            fabs(mean - 1) < 4 * error + 1e-3);
    outcome_free(&o);
    gls_problem_destroy(p);
}

/* ---- theorem 6.5.1 ---- */

/* At rest under rate eta on a non-convex sum, the next step at c eta changes the mean loss by nothing for c = 1 and
 * lowers it for c small: the same points and draws, the rate of one step changed. */
static void test_smaller_steps_lower_the_loss_at_rest(void **state) {
    static const double factors[] = {1, 0.5, 0.1};
    enum { SETTLE = 300 };
    const int64_t repeat = full ? 20000 : 1500, mark[2] = {SETTLE, SETTLE + 1};
    const double eta = 1.5, start[4] = {1.2, -0.5, 0.9, -0.2};
    gls_problem *p = problem_of("geman_mcclure", "{dim: 4, examples: 40, scale: 1.5, center: 0.3}");
    double *change = malloc((size_t)repeat * sizeof *change), error;
    assert_non_null(change);
    (void)state;
    for (int k = 0; k < 3; k++) {
        outcome o = solved(p, (plan){.method = text("{name: sgd, lr: {name: step, from: %g, at: [%ds], values: [%g]}}",
                                                    eta, SETTLE, factors[k] * eta),
                                     .steps = SETTLE + 1,
                                     .batch = 1,
                                     .repeat = repeat,
                                     .seed = 23,
                                     .init = start,
                                     .marks = 2,
                                     .mark = mark});
        for (int64_t r = 0; r < repeat; r++) change[r] = o.figures[2 * r + 1].value - o.figures[2 * r].value;
        double mean = mean_of(change, repeat, &error);
        bool rest = factors[k] == 1;
        verdict(text("[T] thm 6.5.1: change of the mean loss by one step at %g of the rate, at rest, non-convex sum",
                     factors[k]),
                text("%.2e +- %.1e", mean, 1.96 * error), rest ? "0" : "< 0", repeat,
                rest ? fabs(mean) < 4.5 * error : mean < -1.96 * error);
        outcome_free(&o);
    }
    free(change);
    gls_problem_destroy(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sines_settle_or_cycle),
        cmocka_unit_test(test_fresh_draw_defect_decays),
        cmocka_unit_test(test_sawtooth_is_periodic),
        cmocka_unit_test(test_network_stays_in_its_invariant_set),
        cmocka_unit_test(test_batch_norm_scale_stays_bounded),
        cmocka_unit_test(test_equilibrium_ratio_is_one),
        cmocka_unit_test(test_smaller_steps_lower_the_loss_at_rest),
    };
    return cmocka_run_group_tests(tests, theory_setup, theory_teardown);
}
