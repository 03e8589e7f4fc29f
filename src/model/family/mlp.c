/* mlp: dense layers with an activation between them; names fc1, fc2, ... */
#include "model/layers.h"
#include "model/network.h"

typedef struct mlp_options {
    gls_family_options common;
    gls_ints hidden;
    int activation, norm;
    double dropout;
} mlp_options;

static const char *const activations[] = {"relu", "leaky_relu", "gelu", "tanh", "sigmoid"};

static const gls_option options[] = {
    GLS_LIST("hidden", mlp_options, hidden, "[512, 512]", 0, 0,
             GLS_ITEM(.type = GLS_OPTION_INT, .minimum = 1, .maximum = 1e9), "units of the hidden layers"),
    GLS_ENUM("activation", mlp_options, activation, "relu", "relu|leaky_relu|gelu|tanh|sigmoid",
             "activation between the layers"),
    GLS_ENUM("norm", mlp_options, norm, "none", "none|batch|layer", "normalisation in front of the activation"),
    GLS_REAL("dropout", mlp_options, dropout, "0", 0, 1, "share of hidden units dropped in training",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_FAMILY_OPTIONS(mlp_options),
    {0},
};

static int hidden_layer(gls_graph *g, const mlp_options *o, int64_t number, int64_t units, int x) {
    static const char *const norms[] = {NULL, "batch_norm", "layer_norm"};
    char name[128];
    x = gls_layer_dense(g, gls_layer_name(name, "fc%lld", (long long)number), units, x);
    if (o->norm > 0) x = gls_layer(g, norms[o->norm], gls_layer_name(name, "norm%lld", (long long)number), x);
    x = gls_layer(g, activations[o->activation], gls_layer_name(name, "act%lld", (long long)number), x);
    return gls_layer_dropout(g, gls_layer_name(name, "drop%lld", (long long)number), o->dropout, x);
}

static gls_status build(gls_graph *g, const void *given) {
    const mlp_options *o = given;
    int x = gls_layer(g, "flatten", "flatten", gls_graph_input(g));
    int64_t layers = o->hidden.count;
    for (int64_t k = 0; k < layers; k++) x = hidden_layer(g, o, k + 1, o->hidden.item[k], x);
    char name[128];
    x = gls_layer_dense(g, gls_layer_name(name, "fc%lld", (long long)layers + 1), gls_family_outputs(g, &o->common), x);
    gls_family_loss(g, &o->common, x);
    return g->status;
}

const gls_family gls_family_mlp = {
    .type = {.member = {.name = "mlp",
                        .help = "dense layers",
                        .source = "",
                        .options = options,
                        .options_size = sizeof(mlp_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
