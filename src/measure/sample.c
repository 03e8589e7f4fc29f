/* The examples of a measure and its passes over them. The choice of examples depends on seed, purpose and draw alone,
 * so that a measure reads the same ones on every machine and with any number of ranks. */
#include "measure/sample.h"
#include "base/arith.h"

#include <glissade/comm.h>

#include "problem/evaluation.h"

#include <math.h>
#include <string.h>

int64_t gls_sample_population(const gls_measure_input *in) {
    return in->index ? in->examples : gls_source_info(in->source)->examples;
}

static gls_status open_loader(gls_sample *s) {
    if (s->loader) return GLS_OK;
    int64_t coupled = s->mode == GLS_MODE_TRAIN ? s->in->problem->coupling_group : 0;
    gls_loader_options options = {.size = sizeof options,
                                  .wave = gls_pass_plan(s->in->pass, s->count).wave,
                                  .align = s->align > coupled ? s->align : coupled,
                                  .seed = s->in->seed,
                                  .augment = s->mode == GLS_MODE_TRAIN};
    if (options.wave < 1) options.wave = s->count;
    return gls_loader_create(s->ctx, s->source, &options, &s->loader);
}

gls_status gls_sample_create(const gls_measure_input *in, const char *purpose, uint64_t draw, int64_t size,
                             gls_mode mode, gls_sample *s) {
    int64_t n = gls_sample_population(in);
    *s = (gls_sample){.in = in, .ctx = in->problem->ctx, .population = n, .mode = mode, .source = in->source};
    s->random = gls_random_create(in->seed, purpose, draw, 0);
    s->whole = size < 0 || size >= n;
    s->count = s->whole ? n : size;
    if (s->count < 1) return gls_fail(s->ctx, GLS_ERR_ARGUMENT, "measure: the sample has no examples");
    s->index = gls_alloc(s->ctx, n, sizeof *s->index);
    if (!s->index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) s->index[i] = in->index ? in->index[i] : i;
    for (int64_t i = 0; !s->whole && i < s->count; i++) {
        int64_t k = i + gls_random_below(&s->random, n - i), chosen = s->index[k];
        s->index[k] = s->index[i];
        s->index[i] = chosen;
    }
    return GLS_OK;
}

gls_status gls_sample_of_source(const gls_measure_input *in, const gls_source *source, int64_t size, gls_mode mode,
                                gls_sample *s) {
    int64_t n = gls_source_info(source)->examples;
    *s = (gls_sample){.in = in, .ctx = in->problem->ctx, .population = n, .mode = mode, .source = source};
    s->whole = size < 0 || size >= n;
    s->count = s->whole ? n : size;
    s->index = gls_alloc(s->ctx, s->count, sizeof *s->index);
    if (!s->index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < s->count; i++) s->index[i] = i;
    return GLS_OK;
}

void gls_sample_destroy(gls_sample *s) {
    if (!s->ctx) return;
    gls_loader_destroy(s->loader);
    gls_free(s->ctx, s->index);
    *s = (gls_sample){0};
}

gls_status gls_sample_batch(gls_sample *s, int64_t count, int64_t *index) {
    if (count > s->count) {
        return gls_fail(s->ctx, GLS_ERR_ARGUMENT,
                        "measure: a mini-batch of %lld does not fit into a sample of %lld examples", (long long)count,
                        (long long)s->count);
    }
    /* A partial shuffle in place: the sample is a set, its order is free. */
    for (int64_t i = 0; i < count; i++) {
        int64_t k = i + gls_random_below(&s->random, s->count - i), chosen = s->index[k];
        s->index[k] = s->index[i];
        s->index[i] = chosen;
        index[i] = chosen;
    }
    return GLS_OK;
}

/* The highest bit keeps a measure's draws apart from those of the run's mini-batches; 24 bits number the passes. */
uint64_t gls_sample_draw(const gls_measure_input *in, int64_t pass) {
    return ((uint64_t)1 << 63) | (uint64_t)in->step << 24 | (uint64_t)pass;
}

/* ---- one pass over some examples ---- */

static gls_status run_pass(gls_sample *s, const int64_t *index, int64_t count, uint64_t draw, gls_pass_request *request,
                           gls_pass_result *result) {
    GLS_TRY(open_loader(s));
    GLS_TRY(gls_loader_push(s->loader, index, count, draw));
    gls_status status = gls_loader_front(s->loader, &request->rows);
    request->mode = s->mode;
    if (status == GLS_OK) status = gls_pass_run(s->in->pass, request, result);
    gls_loader_pop(s->loader);
    return status;
}

gls_status gls_sample_mean(gls_sample *s, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                           gls_real *g, double *loss, double *mass) {
    gls_pass_request request = {.w = w, .want = g ? GLS_WANT_GRADIENT : 0, .g = g};
    gls_pass_result result;
    GLS_TRY(run_pass(s, index, count, draw, &request, &result));
    if (!(result.mass > 0)) return gls_fail(s->ctx, GLS_ERR_INPUT, "measure: the sample has no mass");
    int64_t d = gls_problem_size(s->in->problem);
    for (int64_t k = 0; g && k < d; k++) g[k] = (gls_real)((double)g[k] / result.mass);
    if (loss) *loss = result.loss / result.mass;
    if (mass) *mass = result.mass;
    return GLS_OK;
}

typedef struct collector {
    gls_sample_figures *rows;
    double *groups;
    int64_t group;
    const gls_point *v;
    gls_status (*row)(void *user, int64_t i, const gls_real *g);
    gls_status (*change)(void *user, int64_t i, gls_real *g);
    void *user;
} collector;

static gls_status collect_rows(void *user, gls_slice *slice) {
    const collector *c = user;
    int64_t first = slice->rows->slot[0];
    if (c->rows->loss) GLS_TRY(gls_ask_losses(slice->evaluation, c->rows->loss + first));
    if (c->rows->norm2) GLS_TRY(gls_ask_norms(slice->evaluation, NULL, c->rows->norm2 + first));
    if (c->rows->inner) GLS_TRY(gls_ask_inner(slice->evaluation, NULL, c->v, c->rows->inner + first));
    return GLS_OK;
}

static gls_status collect_groups(void *user, gls_slice *slice) {
    const collector *c = user;
    return gls_ask_norms(slice->evaluation, &slice->groups, c->groups + slice->rows->slot[0] / c->group);
}

static gls_status collect_gradient(void *user, gls_slice *slice) {
    const collector *c = user;
    slice->scale = 0;
    return c->row(c->user, slice->rows->slot[0], slice->gradient);
}

static gls_status collect_changed(void *user, gls_slice *slice) {
    const collector *c = user;
    return c->change(c->user, slice->rows->slot[0], slice->gradient);
}

/* Rows of the other ranks: every rank left zeros there. */
gls_status gls_sample_share(gls_sample *s, double *x, int64_t n, gls_status status) {
    gls_comm *comm = gls_context_comm(s->ctx);
    if (!x || gls_comm_size(comm) == 1) return status;
    return gls_comm_reduce_double(s->ctx, GLS_SUM, x, n, status);
}

gls_status gls_sample_rows(gls_sample *s, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                           const gls_real *v, gls_sample_figures *out) {
    collector c = {.rows = out};
    double *const arrays[] = {out->loss, out->norm2, out->inner};
    for (int k = 0; k < 3; k++) { /* rows of other ranks are added up afterwards */
        if (arrays[k]) memset(arrays[k], 0, (size_t)count * sizeof(double));
    }
    gls_pass_request request = {.w = w, .slice = collect_rows, .user = &c, .g = out->g};
    if (out->g) request.want |= GLS_WANT_GRADIENT;
    if (out->loss) request.want |= GLS_WANT_LOSSES;
    if (out->norm2) request.want |= GLS_WANT_NORMS;
    if (out->inner) request.want |= GLS_WANT_INNER;
    gls_point *point = NULL;
    if (out->inner) {
        GLS_TRY(gls_point_create(s->in->problem, &point));
        gls_status set = gls_point_set(point, v);
        if (set != GLS_OK) {
            gls_point_destroy(point);
            return set;
        }
        c.v = point;
    }
    gls_pass_result result = {0};
    gls_status status = run_pass(s, index, count, draw, &request, &result);
    gls_point_destroy(point);
    out->mass = result.mass;
    status = gls_sample_share(s, out->loss, count, status);
    if (status == GLS_OK) status = gls_sample_share(s, out->norm2, count, status);
    if (status == GLS_OK) status = gls_sample_share(s, out->inner, count, status);
    return status;
}

static gls_status weigh_rows(void *user, gls_slice *slice) {
    const double *factor = user;
    memcpy(slice->weights, factor + slice->rows->slot[0], (size_t)slice->rows->rows * sizeof *factor);
    return GLS_OK;
}

gls_status gls_sample_weighted(gls_sample *s, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                               const double *factor, gls_real *g) {
    gls_pass_request request = {.w = w,
                                .want = GLS_WANT_GRADIENT,
                                .slice = weigh_rows,
                                .user = (void *)(uintptr_t)factor,
                                .weighted = true,
                                .g = g};
    gls_pass_result result;
    return run_pass(s, index, count, draw, &request, &result);
}

gls_status gls_sample_groups(gls_sample *s, const int64_t *index, int64_t count, int64_t group, uint64_t draw,
                             const gls_real *w, double *out) {
    collector c = {.groups = out, .group = group};
    memset(out, 0, (size_t)gls_parts(count, group) * sizeof *out);
    gls_pass_request request = {.w = w, .want = GLS_WANT_NORMS, .slice = collect_groups, .user = &c, .group = group};
    gls_pass_result result;
    gls_status status = run_pass(s, index, count, draw, &request, &result);
    return gls_sample_share(s, out, gls_parts(count, group), status);
}

/* A pass that forms every example's own gradient. */
static gls_status run_singly(gls_sample *s, const int64_t *index, int64_t count, uint64_t draw,
                             gls_pass_request *request) {
    if (s->mode == GLS_MODE_TRAIN && s->in->problem->coupling != GLS_COUPLING_NONE)
        return gls_coupling_refuse(s->in->problem, "gradients of single examples");
    gls_pass_result result;
    request->want = GLS_WANT_GRADIENT;
    request->explicit_slices = true;
    request->group = 1;
    return run_pass(s, index, count, draw, request, &result);
}

gls_status gls_sample_each(gls_sample *s, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                           gls_status (*row)(void *user, int64_t i, const gls_real *g), void *user) {
    collector c = {.row = row, .user = user};
    gls_pass_request request = {.w = w, .slice = collect_gradient, .user = &c};
    return run_singly(s, index, count, draw, &request);
}

gls_status gls_sample_sum(gls_sample *s, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                          gls_status (*row)(void *user, int64_t i, gls_real *g), void *user, gls_real *sum) {
    collector c = {.change = row, .user = user};
    gls_pass_request request = {.w = w, .slice = collect_changed, .user = &c, .g = sum};
    return run_singly(s, index, count, draw, &request);
}

gls_status gls_sample_hessian(gls_sample *s, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                              const gls_real *v, gls_real *out) {
    GLS_TRY(open_loader(s));
    GLS_TRY(gls_loader_push(s->loader, index, count, draw));
    gls_stream *stream;
    double mass = 0;
    gls_status status = gls_loader_front(s->loader, &stream);
    if (status == GLS_OK) status = gls_pass_hessian_vector(s->in->pass, w, v, stream, s->mode, out, &mass);
    gls_loader_pop(s->loader);
    if (status != GLS_OK) return status;
    if (!(mass > 0)) return gls_fail(s->ctx, GLS_ERR_INPUT, "measure: the sample has no mass");
    s->doubt = fmax(s->doubt, gls_pass_hessian_doubt(s->in->pass));
    int64_t d = gls_problem_size(s->in->problem);
    for (int64_t k = 0; k < d; k++) out[k] = (gls_real)((double)out[k] / mass);
    return GLS_OK;
}

gls_status gls_sample_note_doubt(const gls_sample *s, gls_measure_result *out) {
    const double serious = 0.1; /* rounding alone leaves less than a hundredth */
    if (!(s->doubt > serious)) return GLS_OK;
    return gls_measure_result_note(
        out,
        "this problem has no exact Hessian products, and differences of its gradients at two "
        "widths differ by up to %.0f%%: there are kinks nearby, do not trust these values",
        100 * s->doubt);
}
