/* A problem as text; for a network, each layer with its formula, its shapes and its parameters. */
#include <stdio.h>
#include <string.h>

#include <glissade/model.h>

#include "base/printout.h"
#include "model/network.h"
#include "model/op.h"

static const char *coupling_of(const gls_problem *p, char text[80]) {
    if (p->coupling == GLS_COUPLING_NONE) return "examples do not couple";
    if (p->coupling == GLS_COUPLING_BATCH) return "examples of a mini-batch couple";
    snprintf(text, 80, "examples couple in groups of %lld", (long long)p->coupling_group);
    return text;
}

static void add_head(gls_printout *lines, const gls_problem *p) {
    char text[80];
    gls_printout_add(lines, "%s: %s\n  %lld parameters, ", p->type->member.name, p->type->member.help,
                     (long long)gls_layout_size(p->layout));
    if (p->outputs) gls_printout_add(lines, "%lld output%s, ", (long long)p->outputs, p->outputs == 1 ? "" : "s");
    gls_printout_add(lines, "%s%s\n", coupling_of(p, text),
                     p->precision != GLS_PRECISION_BF16 ? ""
                     : p->emulated                      ? ", gradients in bf16 (emulated)"
                                                        : ", gradients in bf16");
}

/* A node's own parameters are the blocks "NODE.suffix"; tied ones belong to the node that has them. */
static void add_parameters(gls_printout *lines, const gls_graph *g, const gls_node *node) {
    size_t length = strlen(node->name);
    bool any = false;
    for (int64_t i = 0; i < gls_layout_count(g->layout); i++) {
        const gls_block *b = gls_layout_block(g->layout, i);
        if (strncmp(b->name, node->name, length) != 0 || b->name[length] != '.' || strchr(b->name + length + 1, '.'))
            continue;
        gls_printout_add(lines, "%s%s ", any ? ", " : "; ", b->name + length + 1);
        gls_printout_add_shape(lines, b->dims, b->shape);
        any = true;
    }
}

static void add_inputs(gls_printout *lines, const gls_graph *g, const gls_node *node) {
    for (int i = 0; i < node->inputs; i++)
        gls_printout_add(lines, "%s%s", i ? ", " : ", from ", g->node[node->input[i]].name);
}

static gls_status add_layer(gls_printout *lines, const gls_problem *p, const gls_graph *g, int64_t i) {
    const gls_node *node = &g->node[i];
    char in[64], out[64];
    gls_layer_summary summary;
    GLS_TRY(gls_model_summary(p, i, &summary));
    gls_printout_add(lines, "  %-20s %-22s %-14s -> %-14s %10lld %12.4g  %s", node->name, node->op->member.name,
                     node->inputs ? gls_extent_text(node->in, in) : "", gls_extent_text(node->out, out),
                     (long long)summary.parameters, summary.multiply_adds, node->op->formula);
    add_inputs(lines, g, node);
    add_parameters(lines, g, node);
    gls_printout_add(lines, "\n");
    return GLS_OK;
}

static gls_status add_layers(gls_printout *lines, const gls_problem *p) {
    const gls_graph *g = ((const gls_network *)p->self)->graph;
    gls_printout_add(lines, "  %-20s %-22s %-14s    %-14s %10s %12s  %s\n", "layer", "op", "input", "output",
                     "parameters", "mult-adds", "what it computes");
    for (int64_t i = 0; i < gls_model_layers(p); i++) GLS_TRY(add_layer(lines, p, g, i));
    return GLS_OK;
}

char *gls_problem_view(const gls_problem *problem) {
    if (!problem) return NULL;
    gls_printout lines = {.ctx = problem->ctx};
    add_head(&lines, problem);
    if (gls_model_layers(problem)) {
        if (add_layers(&lines, problem) != GLS_OK) lines.failed = true;
        return gls_printout_end(&lines);
    }
    char *layout = gls_layout_view(problem->layout);
    if (!layout) lines.failed = true;
    gls_printout_add(&lines, "%s", layout ? layout : "");
    gls_free(problem->ctx, layout);
    return gls_printout_end(&lines);
}
