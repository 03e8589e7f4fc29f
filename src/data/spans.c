/* Generator spans: questions whose answer is a marked stretch. A row is <cls> key <sep> passage <sep>; in the passage,
 * words at random, some keys stand before a stretch of words that <end> closes. The answer is the stretch behind the
 * key that is asked for. */
#include "data/table.h"
#include "data/tokens.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct spans_options {
    int64_t train_size, test_size, length, keys, words, stretches, longest, seed;
} spans_options;

static const gls_option spans_table[] = {
    GLS_INT("train_size", spans_options, train_size, "8000", 1, 1e9, "training rows"),
    GLS_INT("test_size", spans_options, test_size, "1000", 1, 1e9, "test rows"),
    GLS_INT("length", spans_options, length, "20", 8, 1 << 20, "tokens per row"),
    GLS_INT("keys", spans_options, keys, "4", 1, 1 << 20, "kinds of keys"),
    GLS_INT("words", spans_options, words, "20", 1, 1 << 20, "kinds of words"),
    GLS_INT("stretches", spans_options, stretches, "2", 1, 1 << 20,
            "marked stretches per row, at most as many as keys"),
    GLS_INT("longest", spans_options, longest, "3", 1, 1 << 20, "words of a stretch, at most; at least one"),
    GLS_INT("seed", spans_options, seed, "1", 0, INFINITY, "of the rows"),
    {0},
};

enum { PAD, CLASS, SEPARATOR, END, FIRST_KEY, AROUND = 4 }; /* AROUND: tokens of a row that are not the passage */

/* Room for one row. */
typedef struct drawing {
    const spans_options *o;
    gls_random random;
    int32_t *key;   /* [keys] in any order, the first ones are of this row */
    int64_t *size;  /* [stretches] words of each */
    int64_t *place; /* [stretches] words before each, the other stretches left out, ascending */
} drawing;

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Keys, sizes and places of the stretches. */
static void draw_stretches(drawing *d) {
    const spans_options *o = d->o;
    int64_t rest = o->length - AROUND;
    for (int64_t s = 0; s < o->stretches; s++) {
        int64_t other = s + gls_random_below(&d->random, o->keys - s);
        int32_t kept = d->key[s];
        d->key[s] = d->key[other];
        d->key[other] = kept;
        d->size[s] = 1 + gls_random_below(&d->random, o->longest);
        rest -= d->size[s] + 2;
    }
    for (int64_t s = 0; s < o->stretches; s++) d->place[s] = gls_random_below(&d->random, rest + 1);
    qsort(d->place, (size_t)o->stretches, sizeof *d->place, by_number);
}

static void draw_row(drawing *d, int32_t *token, int32_t label[2]) {
    const spans_options *o = d->o;
    draw_stretches(d);
    int64_t asked = gls_random_below(&d->random, o->stretches), before = 0;
    token[0] = CLASS;
    token[1] = FIRST_KEY + d->key[asked];
    token[2] = token[o->length - 1] = SEPARATOR;
    int32_t *passage = token + 3;
    for (int64_t t = 0; t < o->length - AROUND; t++)
        passage[t] = (int32_t)(FIRST_KEY + o->keys + gls_random_below(&d->random, o->words));
    for (int64_t s = 0; s < o->stretches; before += d->size[s] + 2, s++) {
        int64_t at = before + d->place[s];
        passage[at] = FIRST_KEY + d->key[s];
        passage[at + d->size[s] + 1] = END;
        if (s != asked) continue;
        label[0] = (int32_t)(3 + at + 1);
        label[1] = (int32_t)(3 + at + d->size[s]);
    }
}

static gls_status draw_rows(gls_context *ctx, const spans_options *o, bool test, int64_t rows, int32_t *token,
                            int32_t *label) {
    drawing d = {.o = o, .random = gls_random_create((uint64_t)o->seed, test ? "spans test" : "spans train", 0, 0)};
    d.key = gls_alloc(ctx, o->keys, sizeof *d.key);
    d.size = gls_alloc(ctx, o->stretches, sizeof *d.size);
    d.place = gls_alloc(ctx, o->stretches, sizeof *d.place);
    bool room = d.key && d.size && d.place;
    for (int32_t k = 0; room && k < o->keys; k++) d.key[k] = k;
    for (int64_t i = 0; room && i < rows; i++) draw_row(&d, token + i * o->length, label + 2 * i);
    gls_free(ctx, d.key);
    gls_free(ctx, d.size);
    gls_free(ctx, d.place);
    return room ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status check(gls_context *ctx, const spans_options *o) {
    if (o->stretches > o->keys)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.stretches: %lld, expected at most the %lld keys",
                        (long long)o->stretches, (long long)o->keys);
    int64_t needed = AROUND + o->stretches * (o->longest + 2);
    if (needed <= o->length) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_ARGUMENT,
                    "data.length: %lld tokens, expected at least %lld: %lld stretches of %lld words",
                    (long long)o->length, (long long)needed, (long long)o->stretches, (long long)o->longest);
}

static gls_status open_spans(gls_context *ctx, const char *path, const void *options, gls_part part,
                             const gls_data_info *like, gls_source **out) {
    const spans_options *o = options;
    bool test = part != GLS_PART_TRAIN;
    int64_t extents[2] = {test ? o->test_size : o->train_size, o->length}, tokens;
    gls_token_source *made;
    GLS_TRY(check(ctx, o));
    GLS_TRY(gls_source_check_extents(ctx, "spans", 2, extents, 3, &tokens));
    gls_data_info info = {.examples = extents[0],
                          .length = o->length,
                          .target = GLS_TARGET_SPAN,
                          .vocabulary = FIRST_KEY + o->keys + o->words,
                          .separator = SEPARATOR};
    GLS_TRY(gls_token_source_create(ctx, &info, &made));
    made->tokens = extents[0] * o->length;
    int32_t *token = made->owns = gls_alloc(ctx, made->tokens + 2 * extents[0], sizeof *token);
    made->token = token;
    made->label = token ? token + made->tokens : NULL;
    gls_status status = token ? draw_rows(ctx, o, test, extents[0], token, token + made->tokens) : GLS_ERR_MEMORY;
    if (status == GLS_OK)
        *out = &made->owned.source;
    else
        gls_source_destroy(&made->owned.source);
    return status;
}

const gls_format gls_format_spans = {
    .member = {"spans", "questions whose answer is a marked stretch of a row of tokens", "", spans_table,
               sizeof(spans_options)},
    .generator = true,
    .open = open_spans,
};
