#include "problem/conformance.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define OK(ctx, call)                                                                                                 \
    do {                                                                                                              \
        gls_status ok_status = (call);                                                                                \
        if (ok_status != GLS_OK) fail_msg("%s: %s: %s", #call, gls_status_name(ok_status), gls_context_message(ctx)); \
    } while (0)

/* n zeroed elements, and one more. */
static void *room(int64_t n, size_t size) {
    if (n < 0 || n > 1 << 28) abort();
    void *block = calloc((size_t)n + 1, size);
    assert_non_null(block);
    return block;
}

gls_context *conformance_context(int threads) {
    gls_context *ctx;
    gls_context_options options = {.size = sizeof(options), .threads = threads, .seed = 11};
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    return ctx;
}

/* A problem with all that is asked about it. */
typedef struct subject {
    const conformance *c;
    gls_context *ctx;
    gls_problem *p;
    gls_pass *pass;
    gls_real *w;
    int64_t d, n;
} subject;

static subject open_subject(const conformance *c, int threads, int64_t slice) {
    subject s = {.c = c, .ctx = conformance_context(threads), .n = c->batch->rows};
    OK(s.ctx, c->make(s.ctx, c->user, &s.p));
    gls_pass_options options = {.size = sizeof(options), .slice = slice, .lanes = 4};
    if (slice == 0) options.lanes = 0;
    OK(s.ctx, gls_pass_create(s.p, &options, &s.pass));
    s.d = gls_problem_size(s.p);
    s.w = room(s.d, sizeof *s.w);
    OK(s.ctx, gls_problem_initialize(s.p, 5, s.w));
    gls_random random = gls_random_create(17, "conformance", 0, 0);
    for (int64_t i = 0; i < s.d; i++) s.w[i] += (gls_real)(c->spread * gls_random_normal(&random));
    return s;
}

static void close_subject(subject *s) {
    free(s->w);
    gls_pass_destroy(s->pass);
    gls_problem_destroy(s->p);
    gls_context_destroy(s->ctx);
}

static double tolerance(const conformance *c) {
    if (c->tolerance > 0) return c->tolerance;
    return sizeof(gls_real) == sizeof(float) ? 2e-5 : 1e-11;
}

static double norm(const gls_real *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sqrt(sum);
}

static double distance(const gls_real *x, const gls_real *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
    return sqrt(sum);
}

static void assert_near(const conformance *c, const char *what, double got, double wanted, double scale) {
    if (fabs(got - wanted) <= tolerance(c) * (scale + fabs(wanted)) + 1e-30) return;
    fail_msg("%s: %s: %.17g, expected %.17g (scale %g)", c->name, what, got, wanted, scale);
}

static void assert_vectors_near(const conformance *c, const char *what, const gls_real *got, const gls_real *wanted,
                                int64_t n, double scale) {
    double apart = distance(got, wanted, n);
    if (apart <= tolerance(c) * (scale + norm(wanted, n)) + 1e-30) return;
    fail_msg("%s: %s: vectors of norm %g and %g are %g apart", c->name, what, norm(got, n), norm(wanted, n), apart);
}

/* Loss and gradient of a batch through a pass. */
static double whole(subject *s, const gls_batch *batch, unsigned extra, gls_real *g) {
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, batch);
    gls_pass_request request = {.w = s->w, .rows = &stream.stream, .want = GLS_WANT_GRADIENT | extra, .g = g};
    gls_pass_result result;
    OK(s->ctx, gls_pass_run(s->pass, &request, &result));
    assert_int_equal(result.rows, batch->rows);
    if (g) {
        double own = norm(g, s->d);
        assert_true(fabs(result.norm2 - own * own) <= 1e-9 * own * own);
    }
    return result.loss;
}

/* One evaluation that holds the whole batch. */
typedef struct one {
    gls_point *point;
    gls_evaluation *evaluation;
} one;

static const unsigned everything =
    GLS_WANT_GRADIENT | GLS_WANT_LOSSES | GLS_WANT_SCORES | GLS_WANT_NORMS | GLS_WANT_INNER;

static one evaluate(subject *s, gls_problem *p, const gls_batch *batch) {
    one e;
    OK(s->ctx, gls_point_create(p, &e.point));
    OK(s->ctx, gls_point_set(e.point, s->w));
    OK(s->ctx, gls_evaluation_create(p, batch->rows, everything, GLS_MODE_TRAIN, &e.evaluation));
    gls_evaluate_args args = {.point = e.point,
                              .rows = batch,
                              .want = everything,
                              .mode = GLS_MODE_TRAIN,
                              .state = p->state,
                              .leader = true,
                              .batch_mass = gls_batch_mass(batch),
                              .batch_rows = batch->rows,
                              .seed = gls_context_seed(s->ctx)};
    OK(s->ctx, gls_evaluate(e.evaluation, &args));
    return e;
}

static void close_one(one *e) {
    gls_evaluation_destroy(e->evaluation);
    gls_point_destroy(e->point);
}

static bool free_examples(const gls_problem *p) {
    return p->coupling == GLS_COUPLING_NONE;
}

/* A partition into `groups` in no order, one row in none. */
static void deal(int32_t *group, int64_t n, int64_t groups) {
    for (int64_t i = 0; i < n; i++) group[i] = (int32_t)((i * 7 + 3) % groups);
    if (n > groups) group[n / 2] = -1;
}

/* Norms, inner products and group gradients by definition: the gradient with weights that pick the group. */
static void check_groups(subject *s) {
    int64_t n = s->n, d = s->d;
    one e = evaluate(s, s->p, s->c->batch);
    gls_real *g = room(d, sizeof *g), *sum = room(d, sizeof *g), *all = room(d, sizeof *g);
    gls_real *v = room(d, sizeof *v);
    double *weights = room(n, sizeof *weights), *norms = room(n, sizeof *norms);
    double *inner = room(n, sizeof *inner);
    int32_t *group = room(n, sizeof *group);
    gls_point *direction;
    for (int64_t i = 0; i < d; i++) v[i] = (gls_real)sin((double)i + 1);
    OK(s->ctx, gls_point_create(s->p, &direction));
    OK(s->ctx, gls_point_set(direction, v));
    const int64_t counts[] = {1, 2, 5, n};
    for (int k = 0; k < 4; k++) {
        int64_t groups = counts[k] < n ? counts[k] : n;
        deal(group, n, groups);
        gls_partition partition = {groups, group};
        OK(s->ctx, gls_ask_norms(e.evaluation, &partition, norms));
        OK(s->ctx, gls_ask_inner(e.evaluation, &partition, direction, inner));
        memset(sum, 0, (size_t)d * sizeof *sum);
        memset(all, 0, (size_t)d * sizeof *all);
        double total = 0;
        for (int64_t j = -1; j < groups; j++) {
            memset(g, 0, (size_t)d * sizeof *g);
            for (int64_t i = 0; i < n; i++) weights[i] = group[i] == j;
            OK(s->ctx, gls_ask_gradient(e.evaluation, GLS_PRODUCT_GRADIENT, weights, g));
            for (int64_t i = 0; i < d; i++) sum[i] += g[i];
            double length = norm(g, d), product = 0;
            total += length;
            if (j < 0) continue;
            for (int64_t i = 0; i < d; i++) product += (double)g[i] * v[i];
            assert_near(s->c, "norm of a group", norms[j], length * length, length * length);
            assert_near(s->c, "inner product of a group", inner[j], product, length * norm(v, d));
        }
        OK(s->ctx, gls_ask_gradient(e.evaluation, GLS_PRODUCT_GRADIENT, NULL, all));
        assert_vectors_near(s->c, "sum of group gradients", sum, all, d, total);
    }
    gls_point_destroy(direction);
    close_one(&e);
    free(g), free(sum), free(all), free(v), free(weights), free(norms), free(inner), free(group);
}

/* The same problem without its closed forms answers the same. */
static void check_generic(subject *s) {
    gls_problem_type bare = *s->p->type;
    gls_problem twin = *s->p;
    bare.norms = NULL;
    bare.inner = NULL;
    twin.type = &bare;
    one closed = evaluate(s, s->p, s->c->batch), generic = evaluate(s, &twin, s->c->batch);
    double *a = room(s->n, sizeof *a), *b = room(s->n, sizeof *b), sum, total = 0;
    OK(s->ctx, gls_ask_norms(closed.evaluation, NULL, a));
    OK(s->ctx, gls_ask_norms(generic.evaluation, NULL, b));
    for (int64_t i = 0; i < s->n; i++) assert_near(s->c, "norm, closed form against generic", a[i], b[i], 0);
    gls_real *v = room(s->d, sizeof *v);
    for (int64_t i = 0; i < s->d; i++) v[i] = (gls_real)cos((double)i);
    gls_point *direction;
    OK(s->ctx, gls_point_create(s->p, &direction));
    OK(s->ctx, gls_point_set(direction, v));
    double *norms = room(s->n, sizeof *norms);
    memcpy(norms, a, (size_t)s->n * sizeof *norms);
    OK(s->ctx, gls_ask_inner(closed.evaluation, NULL, direction, a));
    OK(s->ctx, gls_ask_inner(generic.evaluation, NULL, direction, b));
    for (int64_t i = 0; i < s->n; i++)
        assert_near(s->c, "inner product, closed form against generic", a[i], b[i], sqrt(norms[i]) * norm(v, s->d));
    OK(s->ctx, gls_ask_losses(closed.evaluation, a));
    OK(s->ctx, gls_ask_loss(closed.evaluation, &sum));
    for (int64_t i = 0; i < s->n; i++) {
        gls_batch row = gls_batch_view(s->c->batch, i, 1);
        double alone = whole(s, &row, 0, NULL);
        assert_near(s->c, "loss of one row", a[i], alone, 0);
        total += a[i];
    }
    assert_near(s->c, "sum of losses", sum, total, fabs(total));
    gls_point_destroy(direction);
    close_one(&closed);
    close_one(&generic);
    free(a), free(b), free(v), free(norms);
}

static gls_batch permuted(const gls_batch *b, const int64_t *order, void **keep);

static void check_permutation(subject *s) {
    int64_t n = s->n, *order = room(n, sizeof *order);
    for (int64_t i = 0; i < n; i++) order[i] = n - 1 - i;
    void *keep[12] = {0};
    gls_batch other = permuted(s->c->batch, order, keep);
    gls_real *a = room(s->d, sizeof *a), *b = room(s->d, sizeof *b);
    double before = whole(s, s->c->batch, 0, a), after = whole(s, &other, 0, b);
    assert_near(s->c, "loss of permuted rows", after, before, fabs(before));
    assert_vectors_near(s->c, "gradient of permuted rows", b, a, s->d, norm(a, s->d));
    for (int i = 0; i < 12; i++) free(keep[i]);
    free(order), free(a), free(b);
}

/* Rows of weight zero might as well not be there. */
static void check_zero_weights(subject *s) {
    int64_t n = s->n, kept = n / 2;
    double *weights = room(n, sizeof *weights);
    for (int64_t i = 0; i < kept; i++) weights[i] = 1;
    gls_real *a = room(s->d, sizeof *a), *b = room(s->d, sizeof *b);
    gls_batch first = gls_batch_view(s->c->batch, 0, kept);
    one e = evaluate(s, s->p, s->c->batch);
    OK(s->ctx, gls_ask_gradient(e.evaluation, GLS_PRODUCT_GRADIENT, weights, a));
    whole(s, &first, 0, b);
    assert_vectors_near(s->c, "gradient with zero weights", a, b, s->d, norm(b, s->d));
    close_one(&e);
    free(weights), free(a), free(b);
}

/* Two evaluations, asked twice, and a pass over them leave weights and state as they were. */
static void check_nothing_changes(subject *s) {
    int64_t states = gls_layout_size(s->p->state_layout);
    gls_real *w = room(s->d, sizeof *w), *a = room(s->d, sizeof *a);
    gls_real *b = room(s->d, sizeof *b), *state = room(states, sizeof *state);
    memcpy(w, s->w, (size_t)s->d * sizeof *w);
    if (states) memcpy(state, s->p->state, (size_t)states * sizeof *state);
    one e = evaluate(s, s->p, s->c->batch);
    OK(s->ctx, gls_ask_gradient(e.evaluation, GLS_PRODUCT_GRADIENT, NULL, a));
    OK(s->ctx, gls_ask_gradient(e.evaluation, GLS_PRODUCT_GRADIENT, NULL, b));
    assert_memory_equal(a, b, (size_t)s->d * sizeof *a);
    double first = whole(s, s->c->batch, 0, a), second = whole(s, s->c->batch, 0, b);
    assert_true(first == second);
    assert_memory_equal(a, b, (size_t)s->d * sizeof *a);
    assert_memory_equal(w, s->w, (size_t)s->d * sizeof *w);
    if (states) assert_memory_equal(state, s->p->state, (size_t)states * sizeof *state);
    close_one(&e);
    free(w), free(a), free(b), free(state);
}

static double loss_at(subject *s, const gls_real *w, const gls_real *v, double h) {
    gls_real *kept = s->w, *at = room(s->d, sizeof *at);
    for (int64_t i = 0; i < s->d; i++) at[i] = (gls_real)(w[i] + h * v[i]);
    s->w = at;
    double loss = whole(s, s->c->batch, 0, NULL);
    s->w = kept;
    free(at);
    return loss;
}

/* Five-point differences in double: truncation h^4, rounding 1e-16 / h. */
static void check_differences(subject *s) {
    if (sizeof(gls_real) == sizeof(float) || s->c->kinks) return;
    gls_real *g = room(s->d, sizeof *g), *v = room(s->d, sizeof *v);
    double loss = whole(s, s->c->batch, 0, g);
    gls_random random = gls_random_create(23, "directions", 0, 0);
    for (int k = 0; k < 6; k++) {
        double product = 0, h = 1e-3, length = 0;
        for (int64_t i = 0; i < s->d; i++) v[i] = (gls_real)gls_random_normal(&random);
        if (k >= 3) /* single coordinates: the first, the last, one between */
            for (int64_t i = 0; i < s->d; i++) v[i] = i == (k == 3 ? 0 : k == 4 ? s->d - 1 : s->d / 2);
        length = norm(v, s->d);
        for (int64_t i = 0; i < s->d; i++) v[i] = (gls_real)(v[i] / length);
        for (int64_t i = 0; i < s->d; i++) product += (double)g[i] * v[i];
        double near = loss_at(s, s->w, v, h) - loss_at(s, s->w, v, -h);
        double far = loss_at(s, s->w, v, 2 * h) - loss_at(s, s->w, v, -2 * h);
        double slope = (8 * near - far) / (12 * h), scale = norm(g, s->d) + 1e-3 * fabs(loss);
        if (fabs(slope - product) > 1e-7 * scale)
            fail_msg("%s: direction %d: slope %.12g, gradient says %.12g", s->c->name, k, slope, product);
    }
    free(g), free(v);
}

/* H v, closed form or differences, against differences of gradients. */
static void check_hessian(subject *s) {
    if (sizeof(gls_real) == sizeof(float) || s->c->kinks) return;
    gls_real *v = room(s->d, sizeof *v), *product = room(s->d, sizeof *v);
    gls_real *above = room(s->d, sizeof *v), *below = room(s->d, sizeof *v), *kept = s->w;
    gls_real *at = room(s->d, sizeof *at);
    double mass, h = 1e-5 / sqrt((double)s->d);
    for (int64_t i = 0; i < s->d; i++) v[i] = (gls_real)sin(3 * (double)i + 1);
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, s->c->batch);
    OK(s->ctx, gls_pass_hessian_vector(s->pass, s->w, v, &stream.stream, GLS_MODE_TRAIN, product, &mass));
    assert_near(s->c, "mass", mass, gls_batch_mass(s->c->batch), 0);
    s->w = at;
    for (int64_t i = 0; i < s->d; i++) at[i] = (gls_real)(kept[i] + h * v[i]);
    whole(s, s->c->batch, 0, above);
    for (int64_t i = 0; i < s->d; i++) at[i] = (gls_real)(kept[i] - h * v[i]);
    whole(s, s->c->batch, 0, below);
    s->w = kept;
    double scale = norm(above, s->d);
    for (int64_t i = 0; i < s->d; i++) above[i] = (gls_real)((above[i] - below[i]) / (2 * h));
    double apart = distance(product, above, s->d);
    if (apart > 1e-5 * (norm(above, s->d) + scale))
        fail_msg("%s: Hessian product of norm %g is %g from differences", s->c->name, norm(product, s->d), apart);
    free(v), free(product), free(above), free(below), free(at);
}

/* Work that takes longer in some slices than in others, and asks more of them. */
static gls_status dawdle(void *user, gls_slice *slice) {
    const subject *s = user;
    usleep((useconds_t)((slice->number * 13) % 5 * 200));
    double loss;
    GLS_TRY(gls_ask_loss(slice->evaluation, &loss));
    if (free_examples(s->p)) {
        double *norms = room(slice->rows->rows, sizeof *norms);
        gls_status status = gls_ask_norms(slice->evaluation, NULL, norms);
        free(norms);
        GLS_TRY(status);
    }
    slice->sum[0] += loss;
    return GLS_OK;
}

static void check_bits(const conformance *c) {
    subject plain = open_subject(c, 1, 3);
    int64_t d = plain.d, states = gls_layout_size(plain.p->state_layout);
    gls_real *wanted = room(d, sizeof *wanted), *got = room(d, sizeof *got);
    double loss = whole(&plain, c->batch, 0, wanted);
    for (int threads = 1; threads <= 3; threads++) {
        subject s = open_subject(c, threads, 3);
        gls_batch_stream stream;
        gls_batch_stream_init(&stream, c->batch);
        double sum = 0;
        gls_pass_request request = {.w = s.w,
                                    .rows = &stream.stream,
                                    .want = everything,
                                    .g = got,
                                    .slice = dawdle,
                                    .user = &s,
                                    .sums = 1,
                                    .sum = &sum};
        gls_pass_result result;
        OK(s.ctx, gls_pass_run(s.pass, &request, &result));
        assert_memory_equal(got, wanted, (size_t)d * sizeof *got);
        assert_true(result.loss == loss);
        assert_near(c, "sum over slices", sum, loss, fabs(loss));
        if (states)
            assert_memory_equal(gls_pass_state_next(s.pass), gls_pass_state_next(plain.pass),
                                (size_t)states * sizeof *got);
        close_subject(&s);
    }
    close_subject(&plain);
    free(wanted), free(got);
}

/* Other slices, other waves: the same but for rounding. */
static void check_cuts(const conformance *c) {
    subject plain = open_subject(c, 2, 0);
    int64_t d = plain.d, states = gls_layout_size(plain.p->state_layout);
    gls_real *wanted = room(d, sizeof *wanted), *got = room(d, sizeof *got);
    double loss = whole(&plain, c->batch, 0, wanted);
    const int64_t slices[] = {1, 4, 7, 1000};
    for (int k = 0; k < 4; k++) {
        subject s = open_subject(c, 2, slices[k]);
        assert_near(c, "loss in other slices", whole(&s, c->batch, 0, got), loss, fabs(loss));
        assert_vectors_near(c, "gradient in other slices", got, wanted, d, norm(wanted, d));
        if (states)
            assert_vectors_near(c, "state in other slices", gls_pass_state_next(s.pass),
                                gls_pass_state_next(plain.pass), states, 1);
        close_subject(&s);
    }
    close_subject(&plain);
    free(wanted), free(got);
}

/* Questions finer than the coupling are refused with a sentence, not answered. */
static void check_refusals(subject *s) {
    one e = evaluate(s, s->p, s->c->batch);
    double *values = room(s->n, sizeof *values);
    gls_real *g = room(s->d, sizeof *g);
    values[0] = 1;
    assert_int_equal(gls_ask_gradient(e.evaluation, GLS_PRODUCT_GRADIENT, values, g), GLS_ERR_UNSUPPORTED);
    assert_non_null(strstr(gls_context_message(s->ctx), "use"));
    assert_int_equal(gls_ask_norms(e.evaluation, NULL, values), GLS_ERR_UNSUPPORTED);
    close_one(&e);
    free(values), free(g);
}

/* Scores and losses in evaluation mode, where no examples couple. */
static void check_evaluation_mode(subject *s) {
    gls_batch_stream stream;
    gls_batch_stream_init(&stream, s->c->batch);
    gls_pass_request request = {.w = s->w, .rows = &stream.stream, .mode = GLS_MODE_EVALUATE};
    request.want = GLS_WANT_SCORES;
    gls_pass_result a, b;
    OK(s->ctx, gls_pass_run(s->pass, &request, &a));
    OK(s->ctx, gls_pass_run(s->pass, &request, &b));
    assert_true(a.loss == b.loss && a.score[0] == b.score[0]);
    assert_null(gls_pass_state_next(s->pass));
    if (s->p->score_count > 0) assert_in_range((int64_t)a.score[0], 0, (int64_t)ceil(a.mass));
}

void conformance_check(const conformance *c) {
    subject s = open_subject(c, 2, 5);
    if (free_examples(s.p)) {
        check_groups(&s);
        check_generic(&s);
        check_zero_weights(&s);
    } else {
        check_refusals(&s);
    }
    if (s.p->coupling != GLS_COUPLING_GROUPS) check_permutation(&s);
    check_nothing_changes(&s);
    check_differences(&s);
    check_hessian(&s);
    check_evaluation_mode(&s);
    close_subject(&s);
    check_bits(c);
    check_cuts(c);
    conformance_outputs(c);
}

/* ---- rows in another order ---- */

static const void *reorder(const void *from, const int64_t *order, int64_t n, int64_t width, size_t size, void **keep) {
    if (!from) return NULL;
    size_t bytes = (size_t)width * size;
    *keep = malloc((size_t)n * bytes + 1);
    for (int64_t i = 0; i < n; i++)
        memcpy((char *)*keep + (size_t)i * bytes, (const char *)from + (size_t)order[i] * bytes, bytes);
    return *keep;
}

static gls_batch permuted(const gls_batch *b, const int64_t *order, void **keep) {
    gls_batch out = *b;
    int64_t n = b->rows;
    out.x = reorder(b->x, order, n, b->features, sizeof(gls_real), &keep[0]);
    out.token = reorder(b->token, order, n, b->length, sizeof(int32_t), &keep[1]);
    out.label = reorder(b->label, order, n, gls_batch_labels(b), sizeof(int32_t), &keep[2]);
    out.y = reorder(b->y, order, n, b->targets, sizeof(gls_real), &keep[3]);
    out.index = reorder(b->index, order, n, 1, sizeof(int64_t), &keep[4]);
    out.slot = reorder(b->slot, order, n, 1, sizeof(int64_t), &keep[5]);
    out.mass = reorder(b->mass, order, n, 1, sizeof(double), &keep[6]);
    out.other_label = reorder(b->other_label, order, n, 1, sizeof(int32_t), &keep[10]);
    out.label_share = reorder(b->label_share, order, n, 1, sizeof(double), &keep[11]);
    if (!b->row) return out;
    int64_t *row = keep[7] = room(n, sizeof *row);
    int32_t *column = keep[8] = room(b->row[n] - b->row[0], sizeof *column);
    gls_real *value = keep[9] = room(b->row[n] - b->row[0], sizeof *value);
    for (int64_t i = 0; i < n; i++) {
        int64_t begin = b->row[order[i]], stored = b->row[order[i] + 1] - begin;
        memcpy(column + row[i], b->column + begin, (size_t)stored * sizeof *column);
        memcpy(value + row[i], b->value + begin, (size_t)stored * sizeof *value);
        row[i + 1] = row[i] + stored;
    }
    out.row = row;
    out.column = column;
    out.value = value;
    return out;
}
