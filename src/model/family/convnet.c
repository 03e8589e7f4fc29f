/* convnet: the small convolutional networks of two papers.
 *
 * two: two convolutions with pooling, then two dense layers (the network of seed [N], figure 1).
 * cuda: three convolutions with pooling and one dense layer, after cuda-convnet (seed [D], section 6). */
#include "model/layers.h"
#include "model/network.h"

typedef enum variant { TWO, CUDA } variant;

typedef struct convnet_options {
    gls_family_options common;
    int variant;
    int64_t channels, units;
    double dropout;
} convnet_options;

static const gls_option options[] = {
    GLS_ENUM("variant", convnet_options, variant, "two", "two|cuda",
             "two convolutions and two dense layers, or cuda-convnet's three convolutions and one"),
    GLS_INT("channels", convnet_options, channels, "32", 1, 4096,
            "channels of the first convolution; the last one has twice as many"),
    GLS_INT("units", convnet_options, units, "128", 1, 1e6, "units of the hidden dense layer of variant two"),
    GLS_REAL("dropout", convnet_options, dropout, "0", 0, 1, "share dropped in front of the last layer",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_FAMILY_OPTIONS(convnet_options),
    {0},
};

static int convolution(gls_graph *g, int number, int64_t channels, int x) {
    char name[128];
    gls_op_conv_options conv = {.channels = channels, .kernel = 5, .pad = 2, .bias = true};
    x = gls_layer_conv(g, gls_layer_name(name, "conv%d", number), conv, x);
    return gls_layer(g, "relu", gls_layer_name(name, "relu%d", number), x);
}

/* Convolutions of 5 x 5 with pad 2 keep the image's size; every pooling halves it. */
static gls_status build(gls_graph *g, const void *given) {
    const convnet_options *o = given;
    gls_op_pool_options half = {.kernel = 2, .stride = 2}, overlapping = {.kernel = 3, .stride = 2, .pad = 1};
    gls_op_pool_options pool = o->variant == TWO ? half : overlapping;
    int64_t outputs = gls_family_outputs(g, &o->common);
    int x = gls_graph_input(g);
    x = gls_layer_pool(g, "max_pool", "pool1", pool, convolution(g, 1, o->channels, x));
    if (o->variant == TWO) {
        x = gls_layer_pool(g, "max_pool", "pool2", pool, convolution(g, 2, 2 * o->channels, x));
        x = gls_layer(g, "flatten", "flatten", x);
        x = gls_layer(g, "relu", "relu3", gls_layer_dense(g, "fc1", o->units, x));
        x = gls_layer_dropout(g, "drop", o->dropout, x);
        x = gls_layer_dense(g, "fc2", outputs, x);
    } else {
        x = gls_layer_pool(g, "average_pool", "pool2", pool, convolution(g, 2, o->channels, x));
        x = gls_layer_pool(g, "average_pool", "pool3", pool, convolution(g, 3, 2 * o->channels, x));
        x = gls_layer_dropout(g, "drop", o->dropout, gls_layer(g, "flatten", "flatten", x));
        x = gls_layer_dense(g, "fc", outputs, x);
    }
    gls_family_loss(g, &o->common, x);
    return g->status;
}

const gls_family gls_family_convnet = {
    .type = {.member = {.name = "convnet",
                        .help = "two or three convolutions with pooling",
                        .source = "[N] fig. 1, [D] 6",
                        .options = options,
                        .options_size = sizeof(convnet_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
