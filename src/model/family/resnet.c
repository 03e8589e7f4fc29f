/* resnet: residual networks with parameters named as in torchvision.
 *
 * cifar (He et al. 2016, section 4.2): depth 6n+2, three stages of n basic blocks with 16, 32, 64 channels on 3x3
 * convolutions; shortcuts between stages are strided and padded with zero channels (type A, no parameters).
 * imagenet: depth 18 (basic blocks) or 50 (bottlenecks), a 7x7 stem, projection shortcuts. */
#include "model/layers.h"
#include "model/network.h"

typedef enum shape { AUTO, CIFAR, IMAGENET } shape;

typedef struct resnet_options {
    gls_family_options common;
    int64_t depth, width;
    gls_norm_choice norm;
    int shape;
    double dropout;
} resnet_options;

static const gls_option options[] = {
    GLS_INT("depth", resnet_options, depth, "20", 8, 1e4, "layers: 6n+2 for cifar; 18 or 50 for imagenet"),
    GLS_ENUM("shape", resnet_options, shape, "auto", "auto|cifar|imagenet", "auto: imagenet from 96 pixels on"),
    GLS_ENUM("norm", resnet_options, norm.kind, "batch", GLS_NORM_CHOICES,
             "normalisation; group does not couple the examples"),
    GLS_INT("groups", resnet_options, norm.groups, "8", 1, 1e4, "groups of group norm"),
    GLS_INT("width", resnet_options, width, "0", 0, 1e4,
            "channels of the first stage; 0: 16 for cifar, 64 for imagenet"),
    GLS_REAL("dropout", resnet_options, dropout, "0", 0, 1,
             "share dropped inside of every block, in front of its last convolution (Zagoruyko and Komodakis 2016)",
             .flags = GLS_OPTION_BELOW_MAX),
    GLS_FAMILY_OPTIONS(resnet_options),
    {0},
};

static int stem(gls_graph *g, const resnet_options *o, int64_t width, int64_t kernel, int64_t stride) {
    gls_op_conv_options conv = {.channels = width, .kernel = kernel, .stride = stride, .pad = kernel / 2};
    int x = gls_layer_conv(g, "conv1", conv, gls_graph_input(g));
    return gls_layer(g, "relu", "stem.relu1", gls_layer_normalise(g, o->norm, "bn1", x, -1));
}

/* Block k of a stage; the first one of all stages but the first halves the image. */
static int block(gls_graph *g, gls_op_residual_options o, int stage, int k, int x) {
    char name[128];
    o.channels <<= stage;
    o.stride = stage > 0 && k == 0 ? 2 : 1;
    return gls_graph_add(g, "residual_block", gls_layer_name(name, "layer%d.%d", stage + 1, k), &o, 1, &x);
}

static int cifar(gls_graph *g, const resnet_options *o, int64_t width) {
    if ((o->depth - 2) % 6 != 0)
        return gls_graph_fail(g, "resnet: depth is %lld; cifar shapes have 6n+2 layers (8, 14, 20, 32, 44, 56, ...)",
                              (long long)o->depth);
    gls_op_residual_options residual = {.channels = width, .norm = o->norm, .dropout = o->dropout};
    int x = stem(g, o, width, 3, 1);
    for (int stage = 0; stage < 3; stage++)
        for (int k = 0; k < (o->depth - 2) / 6; k++) x = block(g, residual, stage, k, x);
    return x;
}

static int imagenet(gls_graph *g, const resnet_options *o, int64_t width) {
    static const int basics[] = {2, 2, 2, 2}, bottlenecks[] = {3, 4, 6, 3};
    if (o->depth != 18 && o->depth != 50)
        return gls_graph_fail(g, "resnet: depth is %lld; imagenet shapes have 18 or 50 layers", (long long)o->depth);
    gls_op_residual_options residual = {
        .channels = width, .bottleneck = o->depth == 50, .project = true, .norm = o->norm, .dropout = o->dropout};
    gls_op_pool_options pool = {.kernel = 3, .stride = 2, .pad = 1};
    int x = gls_layer_pool(g, "max_pool", "maxpool", pool, stem(g, o, width, 7, 2));
    for (int stage = 0; stage < 4; stage++)
        for (int k = 0; k < (residual.bottleneck ? bottlenecks : basics)[stage]; k++)
            x = block(g, residual, stage, k, x);
    return x;
}

static gls_status build(gls_graph *g, const void *given) {
    const resnet_options *o = given;
    const gls_data_info *data = g->data;
    /* Images of CIFAR and of Tiny ImageNet, with 32 and 64 pixels, are small. */
    bool large = data && data->dims == 3 && data->shape[1] >= 96;
    bool as_imagenet = o->shape == IMAGENET || (o->shape == AUTO && large);
    int64_t width = o->width ? o->width : as_imagenet ? 64 : 16;
    int x = as_imagenet ? imagenet(g, o, width) : cifar(g, o, width);
    x = gls_layer(g, "flatten", "flatten", gls_layer(g, "global_pool", "avgpool", x));
    x = gls_layer_dense(g, "fc", gls_family_outputs(g, &o->common), x);
    gls_family_loss(g, &o->common, x);
    return g->status;
}

const gls_family gls_family_resnet = {
    .type = {.member = {.name = "resnet",
                        .help = "residual networks: cifar depths 6n+2, imagenet 18 and 50",
                        .source = "He et al. 2016; [N] 5, [T] 3, 6",
                        .options = options,
                        .options_size = sizeof(resnet_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
