/* Examples without features, for objectives and recorded gradients. */
#include <glissade/problem.h>

typedef struct indices {
    gls_source source;
    const double *mass;
} indices;

static gls_status fetch(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const double *mass = ((const indices *)(const void *)source)->mass;
    if (mass)
        for (int64_t i = 0; i < fetch->count; i++) rows->mass[i] = mass[fetch->index[i]];
    return GLS_OK;
}

static void destroy(gls_source *source) {
    gls_free(source->ctx, source);
}

static const gls_source_ops ops = {.fetch = fetch, .destroy = destroy};

gls_status gls_source_indices(gls_context *ctx, int64_t examples, const double *mass, gls_source **out) {
    GLS_GIVEN(ctx, ctx, out);
    *out = NULL;
    indices *self = gls_alloc(ctx, 1, sizeof *self);
    if (!self) return GLS_ERR_MEMORY;
    self->source = (gls_source){.ops = &ops, .ctx = ctx, .info = {.examples = examples}, .has_mass = mass != NULL};
    self->mass = mass;
    *out = &self->source;
    return GLS_OK;
}
