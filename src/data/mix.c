/* Transform mix: examples of further sources after those of the first, with a domain number for each row. */
#include "data/source.h"
#include "data/table.h"
#include <string.h>

typedef struct mix_options {
    gls_values sources;
    int64_t size;
} mix_options;

enum { MAX_SOURCES = 1000 }; /* far more than a mixture has; a list that long is a mistake */

static const gls_option mix_table[] = {
    GLS_LIST("sources", mix_options, sources, NULL, 1, MAX_SOURCES, GLS_ITEM(.type = GLS_OPTION_VALUE),
             "further sources as {format: ..., train: ..., test: ..., size: ...}", .flags = GLS_OPTION_REQUIRED,
             .choices = "sources"),
    GLS_SIZE("size", mix_options, size, "all", 0, 0,
             "number of random training examples to take from the first source"),
    {0},
};

typedef struct domain {
    gls_source *source; /* taken over by the gather; NULL for the first, or where a domain has no test part */
    int64_t count;
    int64_t *index; /* [count] */
} domain;

typedef struct mixture {
    gls_context *ctx;
    const gls_source *first;
    bool test;
    uint64_t seed;
    domain *domain;
    int64_t domains, total;
} mixture;

typedef struct size_option {
    int64_t size;
} size_option;

static const gls_option size_table[] = {
    GLS_SIZE("size", size_option, size, "all", 0, 0, "number of random training examples to take"),
    {0},
};

static gls_status read_size(gls_context *ctx, const gls_value *given, int64_t *size) {
    gls_options *options;
    GLS_TRY(gls_options_create(ctx, "transform mix", size_table, sizeof(size_option), &options));
    gls_status status = given ? gls_options_set_value(options, given) : GLS_OK;
    if (status == GLS_OK) *size = ((const size_option *)gls_options_struct(options))->size;
    gls_options_destroy(options);
    return status;
}

/* Which rows of a domain of n examples; test parts are taken whole. */
static gls_status take(mixture *m, int64_t d, int64_t n, int64_t size) {
    if (m->test || size < 0) size = n;
    if (size > n)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "transform mix: size %lld of domain %lld, which has %lld examples",
                        (long long)size, (long long)d, (long long)n);
    gls_random random = gls_random_create(m->seed, "mix", (uint64_t)d, 0);
    GLS_TRY(gls_source_draw_distinct(m->ctx, &random, n, size, &m->domain[d].index));
    m->domain[d].count = size;
    m->total += size;
    return GLS_OK;
}

static gls_status open_domain(mixture *m, int64_t d, const gls_value *section) {
    static const char *const own[] = {"size", NULL};
    int64_t size = -1;
    if (section->kind == GLS_VALUE_MAP) GLS_TRY(read_size(m->ctx, gls_value_get(section, "size"), &size));
    if (m->test && gls_value_get(section, "train") && !gls_value_get(section, "test")) return GLS_OK;
    GLS_TRY(gls_source_open_section(m->ctx, section, "transform mix", own, m->test ? GLS_PART_TEST : GLS_PART_TRAIN,
                                    &m->first->info, &m->domain[d].source));
    return take(m, d, m->domain[d].source->info.examples, size);
}

static gls_status open_domains(mixture *m, const mix_options *o) {
    m->domain = gls_alloc(m->ctx, o->sources.count + 1, sizeof *m->domain);
    if (!m->domain) return GLS_ERR_MEMORY;
    m->domains = o->sources.count + 1;
    GLS_TRY(take(m, 0, m->first->info.examples, o->size));
    for (int64_t d = 1; d < m->domains; d++) GLS_TRY(open_domain(m, d, o->sources.item[d - 1]));
    return GLS_OK;
}

/* Rows of domain d into places from `at` on. */
static gls_status put_domain(mixture *m, int64_t d, int64_t at, gls_gather *gather, int64_t *column) {
    domain *x = &m->domain[d];
    int32_t part = 0;
    if (d) {
        gls_source *source = x->source;
        x->source = NULL;
        if (!source) return GLS_OK;
        GLS_TRY(gls_gather_add(gather, source, "transform mix", false, &part));
    }
    for (int64_t i = 0; i < x->count; i++) {
        GLS_TRY(gls_gather_put(gather, at + i, part, x->index[i]));
        column[at + i] = d;
    }
    return GLS_OK;
}

static gls_status build(mixture *m, gls_gather **gather) {
    int64_t *index = gls_alloc(m->ctx, m->total, sizeof *index), at = 0, *column;
    if (!index) return GLS_ERR_MEMORY;
    memset(index, 0xff, (size_t)m->total * sizeof *index); /* -1: of no earlier example */
    memcpy(index, m->domain[0].index, (size_t)m->domain[0].count * sizeof *index);
    gls_status status = gls_gather_create(m->ctx, (gls_source *)m->first, index, m->total, gather);
    gls_free(m->ctx, index);
    if (status == GLS_OK) status = gls_owned_column(&(*gather)->owned, "domain", &column);
    for (int64_t d = 0; status == GLS_OK && d < m->domains; d++) {
        status = put_domain(m, d, at, *gather, column);
        at += m->domain[d].count;
    }
    return status;
}

static gls_status apply_mix(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                            const gls_learned *learned, gls_source **out) {
    mixture m = {.ctx = ctx, .first = source, .test = !train, .seed = seed};
    gls_gather *gather = NULL;
    gls_status status = open_domains(&m, options);
    if (status == GLS_OK) status = build(&m, &gather);
    for (int64_t d = 0; d < m.domains; d++) {
        gls_source_destroy(m.domain[d].source);
        gls_free(ctx, m.domain[d].index);
    }
    gls_free(ctx, m.domain);
    if (status != GLS_OK) {
        gls_gather_release(gather);
        return status;
    }
    *out = &gather->owned.source;
    return GLS_OK;
}

const gls_transform gls_transform_mix = {
    .member = {"mix", "joins several sources; column domain numbers them from 0", "", mix_table, sizeof(mix_options)},
    .changes_rows = true,
    .apply = apply_mix,
};
