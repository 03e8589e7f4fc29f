/* One stage of a chain, created from a name or from a map with `name` and options. */
#include "estimator/estimator.h"

#include "base/value.h"

gls_status gls_stage_unnamed(gls_context *ctx, const gls_value *spec) {
    char where[GLS_ORIGIN_TEXT];
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sestimator: expected a name, or a map with `name`",
                    gls_value_origin(spec, where));
}

gls_status gls_stage_create(gls_problem *problem, const gls_value *spec, uint64_t seed, gls_stage **out) {
    gls_context *ctx = problem->ctx;
    *out = NULL;
    const gls_value *named = spec->kind == GLS_VALUE_MAP ? gls_value_get(spec, "name") : spec;
    if (!named || named->kind != GLS_VALUE_TEXT) return gls_stage_unnamed(ctx, spec);
    const gls_member *member = gls_member_find(ctx, &gls_estimator_kind, named->text);
    if (!member) return GLS_ERR_ARGUMENT;
    const gls_estimator_type *type = (const gls_estimator_type *)(const void *)member;
    gls_stage *stage = gls_alloc(ctx, 1, sizeof *stage);
    if (!stage) return GLS_ERR_MEMORY;
    *stage = (gls_stage){.type = type, .ctx = ctx, .problem = problem, .seed = seed};
    stage->self = gls_alloc(ctx, 1, type->self_size);
    gls_options *options = NULL;
    gls_status status = stage->self ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK)
        status = gls_member_options(ctx, member, member->name, spec->kind == GLS_VALUE_MAP ? spec : NULL,
                                    gls_member_but_name, &options);
    if (status == GLS_OK && type->create) status = type->create(stage, gls_options_struct(options));
    gls_options_destroy(options);
    if (status != GLS_OK) {
        gls_stage_destroy(stage);
        return status;
    }
    *out = stage;
    return GLS_OK;
}

void gls_stage_destroy(gls_stage *stage) {
    if (!stage) return;
    if (stage->type->destroy && stage->self) stage->type->destroy(stage);
    gls_free(stage->ctx, stage->self);
    gls_free(stage->ctx, stage->key);
    gls_free(stage->ctx, stage);
}
