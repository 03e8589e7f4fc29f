/* Under mpirun: passes and estimators over ranks that share a mini-batch, against one process, to rounding; and a
 * failure on one rank that all of them leave together. Prints and returns 1 on the first difference. */
#include <glissade/glissade.h>

#include "problem/awkward.h"
#include "problem/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct shared_stream {
    gls_stream stream;
    gls_batch rows;
} shared_stream;

static gls_status get(gls_stream *stream, int64_t begin, int64_t count, gls_batch *out) {
    *out = gls_batch_view(&((shared_stream *)stream)->rows, begin, count);
    return GLS_OK;
}

static const gls_stream_ops ops = {get};

static shared_stream share(const gls_context *ctx, const gls_batch *batch, int64_t align) {
    shared_stream s = {.stream = {.ops = &ops, .global_rows = batch->rows}};
    gls_rank_share(ctx, batch->rows, align, &s.stream.first, &s.stream.rows);
    s.rows = gls_batch_view(batch, s.stream.first, s.stream.rows);
    return s;
}

static void need(gls_context *ctx, gls_status status, const char *what) {
    if (status == GLS_OK) return;
    fprintf(stderr, "%s: %s\n", what, gls_context_message(ctx));
    exit(1);
}

/* The same rows through a loader that knows the column `user`: shared by key. */
static gls_loader *load(gls_context *ctx, const made_rows *rows, gls_source **source) {
    static gls_column columns[2] = {{"user", NULL}};
    const gls_batch *b = &rows->batch;
    gls_loader *loader;
    need(ctx, gls_source_from_dense(ctx, b->x, b->label, b->y, &rows->info, source), "source");
    columns[0].value = b->key;
    (*source)->columns = columns;
    gls_loader_options options = {.size = sizeof(options), .workers = 1, .wave = 7, .key_column = "user"};
    need(ctx, gls_loader_create(ctx, *source, &options, &loader), "loader");
    need(ctx, gls_loader_push(loader, b->index, b->rows, b->draw), "loader");
    return loader;
}

typedef struct answer {
    gls_real *g, *state;
    double loss, norm2, rho, q50, ledger, groups;
    int64_t d, states;
} answer;

static gls_value *text(gls_context *ctx, const char *key, const char *value) {
    return gls_value_create(ctx, GLS_VALUE_TEXT, key, value);
}

static const char *exchange_name; /* of runs over ranks; NULL: none */

static gls_comm_exchange *use_exchange(gls_context *ctx, gls_estimator *e, int64_t d) {
    gls_comm_exchange *x = NULL;
    if (!exchange_name || gls_comm_size(gls_context_comm(ctx)) == 1) return NULL;
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    char copy[100], *rest;
    snprintf(copy, sizeof(copy), "name=%s", exchange_name);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        need(ctx, gls_value_append(ctx, map, text(ctx, word, value)), "value");
    }
    need(ctx, gls_comm_exchange_create(ctx, map, d, 8, &x), "exchange");
    gls_value_destroy(ctx, map);
    gls_estimator_use_exchange(e, x);
    return x;
}

/* One estimate at fixed weights; options is "key=value ..." of stage `name`. */
static answer run(gls_context *ctx, const gls_problem_type *type, const made_rows *rows, const char *name,
                  const char *options, int64_t span) {
    gls_problem *p;
    gls_pass *pass;
    gls_estimator *e;
    if (type)
        need(ctx, gls_problem_create_type(ctx, type, NULL, &rows->info, &p), "problem");
    else
        need(ctx, gls_problem_create(ctx, "softmax", NULL, &rows->info, &p), "softmax");
    gls_pass_options plan = {.size = sizeof(plan), .span = span, .slice = type ? 3 : 0};
    need(ctx, gls_pass_create(p, &plan, &pass), "pass");
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    char copy[200], *rest;
    snprintf(copy, sizeof(copy), "%s", options);
    need(ctx, gls_value_append(ctx, map, text(ctx, "name", name)), "value");
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        need(ctx, gls_value_append(ctx, map, text(ctx, word, value)), "value");
    }
    need(ctx, gls_estimator_create(p, map, 3, &e), "estimator");
    gls_value_destroy(ctx, map);

    answer a = {.d = gls_problem_size(p), .states = gls_layout_size(p->state_layout)};
    gls_real *w = calloc((size_t)a.d, sizeof *w);
    need(ctx, gls_problem_initialize(p, 1, w), "initialize");
    for (int64_t i = 0; i < a.d; i++) w[i] += (gls_real)(0.4 * sin(2 * (double)i + 1));
    a.g = calloc((size_t)a.d, sizeof *a.g);
    a.state = calloc((size_t)a.states + 1, sizeof *a.state);
    int64_t align = gls_estimator_group(e);
    if (span > align) align = span;
    bool many = gls_comm_size(gls_context_comm(ctx)) > 1;
    gls_comm_exchange *exchange = use_exchange(ctx, e, a.d);
    gls_source *source = NULL;
    gls_loader *loader = many && gls_estimator_key(e) ? load(ctx, rows, &source) : NULL;
    shared_stream stream = share(ctx, &rows->batch, align);
    gls_stream *shared = &stream.stream;
    if (loader) need(ctx, gls_loader_front(loader, &shared), "loader");
    gls_estimate out;
    gls_record record;
    gls_record_clear(&record);
    need(ctx, gls_estimator_estimate(e, pass, w, shared, 0, a.g, &out, &record), name);
    a.loss = out.loss;
    a.norm2 = out.norm2;
    a.rho = gls_record_get(&record, "rho");
    a.q50 = gls_record_get(&record, "group_norm_q50");
    a.groups = gls_record_get(&record, "groups");
    gls_ledger ledger = gls_estimator_ledger(e);
    for (int64_t i = 0; i < ledger.examples; i++) a.ledger += ledger.norm[i] * sin((double)i) + ledger.log_factor[i];
    if (a.states && gls_pass_state_next(pass))
        memcpy(a.state, gls_pass_state_next(pass), (size_t)a.states * sizeof *a.state);
    gls_loader_destroy(loader);
    gls_source_destroy(source);
    gls_estimator_destroy(e);
    gls_comm_exchange_destroy(exchange);
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    free(w);
    return a;
}

static double apart(const gls_real *a, const gls_real *b, int64_t n) {
    double sum = 0, size = 1e-30;
    for (int64_t i = 0; i < n; i++) {
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(sum / size);
}

static bool near(double a, double b, double tolerance) {
    return (isnan(a) && isnan(b)) || fabs(a - b) <= tolerance * (1 + fabs(b));
}

/* The gradients may be `lossy` apart; losses, norms and clip factors may not. */
static int compare_to(answer got, answer wanted, const gls_problem_type *type, const char *name, const char *options,
                      double lossy) {
    double tolerance = sizeof(gls_real) == sizeof(float) ? 2e-5 : 1e-11, of_g = lossy > 0 ? lossy : tolerance;
    bool same = apart(got.g, wanted.g, got.d) < of_g && near(got.loss, wanted.loss, tolerance) &&
                (lossy > 0 || near(got.norm2, wanted.norm2, tolerance)) && near(got.rho, wanted.rho, tolerance) &&
                near(got.q50, wanted.q50, tolerance) && near(got.ledger, wanted.ledger, 10 * tolerance) &&
                near(got.groups, wanted.groups, 0) && apart(got.state, wanted.state, got.states) < tolerance;
    if (!same)
        fprintf(stderr, "%s %s on %s: gradients are %g apart, loss %g (%g), rho %g (%g), ledger %g (%g), state %g\n",
                name, options, type ? type->member.name : "softmax", apart(got.g, wanted.g, got.d), got.loss,
                wanted.loss, got.rho, wanted.rho, got.ledger, wanted.ledger,
                apart(got.state, wanted.state, got.states));
    free(got.g), free(got.state), free(wanted.g), free(wanted.state);
    return !same;
}

static int compare(gls_context *ranks, gls_context *one, const gls_problem_type *type, const made_rows *rows,
                   const char *name, const char *options, int64_t span) {
    return compare_to(run(ranks, type, rows, name, options, span), run(one, type, rows, name, options, span), type,
                      name, options, 0);
}

/* Every exchange under every way of making groups, against one process that exchanges nothing. */
static int exchanges(gls_context *ranks, gls_context *one, const made_rows *classes, const made_rows *keyed) {
    static const struct {
        const char *exchange;
        double lossy;
    } ways[] = {{"dense", 0},
                {"bf16", 0.04},
                {"quant levels=127 block=8", 0.1},
                {"quant levels=127 block=8 way=scatter", 0.2},
                {"topk fraction=1", 0}};
    int wrong = 0;
    for (size_t k = 0; k < sizeof(ways) / sizeof *ways; k++) {
        static const char *const stages[][2] = {{"mean", ""},
                                                {"mean", "ledger=true"},
                                                {"microbatch", "microbatch=4 ledger=true ratio_every=1"},
                                                {"microbatch", "microbatch=4 way=streamed reduce=sum"},
                                                {"microbatch", "key=user way=derived bound=0.5"},
                                                {"microbatch", "microbatch=1 bound=0.5 noise=1"},
                                                {"sum", ""},
                                                {"normalized", "microbatch=4"},
                                                {"drop", "p=0.3"},
                                                {"sgld", "sigma=0.2"},
                                                {"quant", ""},
                                                {"clip_norm", "bound=0.1"},
                                                {"clip_value", "bound=0.05"}};
        exchange_name = ways[k].exchange;
        for (size_t s = 0; s < sizeof(stages) / sizeof *stages; s++) {
            const made_rows *rows = strstr(stages[s][1], "key") ? keyed : classes;
            answer got = run(ranks, NULL, rows, stages[s][0], stages[s][1], 0);
            wrong |= compare_to(got, run(one, NULL, rows, stages[s][0], stages[s][1], 0), NULL, stages[s][0],
                                exchange_name, ways[k].lossy);
        }
    }
    exchange_name = NULL;
    return wrong;
}

/* A rank as a micro-batch is what one process makes of the same rows by a key that numbers the ranks' shares. */
static int ranks_are_groups(gls_context *ranks, gls_context *one, made_rows *rows) {
    static const char *const options[] = {"", "reduce=sum", "bound=0.3", "bound=0.3 noise=1",
                                          "ledger=true ratio_every=1"};
    static const char *const exchange[] = {NULL, "topk fraction=1", "quant levels=127 block=4"};
    int64_t *key = (int64_t *)(uintptr_t)rows->batch.key, n = rows->batch.rows;
    int size = gls_comm_size(gls_context_comm(ranks)), wrong = 0;
    for (int r = 0; r < size; r++)
        for (int64_t i = n * r / size; i < n * (r + 1) / size; i++) key[i] = r;
    for (int k = 0; k < 3; k++)
        for (size_t i = 0; i < sizeof(options) / sizeof *options; i++) {
            char of_ranks[120], by_key[120];
            snprintf(of_ranks, sizeof(of_ranks), "microbatch=rank %s", options[i]);
            snprintf(by_key, sizeof(by_key), "key=user way=streamed %s", options[i]);
            exchange_name = exchange[k];
            answer got = run(ranks, NULL, rows, "microbatch", of_ranks, 0);
            wrong |= compare_to(got, run(one, NULL, rows, "microbatch", by_key, 0), NULL, "microbatch", of_ranks,
                                k == 2 ? 0.15 : 0);
        }
    exchange_name = NULL;
    return wrong;
}

/* An objective that fails on example 20, which one rank holds. */
static int fails_late(void *user, const gls_real *w, int64_t count, const int64_t *example, const double *weight,
                      double *value, gls_real *gradient) {
    *value = 0;
    for (int64_t i = 0; i < count; i++)
        if (example[i] == 20) return 42;
    return 0;
}

static int all_leave_together(gls_context *ctx, const made_rows *rows) {
    gls_objective objective = {.size = sizeof(objective), .parameters = 3, .examples = 27, .evaluate = fails_late};
    gls_problem *p;
    gls_pass *pass;
    need(ctx, gls_problem_create_objective(ctx, &objective, &p), "objective");
    need(ctx, gls_pass_create(p, NULL, &pass), "pass");
    gls_real w[3] = {0}, g[3];
    shared_stream stream = share(ctx, &rows->batch, 1);
    gls_pass_request request = {.w = w, .rows = &stream.stream, .want = GLS_WANT_GRADIENT, .g = g};
    gls_pass_result result;
    gls_status status = gls_pass_run(pass, &request, &result);
    bool mine = stream.stream.first <= 20 && 20 < stream.stream.first + stream.stream.rows;
    gls_status wanted = mine ? GLS_ERR_CALLBACK : GLS_ERR_COMM;
    if (status != wanted) fprintf(stderr, "a failing rank: %s\n", gls_status_name(status));
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    return status != wanted;
}

/* Rows in any order over several ranks: one key would be two groups, so all ranks refuse. */
static int torn_keys_are_refused(gls_context *ctx, const made_rows *rows) {
    gls_problem *p;
    gls_pass *pass;
    gls_estimator *e;
    need(ctx, gls_problem_create(ctx, "softmax", NULL, &rows->info, &p), "softmax");
    need(ctx, gls_pass_create(p, NULL, &pass), "pass");
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    need(ctx, gls_value_append(ctx, map, text(ctx, "name", "microbatch")), "value");
    need(ctx, gls_value_append(ctx, map, text(ctx, "key", "user")), "value");
    need(ctx, gls_estimator_create(p, map, 3, &e), "estimator");
    gls_value_destroy(ctx, map);
    gls_real *w = calloc((size_t)gls_problem_size(p), sizeof *w), *g = calloc((size_t)gls_problem_size(p), sizeof *g);
    shared_stream stream = share(ctx, &rows->batch, 1);
    gls_estimate out;
    gls_status status = gls_estimator_estimate(e, pass, w, &stream.stream, 0, g, &out, NULL);
    gls_status wanted = gls_comm_size(gls_context_comm(ctx)) > 1 ? GLS_ERR_ARGUMENT : GLS_OK;
    if (status != wanted) fprintf(stderr, "torn keys: %s\n", gls_status_name(status));
    free(w), free(g);
    gls_estimator_destroy(e);
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    return status != wanted;
}

/* Outputs of all rows on every rank, to the bit, without labels. */
static gls_real *all_outputs(gls_context *ctx, const made_rows *rows, gls_status *status) {
    gls_problem *p;
    gls_pass *pass;
    need(ctx, gls_problem_create(ctx, "softmax", NULL, &rows->info, &p), "softmax");
    need(ctx, gls_pass_create(p, NULL, &pass), "pass");
    int64_t d = gls_problem_size(p);
    gls_real *w = calloc((size_t)d, sizeof *w), *out = calloc((size_t)(rows->batch.rows * p->outputs), sizeof *out);
    for (int64_t i = 0; i < d; i++) w[i] = (gls_real)sin(3 * (double)i + 1);
    gls_batch bare = rows->batch;
    bare.label = NULL;
    bare.mass = NULL;
    if (*status != GLS_OK && gls_comm_rank(gls_context_comm(ctx)) == 0) bare.x = NULL;
    shared_stream stream = share(ctx, &bare, 1);
    gls_status got = gls_pass_outputs(pass, w, &stream.stream, out);
    if (*status == GLS_OK) need(ctx, got, "outputs");
    *status = got;
    free(w);
    gls_pass_destroy(pass);
    gls_problem_destroy(p);
    return out;
}

static int outputs_are_the_same(gls_context *ranks, gls_context *one, const made_rows *rows) {
    gls_status many_status = GLS_OK, one_status = GLS_OK, failing = GLS_ERR_ARGUMENT;
    gls_real *got = all_outputs(ranks, rows, &many_status), *wanted = all_outputs(one, rows, &one_status);
    size_t bytes = (size_t)(rows->batch.rows * rows->info.classes) * sizeof *got;
    int wrong = memcmp(got, wanted, bytes) != 0;
    if (wrong) fprintf(stderr, "outputs of %d rows depend on the ranks\n", (int)rows->batch.rows);
    free(got);
    got = all_outputs(ranks, rows, &failing); /* rank 0 has no features: all of them leave together */
    gls_status mine = gls_comm_rank(gls_context_comm(ranks)) == 0 ? GLS_ERR_ARGUMENT : GLS_ERR_COMM;
    if (failing != mine) fprintf(stderr, "outputs with a failing rank: %s\n", gls_status_name(failing));
    free(got), free(wanted);
    return wrong || failing != mine;
}

int main(void) {
    gls_comm *comm;
    gls_context *ranks, *one;
    if (gls_comm_create(&comm) != GLS_OK) return 1;
    gls_context_options options = {.size = sizeof(options), .threads = 1, .seed = 4, .comm = comm};
    if (gls_context_create(&ranks, &options) != GLS_OK) return 1;
    options.comm = NULL;
    if (gls_context_create(&one, &options) != GLS_OK) return 1;
    made_rows plain, weighty, classes, few, keyed, many;
    rows_make(&plain, 27, 6, false, 0, 2, false);
    rows_make(&weighty, 27, 6, false, 0, 2, true);
    rows_make(&classes, 30, 7, false, 4, 0, true);
    rows_make(&keyed, 30, 7, false, 4, 0, false);
    rows_make(&few, 3, 6, false, 0, 2, false); /* some ranks get none */
    rows_make(&many, 401, 200, false, 7, 0, true);
    int wrong = 0;
    wrong |= compare(ranks, one, &awkward_short, &weighty, "mean", "", 0);
    wrong |= compare(ranks, one, &awkward_masked, &plain, "mean", "", 0);
    wrong |= compare(ranks, one, &awkward_rowsparse, &weighty, "sum", "", 0);
    wrong |= compare(ranks, one, &awkward_stateful, &plain, "mean", "", 0);
    wrong |= compare(ranks, one, &awkward_stateful, &few, "mean", "", 0);
    wrong |= compare(ranks, one, &awkward_coupled, &plain, "mean", "", 0);
    wrong |= compare(ranks, one, &awkward_coupled, &few, "mean", "", 0);
    wrong |= compare(ranks, one, &awkward_coupled, &plain, "mean", "", 9);
    wrong |= compare(ranks, one, &awkward_coupled, &plain, "microbatch", "microbatch=3 ratio_every=1", 3);
    wrong |= compare(ranks, one, &awkward_coupled, &plain, "microbatch", "microbatch=6 bound=0.1", 3);
    wrong |= compare(ranks, one, &awkward_coupled, &few, "microbatch", "microbatch=2", 2);
    wrong |= compare(ranks, one, &awkward_grouped, &plain, "mean", "", 0);
    wrong |= compare(ranks, one, &awkward_grouped, &plain, "microbatch", "microbatch=8", 0);
    wrong |= compare(ranks, one, NULL, &classes, "mean", "ledger=true", 0);
    wrong |= compare(ranks, one, NULL, &classes, "microbatch", "microbatch=4 ledger=true ratio_every=1", 0);
    wrong |= compare(ranks, one, NULL, &classes, "microbatch", "microbatch=4 way=streamed reduce=sum", 0);
    wrong |= compare(ranks, one, NULL, &classes, "microbatch", "microbatch=30", 0);
    wrong |= compare(ranks, one, NULL, &classes, "microbatch", "microbatch=1 bound=0.5 noise=1", 0);
    wrong |= compare(ranks, one, NULL, &classes, "quant", "", 0);
    wrong |= compare(ranks, one, NULL, &keyed, "microbatch", "key=user ledger=true ratio_every=1", 0);
    wrong |= compare(ranks, one, NULL, &keyed, "microbatch", "key=user way=streamed reduce=sum", 0);
    wrong |= compare(ranks, one, NULL, &keyed, "microbatch", "key=user way=derived bound=0.5", 0);
    wrong |= exchanges(ranks, one, &classes, &keyed);
    wrong |= outputs_are_the_same(ranks, one, &classes);
    wrong |= outputs_are_the_same(ranks, one, &many);
    wrong |= torn_keys_are_refused(ranks, &keyed);
    wrong |= all_leave_together(ranks, &plain);
    wrong |= ranks_are_groups(ranks, one, &keyed);
    rows_free(&plain), rows_free(&weighty), rows_free(&classes), rows_free(&few), rows_free(&keyed);
    rows_free(&many);
    gls_context_destroy(ranks);
    gls_context_destroy(one);
    gls_comm_destroy(comm);
    return wrong;
}
