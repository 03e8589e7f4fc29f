/* The parts of a scaling model, measured on a configuration: a step's time against its rows, the bound B_S, the noise
 * of quantising, the network, the exchanges' own work. */
#include "run/search/scaling.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "base/clock.h"
#include "base/kernels.h"
#include "base/sort.h"
#include "base/value.h"
#include "comm/exchange.h"
#include "estimator/pass.h"
#include "run/config/members.h"
#include "run/loop/run.h"

enum { REPEATS = 3, REPEATS_OWN = 9, SAMPLE = 2048, TIMED_ROWS = 1024 };
static const double longest_step = 2; /* seconds: no longer one is timed */

/* A training of one process, whatever ranks there are: all of them time the same at the same time. */
typedef struct work {
    gls_scaling_meter meter;
    gls_context *ctx; /* of all ranks */
    gls_context *own; /* of this process alone */
    const gls_scaling_options *options;
    gls_run *run;
    gls_training *t;
    gls_loader *loader;
    int64_t *index;
    int64_t rows;       /* of a rank in training */
    double own_seconds; /* of a step of so many */
    int64_t number;     /* of the next mini-batch */
    gls_scaling *out;
} work;

/* ---- a step's time against its rows ---- */

static gls_status one_step(work *k, int64_t rows, double *seconds) {
    gls_training *t = k->t;
    int64_t number = k->number++;
    gls_stream *stream;
    gls_query query;
    gls_estimate estimate;
    gls_record record;
    gls_step_report report;
    for (int64_t i = 0; i < rows; i++) k->index[i] = (number * rows + i) % t->set.train->info.examples;
    double began = gls_seconds();
    GLS_TRY(gls_loader_push(k->loader, k->index, rows, (uint64_t)number));
    GLS_TRY(gls_loader_front(k->loader, &stream));
    GLS_TRY(gls_method_query(t->method, t->w, &query));
    gls_record_clear(&record);
    if (query.kind == GLS_QUERY_DONE)
        return gls_fail(k->own, GLS_ERR_UNSUPPORTED, "scale: the method asks for nothing");
    GLS_TRY(gls_training_answer(t, t->pass, t->estimator, &query, stream, t->g, &estimate, &record));
    gls_answer answer = {
        .value = estimate.loss, .g = query.kind == GLS_QUERY_VALUE ? NULL : t->g, .norm2 = estimate.norm2, .epoch = 0};
    GLS_TRY(gls_method_tell(t->method, &answer, t->w, &report));
    gls_loader_pop(k->loader);
    *seconds = gls_seconds() - began;
    return GLS_OK;
}

static gls_status own_step(void *user, double *seconds) {
    work *k = user;
    return one_step(k, k->rows, seconds);
}

/* Of a step, the time of the tiles: the last part begins its way when all are made. */
static double share_on_the_way(const gls_pass *pass, double seconds) {
    double parts = (double)pass->parts.early;
    return parts > 1 ? fmin(pass->tile_seconds / seconds, 1) * (parts - 1) / parts : 0;
}

/* The median of some steps, each as long as that of the slowest rank; the first warms up. */
static gls_status time_rows(work *k, int64_t rows, double *seconds) {
    double each[REPEATS_OWN + 1];
    int repeats = rows == k->rows ? REPEATS_OWN : REPEATS;
    for (int i = 0; i <= repeats; i++) {
        gls_status status = one_step(k, rows, &each[i]);
        GLS_TRY(gls_scaling_meet(&k->meter, &each[i], status));
    }
    gls_sort_doubles(each + 1, repeats);
    *seconds = each[1 + repeats / 2];
    if (rows == k->rows) {
        k->own_seconds = *seconds;
        k->out->model.overlap = share_on_the_way(k->t->pass, *seconds);
    }
    return GLS_OK;
}

/* step_time + row_time r by least squares on relative errors. */
static void fit_steps(gls_scaling *s) {
    double aa = 0, ab = 0, bb = 0, ay = 0, by = 0;
    int64_t timings = s->model.timings;
    for (int64_t i = 0; i < timings; i++) {
        double r = s->timed[2 * i], y = s->timed[2 * i + 1], weight = 1 / (y * y);
        aa += weight, ab += weight * r, bb += weight * r * r, ay += weight * y, by += weight * r * y;
    }
    double determinant = aa * bb - ab * ab;
    s->model.step_time = timings > 1 ? fmax((bb * ay - ab * by) / determinant, 0) : 0;
    s->model.row_time = timings > 1 ? fmax((aa * by - ab * ay) / determinant, 1e-12) : ay / ab;
}

/* Twice as many each time, with those of training among them. */
static int64_t next_rows(const work *k, int64_t rows, int64_t most) {
    int64_t next = gls_least(2 * rows, most);
    return k->rows > rows && k->rows < next ? k->rows : next;
}

static gls_status time_steps(work *k) {
    int64_t examples = k->t->set.train->info.examples;
    int64_t most = gls_least(k->options->most_rows > 0 ? k->options->most_rows : TIMED_ROWS, examples);
    int64_t group = gls_estimator_group(k->t->estimator), least = group > 1 ? group : 4;
    gls_scaling *s = k->out;
    gls_scaling_model *m = &s->model;
    k->rows = gls_least(k->rows, most);
    m->timed = s->timed = gls_alloc(k->ctx, 2 * 64, sizeof *s->timed);
    k->index = gls_alloc(k->own, most, sizeof *k->index);
    if (!s->timed || !k->index) return GLS_ERR_MEMORY;
    for (int64_t rows = gls_least(least, most);; rows = next_rows(k, rows, most)) {
        double *at = s->timed + 2 * m->timings++;
        at[0] = (double)rows;
        GLS_TRY(time_rows(k, rows, &at[1]));
        if (rows == most || m->timings == 60 || (at[1] > longest_step && rows >= k->rows)) break;
    }
    fit_steps(s);
    return GLS_OK;
}

/* ---- what the gradients say ---- */

static gls_status measure_bound(work *k) {
    gls_scaling_model *m = &k->out->model;
    if (k->options->bound > 0) {
        m->bound = m->low = m->high = k->options->bound;
        return GLS_OK;
    }
    int64_t examples = k->t->set.train->info.examples;
    char text[40];
    snprintf(text, sizeof text, "{sample: %lld}", (long long)gls_least(SAMPLE, examples));
    gls_value *options = NULL;
    gls_measure *measure = NULL;
    gls_measure_input in;
    gls_measure_result result;
    gls_measure_result_init(k->own, &result);
    gls_status status = gls_config_parse(k->own, "scale", text, (int64_t)strlen(text), &options);
    if (status == GLS_OK)
        status = gls_measure_create(k->own, "gradient_diversity", options, NULL, gls_problem_size(k->t->problem),
                                    examples, &measure);
    if (status == GLS_OK) status = gls_training_measure_input(k->t, &in);
    if (status == GLS_OK) status = gls_measure_run(measure, &in, &result);
    const gls_figure *found = status == GLS_OK ? gls_measure_result_find(&result, "batch_size_bound") : NULL;
    m->bound = found ? fmax(found->value[0], 1) : NAN;
    m->low = found ? found->low : NAN;
    m->high = found ? found->high : NAN;
    gls_measure_result_clear(&result);
    gls_measure_destroy(measure);
    gls_value_destroy(k->own, options);
    return status;
}

/* sum over blocks of |v|^2 / s^2 sum p (1 - p), over |v|^2 (methods.md 8, quant.c). */
static double quant_noise(const gls_real *g, int64_t d, int64_t block, double levels) {
    double noise = 0, all = 0;
    for (int64_t begin = 0; begin < d; begin += block) {
        int64_t n = gls_least(block, d - begin);
        double norm2 = gls_sum_squares(g + begin, n), norm = sqrt(norm2), sum = 0;
        for (int64_t i = begin; i < begin + n && norm > 0; i++) {
            double share = levels * fabs((double)g[i]) / norm, p = share - floor(share);
            sum += p * (1 - p);
        }
        noise += norm2 / levels / levels * sum;
        all += norm2;
    }
    return all > 0 ? noise / all : 0;
}

static double number_of(gls_context *ctx, const gls_value *spec, const char *key, double initial) {
    const gls_value *value = spec && spec->kind == GLS_VALUE_MAP ? gls_value_get(spec, key) : NULL;
    (void)ctx;
    return value && value->text ? strtod(value->text, NULL) : initial;
}

/* ---- the ways ---- */

static const gls_value *own_spec(const work *k) {
    return k->t->train->exchange;
}

static const char *name_of(const gls_value *spec) {
    const gls_value *name = spec && spec->kind == GLS_VALUE_MAP ? gls_value_get(spec, "name") : spec;
    return name && name->text ? name->text : "dense";
}

/* The median of whole steps, sum included, less what they compute: between the two nobody meets, as in training. */
static gls_status time_whole(work *k, gls_scaling_way *way) {
    double each[REPEATS_OWN + 1], compute = 0;
    for (int i = 0; i <= REPEATS_OWN; i++) {
        double began = gls_seconds();
        gls_status status = gls_comm_exchange_sum(way->exchange, k->t->g, one_step(k, k->rows, &compute));
        each[i] = gls_seconds() - began;
        k->meter.failed |= status != GLS_OK; /* the sum's own agreement has told all */
        GLS_TRY(status);
        GLS_TRY(gls_scaling_meet(&k->meter, &each[i], GLS_OK));
    }
    gls_sort_doubles(each + 1, REPEATS_OWN);
    way->measured = fmax(each[1 + REPEATS_OWN / 2] - k->own_seconds, 1e-9);
    return GLS_OK;
}

static gls_status make_way(work *k, const gls_member *member, gls_scaling_way *way) {
    const gls_training *t = k->t;
    const gls_value plain = {.kind = GLS_VALUE_TEXT, .text = member->name};
    bool own = strcmp(name_of(own_spec(k)), member->name) == 0;
    const gls_value *spec = own && own_spec(k) ? own_spec(k) : &plain;
    int64_t d = gls_problem_size(t->problem), block;
    gls_scaling_rehearsal rehearsal = {&k->meter, spec, t->g, d};
    *way = (gls_scaling_way){.name = member->name, .law = strcmp(member->name, "topk") != 0};
    if (own) k->out->own = way - k->out->way;
    if (strcmp(member->name, "quant") == 0) {
        block = (int64_t)number_of(k->own, spec, "block", 128);
        way->noise = quant_noise(t->g, d, block > 0 ? block : d, number_of(k->own, spec, "levels", 1));
        k->out->model.quantised = way->noise;
    }
    GLS_TRY(gls_comm_exchange_create(k->ctx, spec, d, 1, &way->exchange));
    GLS_TRY(gls_scaling_rehearse(&rehearsal, way->work));
    bool given = k->options->latency > 0 || k->options->bandwidth > 0;
    if (given || k->out->model.ranks < 2 || gls_comm_exchange_cuts(way->exchange)) return GLS_OK;
    return time_whole(k, way);
}

static gls_status make_ways(work *k) {
    gls_scaling *s = k->out;
    const gls_member *member;
    int64_t count = 0;
    while (gls_members_at(k->ctx, GLS_KIND_EXCHANGE, count)) count++;
    s->way = gls_alloc(k->ctx, count, sizeof *s->way);
    if (!s->way) return GLS_ERR_MEMORY;
    for (; (member = gls_members_at(k->ctx, GLS_KIND_EXCHANGE, s->ways)); s->ways++)
        GLS_TRY(make_way(k, member, &s->way[s->ways]));
    return GLS_OK;
}

/* ---- all of it ---- */

static gls_status open_training(work *k) {
    gls_context_options options = {.size = sizeof options};
    gls_run_options run = {.size = sizeof run, .config = k->options->config, .from = k->options->weights};
    GLS_TRY(gls_config_context(k->ctx, k->options->config, &options));
    options.threads = gls_context_threads(k->ctx);
    GLS_TRY(gls_context_create(&k->own, &options));
    GLS_TRY(gls_run_create(k->own, &run, &k->run));
    GLS_TRY(gls_run_begin(k->run));
    k->t = k->run->training;
    gls_loader_options loading = {.size = sizeof loading,
                                  .wave = k->t->plan.wave,
                                  .align = gls_estimator_group(k->t->estimator),
                                  .seed = gls_context_seed(k->own),
                                  .augment = true,
                                  .key_column = gls_estimator_key(k->t->estimator)};
    return gls_loader_create(k->own, k->t->set.train, &loading, &k->loader);
}

/* A rank's rows: given, or its share of a mini-batch. */
static int64_t rows_of(const work *k) {
    int64_t examples = k->t->set.train->info.examples, batch = k->t->train->batch;
    if (k->options->rows > 0) return gls_least((int64_t)k->options->rows, examples);
    if (batch < 0 || batch > examples) batch = examples;
    batch /= gls_comm_size(gls_context_comm(k->ctx));
    return batch > 0 ? batch : 1;
}

static gls_status measure_parts(work *k) {
    GLS_TRY(open_training(k));
    gls_scaling_model *m = &k->out->model;
    m->examples = (double)k->t->set.train->info.examples;
    m->parameters = (double)gls_problem_size(k->t->problem);
    GLS_TRY(measure_bound(k));
    k->rows = rows_of(k);
    GLS_TRY(time_steps(k));
    m->ranks = gls_comm_size(gls_context_comm(k->ctx));
    m->rows = (double)k->rows;
    GLS_TRY(make_ways(k));
    return gls_scaling_network_measure(&k->meter, k->options, m);
}

static void close_all(work *k) {
    if (!k->own) return;
    gls_loader_destroy(k->loader);
    gls_run_destroy(k->run);
    gls_free(k->own, k->index);
    gls_context_destroy(k->own);
}

gls_status gls_scaling_measure(gls_context *ctx, const gls_scaling_options *options, gls_scaling **out) {
    GLS_GIVEN(ctx, ctx, options, out);
    *out = NULL;
    gls_scaling *s = gls_alloc(ctx, 1, sizeof *s);
    if (!s) return GLS_ERR_MEMORY;
    *s = (gls_scaling){.ctx = ctx, .model = {.passes = NAN, .batch = NAN}};
    s->model.network = options->network;
    s->model.host_ranks = options->host_ranks;
    work k = {.ctx = ctx, .options = options, .out = s};
    k.meter = (gls_scaling_meter){.ctx = ctx, .step = own_step, .user = &k};
    gls_status status = measure_parts(&k);
    if (status != GLS_OK && k.own && *gls_context_message(k.own))
        status = gls_fail(ctx, status, "%s", gls_context_message(k.own));
    close_all(&k);
    double nothing = 0;
    if (!k.meter.failed) status = gls_scaling_meet(&k.meter, &nothing, status);
    if (status == GLS_OK)
        *out = s;
    else
        gls_scaling_destroy(s);
    return status;
}

void gls_scaling_destroy(gls_scaling *s) {
    if (!s) return;
    for (int64_t i = 0; i < s->ways; i++) gls_comm_exchange_destroy(s->way[i].exchange);
    gls_free(s->ctx, s->way);
    gls_free(s->ctx, s->timed);
    gls_free(s->ctx, s);
}
