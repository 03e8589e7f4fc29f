/* The table of model families, models by name, and a summary of their layers. */
#include <string.h>

#include <glissade/model.h>

#include "base/table.h"
#include "model/network.h"
#include "model/op.h"
#include "problem/evaluation.h"

#define FAMILIES(row)                                                                                            \
    row(mlp) row(convnet) row(resnet) row(nplm) row(lstm) row(transformer) row(transformer_xl) row(t5) row(bert) \
        row(vit) row(conformer) row(layers)
#define DECLARE(name) extern const gls_family gls_family_##name;
#define ROW(name) &gls_family_##name.type.member,

FAMILIES(DECLARE)
static const gls_member *const families[] = {FAMILIES(ROW) NULL};
const gls_member_kind gls_family_kind = {GLS_KIND_FAMILY, "model", families};

const gls_member *gls_model_family_at(gls_context *ctx, int64_t i) {
    return gls_member_at(ctx, &gls_family_kind, i);
}

const gls_member *gls_model_layer_at(gls_context *ctx, int64_t i) {
    return gls_member_at(ctx, &gls_op_kind, i);
}

static const gls_family *find(gls_context *ctx, const char *name) {
    const gls_member *member;
    for (int64_t i = 0; (member = gls_model_family_at(ctx, i)); i++)
        if (strcmp(member->name, name) == 0) return (const gls_family *)member;
    return NULL;
}

static gls_status create_family(gls_context *ctx, const gls_family *family, const gls_value *given,
                                const gls_data_info *data, gls_problem **out) {
    const gls_member *member = &family->type.member;
    gls_options *options = NULL;
    GLS_TRY(gls_member_options(ctx, member, member->name, given, gls_member_but_name, &options));
    gls_status status = gls_problem_create_type(ctx, &family->type, gls_options_struct(options), data, out);
    gls_options_destroy(options);
    return status;
}

/* Names of families, then of other problems. */
static const char *name_at(const void *user, int64_t i) {
    gls_context *ctx = *(gls_context *const *)user;
    int64_t count = 0;
    while (gls_model_family_at(ctx, count)) count++;
    const gls_member *member =
        i < count ? gls_model_family_at(ctx, i) : gls_member_at(ctx, &gls_problem_kind, i - count);
    return member ? member->name : NULL;
}

static gls_status unknown(gls_context *ctx, const char *name) {
    const char *nearest = gls_nearest(name, name_at, &ctx);
    if (!nearest) return gls_fail(ctx, GLS_ERR_ARGUMENT, "unknown model '%s'", name);
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "unknown model '%s'; did you mean '%s'?", name, nearest);
}

gls_status gls_model_create(gls_context *ctx, const char *name, const gls_value *options, const gls_data_info *data,
                            gls_problem **out) {
    GLS_GIVEN(ctx, ctx, name, out);
    *out = NULL;
    const gls_family *family = find(ctx, name);
    if (family) return create_family(ctx, family, options, data, out);
    const char *known;
    for (int64_t i = 0; (known = name_at(&ctx, i)); i++)
        if (strcmp(known, name) == 0) return gls_problem_create(ctx, name, options, data, out);
    return unknown(ctx, name);
}

/* ---- summary ---- */

static const gls_graph *graph_of(const gls_problem *problem) {
    bool network = problem->type->create == gls_network_create;
    return network ? ((const gls_network *)problem->self)->graph : NULL;
}

int64_t gls_model_layers(const gls_problem *problem) {
    if (!problem) return 0;
    const gls_graph *g = graph_of(problem);
    return g ? g->nodes : 0;
}

/* A node's own parameters are the blocks named NODE.suffix; a tied one belongs to the node whose name it has. */
gls_status gls_model_summary(const gls_problem *problem, int64_t layer, gls_layer_summary *out) {
    GLS_GIVEN(problem ? problem->ctx : NULL, problem, out);
    const gls_graph *g = graph_of(problem);
    if (!g || layer < 0 || layer >= g->nodes)
        return gls_fail(problem->ctx, GLS_ERR_ARGUMENT, "'%s' has no layer %lld", problem->type->member.name,
                        (long long)layer);
    const gls_node *node = &g->node[layer];
    *out = (gls_layer_summary){.name = node->name,
                               .op = node->op->member.name,
                               .implementation = node->alias ? "none" : node->impl->name,
                               .shape = {node->out.c, node->out.h, node->out.w}};
    for (int64_t b = 0; b < gls_layout_count(g->layout); b++) {
        const gls_block *block = gls_layout_block(g->layout, b);
        size_t length = strlen(node->name);
        if (strncmp(block->name, node->name, length) == 0 && block->name[length] == '.' &&
            !strchr(block->name + length + 1, '.'))
            out->parameters += block->size;
    }
    if (node->op->work) out->multiply_adds = node->op->work(node);
    return GLS_OK;
}
