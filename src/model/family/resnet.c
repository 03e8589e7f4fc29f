/* resnet: residual networks with parameters named as in torchvision.
 *
 * cifar (He et al. 2016, section 4.2): depth 6n+2, three stages of n basic blocks with 16, 32, 64 channels on 3x3
 * convolutions; shortcuts between stages are strided and padded with zero channels (type A, no parameters).
 * imagenet: depth 18 (basic blocks) or 50 (bottlenecks), a 7x7 stem, projection shortcuts. */
#include "model/layers.h"
#include "model/network.h"

typedef enum stem { AUTO, CIFAR, IMAGENET } stem;
typedef enum norm { BATCH, GROUP } norm;

typedef struct resnet_options {
    gls_family_options common;
    int64_t depth, width, groups;
    int shape, norm;
} resnet_options;

static const gls_option options[] = {
    GLS_INT("depth", resnet_options, depth, "20", 8, 1e4, "layers: 6n+2 for cifar; 18 or 50 for imagenet"),
    GLS_ENUM("shape", resnet_options, shape, "auto", "auto|cifar|imagenet", "auto: imagenet from 96 pixels on"),
    GLS_ENUM("norm", resnet_options, norm, "batch", "batch|group", "normalisation; group does not couple the examples"),
    GLS_INT("groups", resnet_options, groups, "8", 1, 1e4, "of group norm"),
    GLS_INT("width", resnet_options, width, "0", 0, 1e4,
            "channels of the first stage; 0: 16 for cifar, 64 for imagenet"),
    GLS_FAMILY_OPTIONS(resnet_options),
    {0},
};

typedef struct builder {
    gls_graph *g;
    const resnet_options *o;
} builder;

static int convolution(builder b, const char *name, int64_t channels, int64_t kernel, int64_t stride, int x) {
    gls_conv_options o = {.channels = channels, .kernel = kernel, .stride = stride, .pad = kernel / 2};
    return gls_layer_conv(b.g, name, o, x);
}

/* residual -1: none. */
static int normalise(builder b, const char *name, int x, int residual) {
    const int input[] = {x, residual};
    int inputs = residual < 0 ? 1 : 2;
    if (b.o->norm == BATCH) return gls_graph_add(b.g, "batch_norm", name, NULL, inputs, input);
    gls_group_norm_options o = {.groups = b.o->groups, .eps = 1e-5};
    return gls_graph_add(b.g, "group_norm", name, &o, inputs, input);
}

static int activate(builder b, const char *block, int number, int x) {
    char name[128];
    return gls_layer(b.g, "relu", gls_layer_name(name, "%s.relu%d", block, number), x);
}

static int shortcut(builder b, const char *block, int64_t channels, int64_t stride, int x, bool projected) {
    char name[128];
    if (b.g->status != GLS_OK || (stride == 1 && b.g->node[x].out.c == channels)) return x;
    if (!projected) {
        gls_pad_channels_options o = {.channels = channels, .stride = stride};
        return gls_graph_add(b.g, "pad_channels", gls_layer_name(name, "%s.shortcut", block), &o, 1, &x);
    }
    x = convolution(b, gls_layer_name(name, "%s.downsample.0", block), channels, 1, stride, x);
    return normalise(b, gls_layer_name(name, "%s.downsample.1", block), x, -1);
}

static int basic(builder b, const char *block, int64_t channels, int64_t stride, int x, bool projected) {
    char name[128];
    int y = convolution(b, gls_layer_name(name, "%s.conv1", block), channels, 3, stride, x);
    y = activate(b, block, 1, normalise(b, gls_layer_name(name, "%s.bn1", block), y, -1));
    y = convolution(b, gls_layer_name(name, "%s.conv2", block), channels, 3, 1, y);
    x = shortcut(b, block, channels, stride, x, projected);
    return activate(b, block, 2, normalise(b, gls_layer_name(name, "%s.bn2", block), y, x));
}

static int bottleneck(builder b, const char *block, int64_t channels, int64_t stride, int x) {
    char name[128];
    int y = convolution(b, gls_layer_name(name, "%s.conv1", block), channels, 1, 1, x);
    y = activate(b, block, 1, normalise(b, gls_layer_name(name, "%s.bn1", block), y, -1));
    y = convolution(b, gls_layer_name(name, "%s.conv2", block), channels, 3, stride, y);
    y = activate(b, block, 2, normalise(b, gls_layer_name(name, "%s.bn2", block), y, -1));
    y = convolution(b, gls_layer_name(name, "%s.conv3", block), 4 * channels, 1, 1, y);
    x = shortcut(b, block, 4 * channels, stride, x, true);
    return activate(b, block, 3, normalise(b, gls_layer_name(name, "%s.bn3", block), y, x));
}

static int cifar(builder b, int64_t width) {
    const resnet_options *o = b.o;
    if ((o->depth - 2) % 6 != 0)
        return gls_graph_fail(b.g, "resnet: depth is %lld; cifar shapes have 6n+2 layers (8, 14, 20, 32, 44, 56, ...)",
                              (long long)o->depth);
    char name[128];
    int x = convolution(b, "conv1", width, 3, 1, gls_graph_input(b.g));
    x = activate(b, "stem", 1, normalise(b, "bn1", x, -1));
    for (int stage = 0; stage < 3; stage++)
        for (int k = 0; k < (o->depth - 2) / 6; k++) {
            gls_layer_name(name, "layer%d.%d", stage + 1, k);
            x = basic(b, name, width << stage, stage > 0 && k == 0 ? 2 : 1, x, false);
        }
    return x;
}

static int imagenet(builder b, int64_t width) {
    static const int basics[] = {2, 2, 2, 2}, bottlenecks[] = {3, 4, 6, 3};
    const resnet_options *o = b.o;
    if (o->depth != 18 && o->depth != 50)
        return gls_graph_fail(b.g, "resnet: depth is %lld; imagenet shapes have 18 or 50 layers", (long long)o->depth);
    char name[128];
    gls_pool_options pool = {.kernel = 3, .stride = 2, .pad = 1};
    int x = convolution(b, "conv1", width, 7, 2, gls_graph_input(b.g));
    x = activate(b, "stem", 1, normalise(b, "bn1", x, -1));
    x = gls_layer_pool(b.g, "max_pool", "maxpool", pool, x);
    for (int stage = 0; stage < 4; stage++)
        for (int k = 0; k < (o->depth == 18 ? basics : bottlenecks)[stage]; k++) {
            int64_t stride = stage > 0 && k == 0 ? 2 : 1;
            gls_layer_name(name, "layer%d.%d", stage + 1, k);
            x = o->depth == 18 ? basic(b, name, width << stage, stride, x, true)
                               : bottleneck(b, name, width << stage, stride, x);
        }
    return x;
}

static gls_status build(gls_graph *g, const void *given) {
    builder b = {g, given};
    const gls_data_info *data = g->data;
    bool large = data && data->dims == 3 && data->shape[1] >= 96;
    bool as_imagenet = b.o->shape == IMAGENET || (b.o->shape == AUTO && large);
    int64_t width = b.o->width ? b.o->width : as_imagenet ? 64 : 16;
    int x = as_imagenet ? imagenet(b, width) : cifar(b, width);
    x = gls_layer(g, "flatten", "flatten", gls_layer(g, "global_pool", "avgpool", x));
    x = gls_layer_dense(g, "fc", gls_family_outputs(g, &b.o->common), x);
    gls_family_loss(g, &b.o->common, x);
    return g->status;
}

const gls_family gls_family_resnet = {
    .type = {.member = {.name = "resnet",
                        .help = "residual networks: cifar depths 6n+2, imagenet 18 and 50",
                        .source = "He et al. 2016; [N] section 5, [T] chapters 3 and 6",
                        .options = options,
                        .options_size = sizeof(resnet_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
