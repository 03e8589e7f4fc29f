/* Evaluations: a slice of a batch at a point, and the questions that it answers. Questions change nothing that another
 * question reads, so their order does not matter. */
#include "problem/evaluation.h"

#include <string.h>

static bool needs_generic_gradients(const gls_problem_type *type, unsigned want) {
    return ((want & GLS_WANT_NORMS) && !type->norms) || ((want & GLS_WANT_INNER) && !type->inner);
}

/* What the generic answers need is allocated here. Sums of two exchanges are kept, for up to one span a row. */
gls_status gls_evaluation_create(gls_problem *problem, int64_t max_rows, unsigned want, gls_mode mode,
                                 gls_evaluation **out) {
    GLS_GIVEN(problem ? problem->ctx : NULL, problem, out);
    *out = NULL;
    gls_context *ctx = problem->ctx;
    if ((want & GLS_WANT_NEXT) && (!problem->grows || want != GLS_WANT_NEXT || max_rows != 1))
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED,
                        "outputs of '%s' at a position need those behind it, or more was wanted than one row's next "
                        "outputs",
                        problem->type->member.name);
    if (max_rows < 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "an evaluation of %lld rows was asked for", (long long)max_rows);
    gls_evaluation *e = gls_alloc(ctx, 1, sizeof *e);
    if (!e) return GLS_ERR_MEMORY;
    *e = (gls_evaluation){.problem = problem, .max_rows = max_rows, .want = want, .mode = mode};
    int64_t spans = mode == GLS_MODE_TRAIN && max_rows > 0 ? max_rows : 1, values;
    if (__builtin_mul_overflow(2 * gls_problem_meet_size(problem), spans, &values)) values = -1;
    e->met = gls_alloc(ctx, values, sizeof(double));
    e->singles = gls_alloc(ctx, max_rows, sizeof(int32_t));
    e->weights = gls_alloc(ctx, max_rows, sizeof(double));
    e->losses = gls_alloc(ctx, max_rows, sizeof(double));
    e->place = gls_alloc(ctx, gls_layout_count(problem->layout), sizeof(int64_t));
    gls_status status = e->met && e->singles && e->weights && e->losses && e->place ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK && needs_generic_gradients(problem->type, want)) {
        e->vector = gls_alloc(ctx, gls_problem_size(problem), sizeof(gls_real));
        status = e->vector ? GLS_OK : GLS_ERR_MEMORY;
    }
    if (status == GLS_OK && problem->type->evaluation_create)
        status = problem->type->evaluation_create(problem, max_rows, want, mode, &e->self);
    if (status != GLS_OK) {
        gls_evaluation_destroy(e);
        return status;
    }
    for (int64_t i = 0; i < max_rows; i++) e->singles[i] = (int32_t)i;
    gls_problem_places(problem, false, e->place);
    *out = e;
    return GLS_OK;
}

void gls_evaluation_destroy(gls_evaluation *evaluation) {
    if (!evaluation) return;
    gls_context *ctx = evaluation->problem->ctx;
    if (evaluation->self && evaluation->problem->type->evaluation_destroy)
        evaluation->problem->type->evaluation_destroy(evaluation->problem, evaluation->self);
    gls_free(ctx, evaluation->met);
    gls_free(ctx, evaluation->singles);
    gls_free(ctx, evaluation->weights);
    gls_free(ctx, evaluation->losses);
    gls_free(ctx, evaluation->vector);
    gls_free(ctx, evaluation->place);
    gls_free(ctx, evaluation);
}

bool gls_want_backward(unsigned want) {
    return (want & (GLS_WANT_GRADIENT | GLS_WANT_NORMS | GLS_WANT_INNER | GLS_WANT_HESSIAN | GLS_WANT_ORACLE)) != 0;
}

void gls_evaluation_begin(gls_evaluation *evaluation, const gls_evaluate_args *args) {
    evaluation->args = *args;
    evaluation->loss_known = false;
}

gls_status gls_evaluation_forward(gls_evaluation *evaluation, int stage, const double *met, double *meet) {
    gls_problem *p = evaluation->problem;
    if (evaluation->args.rows->rows > evaluation->max_rows)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "%lld rows in an evaluation made for %lld",
                        (long long)evaluation->args.rows->rows, (long long)evaluation->max_rows);
    if (!p->type->forward) return GLS_OK;
    return p->type->forward(p, evaluation->self, &evaluation->args, stage, met, meet);
}

gls_status gls_evaluation_backward(gls_evaluation *evaluation, int stage, const double *met, double *meet) {
    gls_problem *p = evaluation->problem;
    if (!p->type->backward) return GLS_OK;
    return p->type->backward(p, evaluation->self, &evaluation->args, stage, met, meet);
}

typedef gls_status (*stage_fn)(gls_evaluation *e, int stage, const double *met, double *meet);

/* Two buffers take turns: a stage reads the sums of the exchange before it while it leaves its own. */
static gls_status run_stages(gls_evaluation *e, stage_fn run, int meets, const int64_t *size) {
    int64_t spans = gls_span_count(&e->args);
    double *met = NULL, *meet = e->met, *other = e->met + spans * gls_problem_meet_size(e->problem);
    for (int k = 0; k <= meets; k++) {
        if (k < meets) memset(meet, 0, (size_t)(spans * gls_evaluation_doubles(e->args.want, size[k])) * sizeof *meet);
        GLS_TRY(run(e, k, met, k < meets ? meet : NULL));
        met = meet;
        meet = other;
        other = met;
    }
    return GLS_OK;
}

gls_status gls_evaluate(gls_evaluation *evaluation, const gls_evaluate_args *args) {
    GLS_GIVEN(NULL, evaluation, args);
    gls_problem *p = evaluation->problem;
    if ((args->want & ~evaluation->want) || args->mode != evaluation->mode)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT,
                        "an evaluation of '%s' made for questions %#x in mode %d was given questions %#x in mode %d",
                        p->type->member.name, evaluation->want, evaluation->mode, args->want, args->mode);
    gls_evaluation_begin(evaluation, args);
    if (args->span == 0 && args->mode == GLS_MODE_TRAIN && p->coupling == GLS_COUPLING_GROUPS)
        evaluation->args.span = p->coupling_group;
    if (gls_span_count(&evaluation->args) > evaluation->max_rows)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "%lld rows in an evaluation made for %lld",
                        (long long)args->rows->rows, (long long)evaluation->max_rows);
    GLS_TRY(run_stages(evaluation, gls_evaluation_forward, p->forward_meets, p->forward_meet));
    if (!gls_want_backward(args->want)) return GLS_OK;
    return run_stages(evaluation, gls_evaluation_backward, p->backward_meets, p->backward_meet);
}

gls_status gls_evaluate_more(gls_evaluation *evaluation, const gls_evaluate_args *args, int64_t from, int64_t to,
                             gls_real *out) {
    GLS_GIVEN(NULL, evaluation, args, out);
    gls_problem *p = evaluation->problem;
    if (evaluation->want != GLS_WANT_NEXT || args->want != GLS_WANT_NEXT || args->mode != GLS_MODE_EVALUATE)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "an evaluation of '%s' was not made for next outputs",
                        p->type->member.name);
    gls_evaluation_begin(evaluation, args);
    return p->type->more(p, evaluation->self, &evaluation->args, from, to, out);
}

const gls_evaluate_args *gls_evaluation_args(const gls_evaluation *evaluation) {
    if (!evaluation) return NULL;
    return &evaluation->args;
}

gls_real *gls_sink_block(gls_sink *sink, int64_t block) {
    if (!sink) return NULL;
    return sink->place[block] < 0 ? NULL : sink->data + sink->place[block];
}

/* ---- questions ---- */

static gls_status declared(const gls_evaluation *e, unsigned want, const char *what) {
    if (e->args.want & want) return GLS_OK;
    return gls_fail(e->problem->ctx, GLS_ERR_ARGUMENT, "%s of '%s' were asked for but not declared in want", what,
                    e->problem->type->member.name);
}

gls_status gls_ask_loss(gls_evaluation *evaluation, double *sum) {
    GLS_GIVEN(NULL, evaluation, sum);
    gls_problem *p = evaluation->problem;
    *sum = 0;
    if (!gls_want_loss(evaluation->args.want))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "the loss of '%s' was asked for, but outputs alone were wanted",
                        p->type->member.name);
    if (p->type->value_gradient) {
        if (!evaluation->loss_known) {
            GLS_TRY(p->type->value_gradient(p, &evaluation->args, evaluation->args.point->w, NULL, &evaluation->loss,
                                            NULL));
            evaluation->loss_known = true;
        }
        *sum = evaluation->loss;
        return GLS_OK;
    }
    GLS_TRY(p->type->losses(p, evaluation->self, &evaluation->args, evaluation->losses));
    for (int64_t i = 0; i < evaluation->args.rows->rows; i++) *sum += evaluation->losses[i];
    return GLS_OK;
}

gls_status gls_ask_losses(gls_evaluation *evaluation, double *losses) {
    GLS_GIVEN(NULL, evaluation, losses);
    gls_problem *p = evaluation->problem;
    GLS_TRY(declared(evaluation, GLS_WANT_LOSSES, "losses"));
    if (p->type->losses) return p->type->losses(p, evaluation->self, &evaluation->args, losses);
    return gls_generic_losses(evaluation, losses);
}

gls_status gls_ask_scores(gls_evaluation *evaluation, double *sums) {
    GLS_GIVEN(NULL, evaluation, sums);
    gls_problem *p = evaluation->problem;
    for (int k = 0; k < p->score_count; k++) sums[k] = 0;
    if (p->score_count == 0) return GLS_OK;
    GLS_TRY(declared(evaluation, GLS_WANT_SCORES, "scores"));
    return p->type->scores(p, evaluation->self, &evaluation->args, sums);
}

gls_status gls_ask_outputs(gls_evaluation *evaluation, gls_real *outputs) {
    GLS_GIVEN(NULL, evaluation, outputs);
    gls_problem *p = evaluation->problem;
    GLS_TRY(declared(evaluation, GLS_WANT_OUTPUTS, "outputs"));
    GLS_TRY(gls_problem_has_outputs(p));
    return p->type->outputs(p, evaluation->self, &evaluation->args, outputs);
}

/* In the short way the plain gradient comes with the loss, which is kept: asking for it then costs nothing. */
gls_status gls_evaluation_gradient(gls_evaluation *evaluation, gls_product product, const double *weights,
                                   gls_sink *sink) {
    gls_problem *p = evaluation->problem;
    if (product == GLS_PRODUCT_HESSIAN) {
        GLS_TRY(declared(evaluation, GLS_WANT_HESSIAN, "Hessian products"));
        if (!p->hessian_exact)
            return gls_fail(p->ctx, GLS_ERR_UNSUPPORTED,
                            "problem '%s' has no Hessian products; gls_pass_hessian_vector takes central differences",
                            p->type->member.name);
    }
    GLS_TRY(gls_coupling_weights(evaluation, weights));
    if (!p->type->value_gradient)
        return p->type->gradient(p, evaluation->self, &evaluation->args, product, weights, sink);
    double value = 0;
    GLS_TRY(p->type->value_gradient(p, &evaluation->args, evaluation->args.point->w, weights, &value, sink->data));
    if (!weights) {
        evaluation->loss = value;
        evaluation->loss_known = true;
    }
    return GLS_OK;
}

gls_status gls_ask_gradient(gls_evaluation *evaluation, gls_product product, const double *weights, gls_real *g) {
    GLS_GIVEN(NULL, evaluation, g);
    gls_problem *p = evaluation->problem;
    gls_sink sink = {g, evaluation->place};
    GLS_TRY(gls_evaluation_gradient(evaluation, product, weights, &sink));
    const gls_evaluate_args *args = &evaluation->args;
    for (int64_t tile = 0; tile < gls_problem_tiles(p); tile++)
        GLS_TRY(p->type->gradient_tile(p, &evaluation->self, &args, 1, product, weights ? &weights : NULL, tile, g));
    return GLS_OK;
}

static gls_partition every_row(const gls_evaluation *e) {
    return (gls_partition){.groups = e->args.rows->rows, .group = e->singles};
}

gls_status gls_ask_norms(gls_evaluation *evaluation, const gls_partition *partition, double *out) {
    GLS_GIVEN(NULL, evaluation, out);
    gls_problem *p = evaluation->problem;
    gls_partition singles = every_row(evaluation);
    if (!partition) partition = &singles;
    GLS_TRY(declared(evaluation, GLS_WANT_NORMS, "norms"));
    GLS_TRY(gls_coupling_partition(evaluation, partition));
    if (p->type->norms) return p->type->norms(p, evaluation->self, &evaluation->args, partition, out);
    return gls_generic_norms(evaluation, partition, out);
}

gls_status gls_ask_inner(gls_evaluation *evaluation, const gls_partition *partition, const gls_point *v, double *out) {
    GLS_GIVEN(NULL, evaluation, v, out);
    gls_problem *p = evaluation->problem;
    gls_partition singles = every_row(evaluation);
    if (!partition) partition = &singles;
    GLS_TRY(declared(evaluation, GLS_WANT_INNER, "inner products"));
    GLS_TRY(gls_coupling_partition(evaluation, partition));
    if (p->type->inner) return p->type->inner(p, evaluation->self, &evaluation->args, partition, v, out);
    return gls_generic_inner(evaluation, partition, v->w, out);
}
