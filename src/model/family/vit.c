/* vit: an image as a row of patches with a class token in front, under attention layers (Dosovitskiy et al. 2021); the
 * default shape is DeiT's smallest (Touvron et al. 2021). */
#include "model/layer_stack.h"
#include "model/network.h"

typedef struct vit_options {
    gls_family_options common;
    int64_t patch, dim, heads, depth, hidden;
    int pool;
    double dropout, eps;
} vit_options;

enum { POOL_CLASS, POOL_MEAN };

static const gls_option options[] = {
    GLS_INT("patch", vit_options, patch, "4", 1, 1e4, "pixels of a patch's sides; they divide the image's"),
    GLS_INT("dim", vit_options, dim, "192", 1, 1e6, "length of a patch's vector"),
    GLS_INT("heads", vit_options, heads, "3", 1, 1e6, "heads of attention; they divide dim"),
    GLS_INT("depth", vit_options, depth, "12", 1, 1e3, "layers"),
    GLS_INT("hidden", vit_options, hidden, "0", 0, 1e6, "units of a feed-forward layer; 0: 4 dim"),
    GLS_ENUM("pool", vit_options, pool, "class", "class|mean",
             "what is classified: a class token in front of the patches, or their mean"),
    GLS_REAL("dropout", vit_options, dropout, "0", 0, 1, "share dropped in training, in front of every addition",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_REAL("eps", vit_options, eps, "1e-6", 0, 1, "added to the variance in normalisations",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_FAMILY_OPTIONS(vit_options),
    {0},
};

static int embed(gls_graph *g, const vit_options *o) {
    gls_op_patches_options patches = {.size = o->patch};
    gls_op_positions_options positions = {.kind = GLS_POSITIONS_LEARNED};
    int x = gls_graph_input(g);
    x = gls_layer_dense(g, "patch", o->dim, gls_graph_add(g, "patches", "patches", &patches, 1, &x));
    if (o->pool == POOL_CLASS) x = gls_layer(g, "class_token", "class", x);
    x = gls_graph_add(g, "positions", "positions", &positions, 1, &x);
    return gls_layer_dropout(g, "drop", o->dropout, x);
}

static gls_status build(gls_graph *g, const void *given) {
    const vit_options *o = given;
    gls_layer_stack layers = {.dim = o->dim,
                              .heads = o->heads,
                              .hidden = o->hidden,
                              .order = GLS_LAYER_ORDER_PRE,
                              .eps = o->eps,
                              .dropout = o->dropout};
    if (!g->data || g->data->dims != 3) return gls_graph_fail(g, "vit: the data are not images"), g->status;
    GLS_TRY(gls_layer_stack_check(g, "vit", &layers));
    int x = gls_layer_stack_add(g, &layers, o->depth, embed(g, o));
    x = gls_layer_stack_norm(g, &layers, "norm", x);
    x = o->pool == POOL_CLASS ? gls_layer(g, "first", "first", x) : gls_layer(g, "global_pool", "pool", x);
    gls_family_loss(g, &o->common, gls_layer_dense(g, "output", gls_family_outputs(g, &o->common), x));
    return g->status;
}

const gls_family gls_family_vit = {
    .type = {.member = {.name = "vit",
                        .help = "attention over the patches of an image",
                        .source = "Dosovitskiy et al. 2021; Touvron et al. 2021",
                        .options = options,
                        .options_size = sizeof(vit_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
