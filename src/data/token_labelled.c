/* Labelled texts whose tokens are in a file: each row is framed and padded when it is fetched. */
#include "data/token_labelled.h"

#include <string.h>

typedef struct token_labelled {
    gls_owned_source owned;
    gls_token_file file;
    gls_tokenizer_frame frame;
    bool cut;
    int64_t *end;   /* [examples, 2] where the tokens of its texts end in the file */
    int32_t *label; /* [examples] classes, [examples, 2] spans, or NULL */
} token_labelled;

static int64_t begin_of(const token_labelled *s, int64_t j) {
    return j ? s->end[2 * j - 1] : 0;
}

static gls_status fetch_row(const token_labelled *s, gls_context *ctx, int64_t j, int32_t *token, int32_t *document) {
    int64_t length = s->owned.source.info.length, at = 0, begin[2] = {begin_of(s, j), s->end[2 * j]},
            size[2] = {begin[1] - begin[0], s->end[2 * j + 1] - begin[1]};
    gls_token_labelled_fit(&s->frame, s->cut, length, size);
    for (int k = 0; k < s->frame.items; k++) {
        int32_t item = s->frame.item[k].token;
        int64_t count = item < 0 ? size[-1 - item] : 1;
        if (token && item >= 0) token[at] = item;
        if (token && item < 0) GLS_TRY(gls_token_file_read(&s->file, ctx, begin[-1 - item], count, token + at));
        at += count;
    }
    if (token) memset(token + at, 0, (size_t)(length - at) * sizeof *token);
    for (int64_t t = 0; document && t < length; t++) document[t] = t < at ? 0 : -1;
    return GLS_OK;
}

static gls_status fetch_rows(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const token_labelled *s = (const token_labelled *)source;
    int64_t length = source->info.length, labels = gls_data_labels(&source->info);
    for (int64_t i = 0; i < fetch->count; i++) {
        int64_t j = fetch->index[i];
        if (rows->label && s->label)
            memcpy(rows->label + i * labels, s->label + j * labels, (size_t)labels * sizeof *s->label);
        if (rows->token || rows->document)
            GLS_TRY(fetch_row(s, ctx, j, rows->token ? rows->token + i * length : NULL,
                              rows->document ? rows->document + i * length : NULL));
    }
    return GLS_OK;
}

static void destroy_rows(gls_source *source) {
    token_labelled *s = (token_labelled *)source;
    gls_token_file_clear(source->ctx, &s->file);
    gls_free(source->ctx, s->end);
    gls_free(source->ctx, s->label);
    gls_owned_destroy(source);
}

static void expect_rows(const gls_source *source, int64_t begin, int64_t end, bool soon) {
    const token_labelled *s = (const token_labelled *)source;
    gls_token_file_expect(&s->file, begin_of(s, begin), begin_of(s, end), soon);
}

static const gls_source_ops token_labelled_ops = {fetch_rows, destroy_rows, expect_rows};

gls_status gls_token_labelled_own(gls_context *ctx, const gls_data_info *info, const gls_tokenizer_frame *frame,
                                  bool cut, gls_token_labelled *labelled, int32_t **label, gls_token_file *file,
                                  gls_owned_source **out) {
    token_labelled *s;
    GLS_TRY(gls_owned_create(ctx, sizeof *s, &token_labelled_ops, (void **)&s));
    *out = &s->owned;
    s->frame = *frame;
    s->cut = cut;
    s->file = *file;
    s->end = labelled->end;
    s->label = *label;
    *file = (gls_token_file){0};
    labelled->end = NULL;
    *label = NULL;
    gls_data_info *own = &s->owned.source.info;
    *own = *info;
    own->dims = 1;
    own->shape[0] = info->length;
    own->class_names = NULL;
    if (info->target == GLS_TARGET_SPAN) own->classes = info->length;
    return GLS_OK;
}
