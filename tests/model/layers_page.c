/* Prints docs/layers.md from the table of ops; scripts/make_layers_md.py writes and checks the file. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/op.h"

/* A cell of a table: | is its border. */
static void cell(const char *text) {
    for (; *text; text++) printf(*text == '|' ? "\\|" : "%c", *text);
}

static void bounds(const gls_option *o) {
    if (o->minimum == 0 && o->maximum == 0) return;
    printf("%c%g, ", o->flags & GLS_OPTION_ABOVE_MIN ? '(' : '[', o->minimum);
    printf(isinf(o->maximum) ? "inf)" : "%g%c", o->maximum, o->flags & GLS_OPTION_BELOW_MAX ? ')' : ']');
}

static void options(const gls_option *o) {
    if (!o || !o->key) return;
    printf("\n| option | default | range | meaning |\n|---|---|---|---|\n");
    for (; o->key; o++) {
        printf("| `%s` | %s | ", o->key,
               o->flags & GLS_OPTION_REQUIRED ? "required"
               : o->initial                   ? o->initial
                                              : "none");
        if (o->choices)
            cell(o->choices);
        else
            bounds(o);
        printf(" | ");
        cell(o->help);
        printf(" |\n");
    }
}

static void page_of(const gls_op *op) {
    printf("\n## %s: %s\n\n", op->member.name, op->member.help);
    if (*op->member.source) printf("Source: %s.\n\n", op->member.source);
    printf("    %s\n    %s\n", op->formula, op->shapes);
    if (*op->parameters) printf("\nParameters: %s.\n", op->parameters);
    options(op->member.options);
}

int main(void) {
    printf(
        "# Layers\n\n"
        "What a list of layers may name (`model={name: layers, layers: [...]}`), and what the model families are made "
        "of. Each has\nits formula, the shapes of its input and output, its parameters with the kind of their use, "
        "which is what gives\nweighted gradients, norms and inner products, and its options. `[c, h, w]` are "
        "channels, height and width; features are\n`[c, 1, 1]`, a row of positions (text) is `[c, 1, w]`. m is an "
        "example's mass.\n\n"
        "Written by `scripts/make_layers_md.py` from the ops' descriptors in `src/model/op/`.\n");
    for (const gls_member *const *member = gls_op_kind.builtin; *member; member++) page_of((const gls_op *)*member);
    return 0;
}
