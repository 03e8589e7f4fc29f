/* layers: a plain sequence of layers as the configuration names them,
 *   {name: layers, layers: [{conv: {channels: 16}}, relu, {max_pool: {kernel: 2}}, flatten, {dense: {units: 10}}]}
 * and the loss. Layer number k (from 1) is called NAMEk, unless its options have a key `name`. */
#include <string.h>

#include "model/layers.h"
#include "model/network.h"

typedef struct sequence_options {
    gls_family_options common;
    const gls_value *layers;
} sequence_options;

static const gls_option options[] = {
    GLS_VALUE("layers", sequence_options, layers, "list of layers: a name, or {name: {options}}",
              .flags = GLS_OPTION_REQUIRED, .choices = "layers"),
    GLS_FAMILY_OPTIONS(sequence_options),
    GLS_BOOL("last", sequence_options, common.last, "false",
             "of labels by position: the outputs stand for a row's last ones, and labels before do not count"),
    GLS_FAMILY_CTC_OPTIONS(sequence_options),
    {0},
};

/* The layer's name and options; NULL after a failure. */
static const char *read_layer(gls_graph *g, const gls_value *item, int64_t number, const gls_value **given) {
    *given = NULL;
    if (item->kind == GLS_VALUE_TEXT) return item->text;
    if (item->kind == GLS_VALUE_MAP && item->count == 1) {
        if (item->items[0]->kind == GLS_VALUE_MAP) *given = item->items[0];
        if (*given || item->items[0]->kind == GLS_VALUE_NULL) return item->items[0]->key;
    }
    gls_graph_fail(g, "%s:%d: layer %lld: expected a name, or one name with a map of options",
                   item->file ? item->file : "options", item->line, (long long)number);
    return NULL;
}

static gls_status build(gls_graph *g, const void *given) {
    const sequence_options *o = given;
    if (o->layers->kind != GLS_VALUE_LIST) return gls_graph_fail(g, "layers: expected a list of layers"), g->status;
    int x = gls_graph_input(g);
    for (int64_t k = 0; k < o->layers->count && g->status == GLS_OK; k++) {
        const gls_value *layer_options;
        const char *op = read_layer(g, o->layers->items[k], k + 1, &layer_options);
        if (!op) break;
        const gls_value *called = layer_options ? gls_value_get(layer_options, "name") : NULL;
        char name[128];
        gls_layer_name(name, "%s%lld", op, (long long)(k + 1));
        if (called && called->kind == GLS_VALUE_TEXT) gls_layer_name(name, "%s", called->text);
        x = gls_graph_add_value(g, op, name, layer_options, x);
    }
    gls_family_loss(g, &o->common, x);
    return g->status;
}

const gls_family gls_family_layers = {
    .type = {.member = {.name = "layers",
                        .help = "a plain sequence of layers",
                        .source = "",
                        .options = options,
                        .options_size = sizeof(sequence_options)},
             GLS_NETWORK_VERBS},
    .build = build,
};
