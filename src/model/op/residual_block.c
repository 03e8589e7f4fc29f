/* residual_block: a composed layer, convolutions with normalisation whose input is added to their output (He et al.
 * 2016). Layers are named as in torchvision: NAME.conv1, NAME.bn1, ... */
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_INT("channels", gls_op_residual_options, channels, NULL, 1, 1e6,
            "channels of the convolutions; a bottleneck has four times as many outputs", .flags = GLS_OPTION_REQUIRED),
    GLS_INT("stride", gls_op_residual_options, stride, "1", 1, 1e4, "step"),
    GLS_BOOL("bottleneck", gls_op_residual_options, bottleneck, "false", "kernels of 1, 3 and 1 in place of two of 3"),
    GLS_BOOL("project", gls_op_residual_options, project, "false",
             "a shortcut that changes shape is a convolution; else strided and padded with zero channels"),
    GLS_ENUM("norm", gls_op_residual_options, norm.kind, "batch", GLS_NORM_CHOICES, "normalisation"),
    GLS_INT("groups", gls_op_residual_options, norm.groups, "8", 1, 1e4, "groups of group norm"),
    GLS_REAL("dropout", gls_op_residual_options, dropout, "0", 0, 1,
             "share of the block's inner values dropped in front of its last convolution",
             .flags = GLS_OPTION_BELOW_MAX),
    {0},
};

typedef struct builder {
    gls_graph *g;
    const gls_op_residual_options *o;
    const char *name;
} builder;

static int convolution(builder b, int number, int64_t channels, int64_t kernel, int64_t stride, int x) {
    char name[128];
    gls_op_conv_options o = {.channels = channels, .kernel = kernel, .stride = stride, .pad = kernel / 2};
    return gls_layer_conv(b.g, gls_layer_name(name, "%s.conv%d", b.name, number), o, x);
}

/* residual -1: none. */
static int normalise(builder b, int number, int x, int residual) {
    char name[128];
    x = gls_layer_normalise(b.g, b.o->norm, gls_layer_name(name, "%s.bn%d", b.name, number), x, residual);
    return gls_layer(b.g, "relu", gls_layer_name(name, "%s.relu%d", b.name, number), x);
}

static int shortcut(builder b, int64_t channels, int x) {
    char name[128];
    if (b.g->status != GLS_OK || (b.o->stride == 1 && b.g->node[x].out.c == channels)) return x;
    if (!b.o->project) {
        gls_op_pad_channels_options o = {.channels = channels, .stride = b.o->stride};
        return gls_graph_add(b.g, "pad_channels", gls_layer_name(name, "%s.shortcut", b.name), &o, 1, &x);
    }
    gls_op_conv_options o = {.channels = channels, .kernel = 1, .stride = b.o->stride};
    x = gls_layer_conv(b.g, gls_layer_name(name, "%s.downsample.0", b.name), o, x);
    return gls_layer_normalise(b.g, b.o->norm, gls_layer_name(name, "%s.downsample.1", b.name), x, -1);
}

static int drop(builder b, int x) {
    char name[128];
    return gls_layer_dropout(b.g, gls_layer_name(name, "%s.drop", b.name), b.o->dropout, x);
}

static int basic(builder b, int x) {
    int64_t channels = b.o->channels;
    int y = normalise(b, 1, convolution(b, 1, channels, 3, b.o->stride, x), -1);
    y = convolution(b, 2, channels, 3, 1, drop(b, y));
    return normalise(b, 2, y, shortcut(b, channels, x));
}

static int bottleneck(builder b, int x) {
    int64_t channels = b.o->channels;
    int y = normalise(b, 1, convolution(b, 1, channels, 1, 1, x), -1);
    y = normalise(b, 2, convolution(b, 2, channels, 3, b.o->stride, y), -1);
    y = convolution(b, 3, 4 * channels, 1, 1, drop(b, y));
    return normalise(b, 3, y, shortcut(b, 4 * channels, x));
}

static int compose(gls_graph *g, const char *name, const void *given, const int *input) {
    builder b = {g, given, name};
    return b.o->bottleneck ? bottleneck(b, input[0]) : basic(b, input[0]);
}

const gls_op gls_op_residual_block = {
    .member = {.name = "residual_block",
               .help = "convolutions with a shortcut around them",
               .source = "He et al. 2016",
               .options = options,
               .options_size = sizeof(gls_op_residual_options)},
    .formula = "y = relu(norm(conv(relu(norm(conv(x))))) + shortcut(x))",
    .shapes = "[c, h, w] -> [channels, (h - 1) / stride + 1, (w - 1) / stride + 1]; a bottleneck: [4 channels, ...]",
    .parameters = "those of conv and of the normalisation",
    GLS_OP_ONE_INPUT,
    .compose = compose,
};
