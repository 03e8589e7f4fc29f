/* Rows of tokens in memory: the caller's arrays, borrowed, or one long text cut into rows. */
#include "data/tokens.h"

#include "base/arith.h"
#include <string.h>

/* The row of the text that is example j: streams are runs of rows, of which the first ones are longer by one where they
 * are not equal, side by side. */
int64_t gls_token_row_of(const gls_data_info *info, int64_t j) {
    if (!info->streams) return j;
    int64_t each = info->examples / info->streams, longer = info->examples % info->streams, r = j % info->streams;
    return r * each + gls_least(r, longer) + j / info->streams;
}

/* Positions of row j that the source has; the rest of a last row is token 0 without a label. */
static int64_t positions_of(const gls_token_source *s, int64_t j) {
    int64_t length = s->owned.source.info.length, left = s->tokens - j * length;
    return gls_least(left, length);
}

static double labelled_share(const gls_token_source *s, int64_t j) {
    int64_t length = s->owned.source.info.length, n = positions_of(s, j), labelled = 0;
    for (int64_t t = 0; t < n; t++) labelled += s->label[j * length + t] >= 0;
    return (double)labelled / (double)length;
}

/* A last row that the text does not fill is padded with token 0 and label -1; its mass is its share of labels. */
static gls_status fetch_tokens(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const gls_token_source *s = (const gls_token_source *)source;
    int64_t length = source->info.length;
    bool next = source->info.target == GLS_TARGET_TOKENS;
    for (int64_t i = 0; i < fetch->count; i++) {
        int64_t j = gls_token_row_of(&source->info, fetch->index[i]), n = positions_of(s, j);
        if (rows->token) {
            int32_t *to = rows->token + i * length;
            memcpy(to, s->token + j * length, (size_t)n * sizeof *to);
            memset(to + n, 0, (size_t)(length - n) * sizeof *to);
        }
        if (rows->document && s->document)
            memcpy(rows->document + i * length, s->document + j * length, (size_t)length * sizeof *s->document);
        if (rows->label && next) {
            int32_t *to = rows->label + i * length;
            memcpy(to, s->label + j * length, (size_t)n * sizeof *to);
            memset(to + n, 0xff, (size_t)(length - n) * sizeof *to);
        } else if (rows->label && s->label) {
            int64_t labels = gls_data_labels(&source->info);
            memcpy(rows->label + i * labels, s->label + j * labels, (size_t)labels * sizeof *s->label);
        }
        if (rows->mass && source->has_mass) rows->mass[i] = labelled_share(s, j);
    }
    return GLS_OK;
}

static void destroy_tokens(gls_source *source) {
    gls_token_source *s = (gls_token_source *)source;
    gls_free(source->ctx, s->owns);
    gls_owned_destroy(source);
}

static const gls_source_ops token_ops = {fetch_tokens, destroy_tokens};

gls_status gls_token_source_create(gls_context *ctx, const gls_data_info *info, gls_token_source **out) {
    GLS_TRY(gls_owned_create(ctx, sizeof **out, &token_ops, (void **)out));
    gls_data_info *own = &(*out)->owned.source.info;
    *own = *info;
    own->features = 0;
    own->sparse = false;
    own->dims = 1;
    own->shape[0] = info->length;
    own->targets = 0;
    own->streams = 0;
    own->class_names = NULL;
    own->tokenizer = NULL;
    own->token_names = NULL;
    own->masked = false;
    if (own->target == GLS_TARGET_TOKENS) own->classes = own->vocabulary;
    if (own->target == GLS_TARGET_SPAN) own->classes = own->length;
    return GLS_OK;
}

const char *const *gls_token_names(const gls_data_info *info) {
    return info->target == GLS_TARGET_TOKENS ? info->class_names : info->token_names;
}

static gls_status check_values(gls_context *ctx, const char *what, const int32_t *value, int64_t n, int64_t width,
                               int64_t least, int64_t below) {
    for (int64_t k = 0; k < n; k++)
        if (value[k] < least || value[k] >= below)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: %s %d of example %lld is outside [0, %lld)", what,
                            (int)value[k], (long long)(k / width), (long long)below);
    return GLS_OK;
}

/* The last position is not before the first one. */
static gls_status check_spans(gls_context *ctx, const int32_t *label, const gls_data_info *info) {
    for (int64_t i = 0; i < info->examples; i++) {
        int32_t first = label[2 * i], last = label[2 * i + 1];
        if (first < 0 || last < first || last >= info->length)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: span %d to %d of example %lld is none of [0, %lld)",
                            (int)first, (int)last, (long long)i, (long long)info->length);
    }
    return GLS_OK;
}

static gls_status check_tokens(gls_context *ctx, const int32_t *token, const int32_t *label, const gls_data_info *info,
                               int64_t *tokens) {
    if (info->examples < 0 || info->length < 1 || info->vocabulary < 1 || info->vocabulary > INT32_MAX)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: %lld rows of %lld tokens out of %lld",
                        (long long)info->examples, (long long)info->length, (long long)info->vocabulary);
    if (__builtin_mul_overflow(info->examples, info->length, tokens))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: %lld rows of %lld tokens do not fit", (long long)info->examples,
                        (long long)info->length);
    GLS_TRY(check_values(ctx, "token", token, *tokens, info->length, 0, info->vocabulary));
    if (info->target == GLS_TARGET_NONE) return GLS_OK;
    if (info->target == GLS_TARGET_REAL || !label || (info->target == GLS_TARGET_CLASS && info->classes < 1))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: rows of tokens need labels: classes, next tokens or spans");
    if (info->target == GLS_TARGET_SPAN) return check_spans(ctx, label, info);
    return info->target == GLS_TARGET_CLASS
               ? check_values(ctx, "label", label, info->examples, 1, 0, info->classes)
               : check_values(ctx, "label", label, *tokens, info->length, INT32_MIN, info->vocabulary);
}

/* Numbers rise along a row, and padding has no label. */
static gls_status check_documents(gls_context *ctx, const int32_t *label, const int32_t *document,
                                  const gls_data_info *info, gls_documents *kind) {
    *kind = GLS_DOCUMENTS_PADDED;
    for (int64_t k = 0; k < info->examples * info->length; k++) {
        bool first = k % info->length == 0, padding = document[k] < 0;
        int32_t before = first ? 0 : document[k - 1];
        if (!padding && (before < 0 || document[k] < before))
            return gls_fail(ctx, GLS_ERR_ARGUMENT,
                            "source: document %d of example %lld follows %d, expected numbers that rise along a row, "
                            "and negative ones at its end alone",
                            (int)document[k], (long long)(k / info->length), (int)before);
        if (padding && info->target == GLS_TARGET_TOKENS && label[k] >= 0)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: label %d of example %lld is at a position of padding",
                            (int)label[k], (long long)(k / info->length));
        if (!first && !padding && document[k] != before) *kind = GLS_DOCUMENTS_PACKED;
    }
    for (int64_t i = 0; info->target == GLS_TARGET_SPAN && i < info->examples; i++)
        if (document[i * info->length + label[2 * i + 1]] < 0)
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: the span of example %lld ends in padding", (long long)i);
    return GLS_OK;
}

static gls_status from_tokens(gls_context *ctx, const int32_t *token, const int32_t *label, const int32_t *document,
                              const gls_data_info *info, gls_source **out) {
    int64_t tokens = 0;
    gls_token_source *s;
    gls_data_info own = *info;
    *out = NULL;
    own.documents = GLS_DOCUMENTS_WHOLE;
    GLS_TRY(check_tokens(ctx, token, label, info, &tokens));
    if (document) GLS_TRY(check_documents(ctx, label, document, info, &own.documents));
    GLS_TRY(gls_token_source_create(ctx, &own, &s));
    s->owned.source.info.class_names = info->class_names;
    s->owned.source.info.tokenizer = info->tokenizer;
    s->token = token;
    s->tokens = tokens;
    s->label = label;
    s->document = document;
    if (info->target == GLS_TARGET_TOKENS)
        for (int64_t k = 0; k < tokens && !s->owned.source.has_mass; k++) s->owned.source.has_mass = label[k] < 0;
    *out = &s->owned.source;
    return GLS_OK;
}

gls_status gls_source_from_tokens(gls_context *ctx, const int32_t *token, const int32_t *label,
                                  const gls_data_info *info, gls_source **out) {
    GLS_GIVEN(ctx, ctx, token, info, out);
    return from_tokens(ctx, token, label, NULL, info, out);
}

gls_status gls_source_from_documents(gls_context *ctx, const int32_t *token, const int32_t *label,
                                     const int32_t *document, const gls_data_info *info, gls_source **out) {
    GLS_GIVEN(ctx, ctx, token, document, info, out);
    *out = NULL;
    if (!document) return gls_fail(ctx, GLS_ERR_ARGUMENT, "source: rows of documents need their numbers");
    return from_tokens(ctx, token, label, document, info, out);
}
