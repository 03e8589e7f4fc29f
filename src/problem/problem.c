/* Problems and points: made from a type, which fills in layouts and coupling; what contradicts itself there is refused
 * before anything is evaluated. */
#include "problem/evaluation.h"

#include <string.h>

gls_status gls_problem_create(gls_context *ctx, const char *name, const gls_value *options, const gls_data_info *data,
                              gls_problem **out) {
    GLS_GIVEN(ctx, ctx, name, out);
    *out = NULL;
    const gls_member *member = gls_member_find(ctx, &gls_problem_kind, name);
    if (!member) return GLS_ERR_ARGUMENT;
    gls_options *values = NULL;
    const void *fields = NULL;
    gls_status status = GLS_OK;
    if (member->options) {
        status = gls_member_options(ctx, member, name, options, gls_member_but_name, &values);
        if (status == GLS_OK) fields = gls_options_struct(values);
    }
    if (status == GLS_OK)
        status = gls_problem_create_type(ctx, (const gls_problem_type *)(const void *)member, fields, data, out);
    gls_options_destroy(values);
    return status;
}

static gls_status check_coupling(gls_problem *p) {
    const char *name = p->type->member.name;
    if (p->coupling == GLS_COUPLING_GROUPS && p->coupling_group < 1)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "problem '%s' couples groups of %lld rows", name,
                        (long long)p->coupling_group);
    if (p->coupling == GLS_COUPLING_NONE && (p->forward_meets || p->backward_meets))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "problem '%s' has meets but does not couple its examples", name);
    if (p->summary < 0 || (p->summary > 0 && !p->type->advance))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "problem '%s' leaves %lld values of a span but has no advance", name,
                        (long long)p->summary);
    return GLS_OK;
}

/* A type answers either the short way or the full way. */
static gls_status check_type(gls_problem *p) {
    const gls_problem_type *type = p->type;
    const char *name = type->member.name;
    if (!type->value_gradient && !(type->evaluation_create && type->forward && type->losses && type->gradient))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT,
                        "problem '%s' has neither value_gradient nor evaluation_create, forward, losses and gradient",
                        name);
    bool tiled = false;
    for (int64_t b = 0; b < gls_layout_count(p->layout); b++)
        tiled |= (gls_layout_block(p->layout, b)->flags & GLS_BLOCK_TILED) != 0;
    if (tiled && (type->value_gradient || !type->tiles || !type->gradient_tile))
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "problem '%s' has tiled blocks but no gradient_tile", name);
    GLS_TRY(check_coupling(p));
    return gls_link_check(p);
}

/* The layout is complete once create has returned, so that state and checks come after it. */
gls_status gls_problem_create_type(gls_context *ctx, const gls_problem_type *type, const void *options,
                                   const gls_data_info *data, gls_problem **out) {
    GLS_GIVEN(ctx, ctx, type, out);
    *out = NULL;
    gls_problem *p = gls_alloc(ctx, 1, sizeof *p);
    if (!p) return GLS_ERR_MEMORY;
    p->type = type;
    p->ctx = ctx;
    if (data && data->mixed && !type->mixes) {
        gls_free(ctx, p);
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "'%s' has no loss for rows of two classes (transform mixup)",
                        type->member.name);
    }
    if (data)
        p->data = *data;
    else
        p->data.examples = 1;
    p->self = gls_alloc(ctx, 1, type->self_size);
    gls_status status = p->self ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_layout_create(ctx, &p->layout);
    if (status == GLS_OK) status = gls_layout_create(ctx, &p->state_layout);
    if (status == GLS_OK) status = type->create(p, options, data);
    if (status == GLS_OK) status = check_type(p);
    int64_t states = status == GLS_OK ? gls_layout_size(p->state_layout) : 0;
    if (states > 0) {
        p->state = gls_alloc(ctx, states, sizeof(gls_real));
        status = p->state ? GLS_OK : GLS_ERR_MEMORY;
        if (status == GLS_OK && type->initialize_state) status = type->initialize_state(p, p->state);
    }
    if (status != GLS_OK) {
        gls_problem_destroy(p);
        return status;
    }
    *out = p;
    return GLS_OK;
}

void gls_problem_destroy(gls_problem *problem) {
    if (!problem) return;
    if (problem->type->destroy && problem->self) problem->type->destroy(problem);
    gls_layout_destroy(problem->layout);
    gls_layout_destroy(problem->state_layout);
    gls_free(problem->ctx, problem->state);
    gls_free(problem->ctx, problem->forward_meet);
    gls_free(problem->ctx, problem->backward_meet);
    gls_free(problem->ctx, problem->self);
    gls_free(problem->ctx, problem);
}

const gls_layout *gls_problem_layout(const gls_problem *problem) {
    if (!problem) return NULL;
    return problem->layout;
}

int64_t gls_problem_size(const gls_problem *problem) {
    if (!problem) return 0;
    return gls_layout_size(problem->layout);
}

gls_status gls_problem_initialize(gls_problem *problem, uint64_t seed, gls_real *w) {
    GLS_GIVEN(NULL, problem, w);
    memset(w, 0, (size_t)gls_problem_size(problem) * sizeof *w);
    return problem->type->initialize ? problem->type->initialize(problem, seed, w) : GLS_OK;
}

gls_status gls_problem_set_precision(gls_problem *problem, gls_precision precision, bool emulate) {
    GLS_GIVEN(NULL, problem);
    const char *name = problem->type->member.name;
    if (precision == problem->precision) return GLS_OK;
    if (precision != GLS_PRECISION_BF16)
        return gls_fail(problem->ctx, GLS_ERR_ARGUMENT, "the precision of '%s' was set before", name);
    if (sizeof(gls_real) != sizeof(float))
        return gls_fail(problem->ctx, GLS_ERR_UNSUPPORTED, "bf16 is for single precision, and this library is double");
    if (!problem->type->set_precision)
        return gls_fail(problem->ctx, GLS_ERR_UNSUPPORTED, "'%s' computes in float alone: bf16 is for networks", name);
    GLS_TRY(problem->type->set_precision(problem, precision, emulate));
    problem->precision = precision;
    problem->emulated = emulate;
    return GLS_OK;
}

gls_status gls_problem_add_meet(gls_problem *problem, bool backward, int64_t doubles) {
    GLS_GIVEN(problem ? problem->ctx : NULL, problem);
    int64_t **meet = backward ? &problem->backward_meet : &problem->forward_meet;
    int *meets = backward ? &problem->backward_meets : &problem->forward_meets;
    int64_t *grown = gls_resize(problem->ctx, *meet, *meets + 1, sizeof *grown);
    if (!grown) return GLS_ERR_MEMORY;
    *meet = grown;
    grown[(*meets)++] = doubles;
    return GLS_OK;
}

void gls_problem_commit(gls_problem *problem, const gls_real *state_next) {
    if (!problem) return;
    if (!problem->state || !state_next) return;
    memcpy(problem->state, state_next, (size_t)gls_layout_size(problem->state_layout) * sizeof *state_next);
}

bool gls_problem_coupled(const gls_problem *problem, gls_mode mode) {
    return mode == GLS_MODE_TRAIN && problem->coupling != GLS_COUPLING_NONE &&
           (problem->coupling == GLS_COUPLING_BATCH || problem->forward_meets || problem->backward_meets);
}

int64_t gls_problem_meet_size(const gls_problem *problem) {
    int64_t largest = 0;
    for (int k = 0; k < problem->forward_meets; k++)
        if (problem->forward_meet[k] > largest) largest = problem->forward_meet[k];
    for (int k = 0; k < problem->backward_meets; k++)
        if (problem->backward_meet[k] > largest) largest = problem->backward_meet[k];
    return problem->hessian_exact ? gls_evaluation_doubles(GLS_WANT_HESSIAN, largest) : largest;
}

int64_t gls_problem_tiles(const gls_problem *problem) {
    return problem->type->tiles ? problem->type->tiles((gls_problem *)problem) : 0;
}

int64_t gls_problem_places(const gls_problem *problem, bool packed, int64_t *place) {
    int64_t size = 0;
    for (int64_t b = 0; b < gls_layout_count(problem->layout); b++) {
        const gls_block *block = gls_layout_block(problem->layout, b);
        place[b] = block->flags & GLS_BLOCK_TILED ? -1 : packed ? size : block->offset;
        if (place[b] >= 0) size += block->size;
    }
    return size;
}

/* ---- points ---- */

gls_status gls_point_create(gls_problem *problem, gls_point **out) {
    GLS_GIVEN(problem ? problem->ctx : NULL, problem, out);
    *out = NULL;
    gls_point *point = gls_alloc(problem->ctx, 1, sizeof *point);
    if (!point) return GLS_ERR_MEMORY;
    point->problem = problem;
    if (problem->type->point_create) {
        gls_status status = problem->type->point_create(problem, &point->prepared);
        if (status != GLS_OK) {
            gls_free(problem->ctx, point);
            return status;
        }
    }
    *out = point;
    return GLS_OK;
}

void gls_point_destroy(gls_point *point) {
    if (!point) return;
    if (point->problem->type->point_destroy) point->problem->type->point_destroy(point->problem, point->prepared);
    gls_free(point->problem->ctx, point);
}

gls_status gls_point_set(gls_point *point, const gls_real *w) {
    GLS_GIVEN(NULL, point, w);
    point->w = w;
    const gls_problem_type *type = point->problem->type;
    return type->point_set ? type->point_set(point->problem, point->prepared, w) : GLS_OK;
}

const gls_real *gls_point_w(const gls_point *point) {
    if (!point) return NULL;
    return point->w;
}

void *gls_point_prepared(const gls_point *point) {
    if (!point) return NULL;
    return point->prepared;
}
