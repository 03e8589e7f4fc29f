/* Generator zipf: a Markov text whose words have Zipf's frequencies. Word w is of topic w mod topics; the next word is,
 * with the share `stay`, of the topic of the one before, and otherwise any: both leave the frequencies as they are. */
#include "base/arith.h"
#include "data/table.h"
#include "data/text.h"
#include "data/tokens.h"

#include <math.h>
#include <stdio.h>

typedef struct zipf_options {
    int64_t train_size, test_size, length, vocabulary, topics, streams, seed;
    double exponent, stay;
} zipf_options;

static const gls_option zipf_table[] = {
    GLS_INT("train_size", zipf_options, train_size, "2000", 1, 1e9, "training rows"),
    GLS_INT("test_size", zipf_options, test_size, "500", 1, 1e9, "test rows"),
    GLS_INT("length", zipf_options, length, "32", 1, 1 << 20, "tokens per row"),
    GLS_INT("vocabulary", zipf_options, vocabulary, "1000", 2, 1 << 24, "words; the commonest is the end of a line"),
    GLS_REAL("exponent", zipf_options, exponent, "1", 0, 10,
             "word of rank r has a frequency in proportion to r^-exponent"),
    GLS_INT("topics", zipf_options, topics, "10", 1, 1 << 24, "kinds of words, at most as many as words"),
    GLS_REAL("stay", zipf_options, stay, "0.7", 0, 1, "share of words that are of the topic of the word before"),
    GLS_INT("streams", zipf_options, streams, "0", 0, INT32_MAX, "as in format text; 0: none"),
    GLS_INT("seed", zipf_options, seed, "1", 0, INFINITY, "of the text"),
    {0},
};

/* Sums of frequencies, over all words and over those of each topic, which are w = topic, topic + topics, ... */
typedef struct chain {
    const zipf_options *o;
    double *all; /* [vocabulary] up to and with word w */
    double *own; /* [vocabulary] the same inside the word's topic */
} chain;

static gls_status make_chain(gls_context *ctx, const zipf_options *o, chain *c) {
    *c = (chain){o, gls_alloc(ctx, o->vocabulary, sizeof(double)), gls_alloc(ctx, o->vocabulary, sizeof(double))};
    if (!c->all || !c->own) return GLS_ERR_MEMORY;
    for (int64_t w = 0; w < o->vocabulary; w++) {
        double p = pow((double)(w + 1), -o->exponent);
        c->all[w] = p + (w ? c->all[w - 1] : 0);
        c->own[w] = p + (w >= o->topics ? c->own[w - o->topics] : 0);
    }
    return GLS_OK;
}

/* The first of the words begin, begin + step, ... whose sum is above u times that of the last. */
static int32_t search(const double *sum, int64_t begin, int64_t step, int64_t words, double u) {
    int64_t low = 0, high = words - 1;
    double target = u * sum[begin + high * step];
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (sum[begin + middle * step] > target)
            high = middle;
        else
            low = middle + 1;
    }
    return (int32_t)(begin + low * step);
}

static int32_t next_word(const chain *c, gls_random *random, int32_t before) {
    const zipf_options *o = c->o;
    bool stays = gls_random_uniform(random) < o->stay;
    double u = gls_random_uniform(random);
    int64_t topic = before % o->topics;
    return stays ? search(c->own, topic, o->topics, gls_parts(o->vocabulary - topic, o->topics), u)
                 : search(c->all, 0, 1, o->vocabulary, u);
}

/* The first word is one of all: the frequencies are then the same at every place. */
static gls_status make_text(gls_context *ctx, const zipf_options *o, bool test, int64_t tokens, int32_t **token) {
    chain c;
    *token = gls_alloc(ctx, tokens, sizeof **token);
    gls_status status = make_chain(ctx, o, &c);
    if (!*token) status = GLS_ERR_MEMORY;
    gls_random random = gls_random_create((uint64_t)o->seed, test ? "zipf test" : "zipf train", 0, 0);
    if (status == GLS_OK) (*token)[0] = search(c.all, 0, 1, o->vocabulary, gls_random_uniform(&random));
    for (int64_t t = 1; status == GLS_OK && t < tokens; t++) (*token)[t] = next_word(&c, &random, (*token)[t - 1]);
    gls_free(ctx, c.all);
    gls_free(ctx, c.own);
    return status;
}

static gls_status name_words(gls_token_source *made, int64_t count) {
    gls_context *ctx = made->owned.source.ctx;
    char(*text)[24] = gls_alloc(ctx, count, sizeof *text);
    const char **name = gls_alloc(ctx, count, sizeof *name);
    for (int64_t w = 0; text && name && w < count; w++) {
        snprintf(text[w], sizeof *text, "w%lld", (long long)w);
        name[w] = w ? text[w] : gls_token_fixed[GLS_TOKEN_END_OF_LINE];
    }
    gls_status status = text && name ? gls_owned_class_names(&made->owned, name, count) : GLS_ERR_MEMORY;
    gls_free(ctx, text);
    gls_free(ctx, name);
    return status;
}

static gls_status make_source(gls_context *ctx, const zipf_options *o, int64_t rows, int64_t tokens, int32_t *token,
                              gls_source **out) {
    gls_data_info info = {
        .examples = rows, .length = o->length, .target = GLS_TARGET_TOKENS, .vocabulary = o->vocabulary};
    gls_token_source *made;
    gls_status status = gls_token_source_create(ctx, &info, &made);
    if (status != GLS_OK) {
        gls_free(ctx, token);
        return status;
    }
    made->token = made->owns = token;
    made->label = token + 1;
    made->tokens = tokens - 1;
    made->owned.source.info.streams = o->streams;
    status = name_words(made, o->vocabulary);
    if (status == GLS_OK)
        *out = &made->owned.source;
    else
        gls_source_destroy(&made->owned.source);
    return status;
}

static gls_status open_zipf(gls_context *ctx, const char *path, const void *options, gls_part part,
                            const gls_data_info *like, gls_source **out) {
    const zipf_options *o = options;
    bool test = part != GLS_PART_TRAIN;
    int64_t extents[2] = {test ? o->test_size : o->train_size, o->length}, tokens;
    int32_t *token = NULL;
    if (o->topics > o->vocabulary)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.topics: %lld, expected at most the %lld words",
                        (long long)o->topics, (long long)o->vocabulary);
    if (extents[0] < o->streams)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "data.streams: %lld rows, expected at least one for each of %lld",
                        (long long)extents[0], (long long)o->streams);
    GLS_TRY(gls_source_check_extents(ctx, "zipf", 2, extents, 1, &tokens));
    gls_status status = make_text(ctx, o, test, tokens + 1, &token);
    if (status == GLS_OK) return make_source(ctx, o, extents[0], tokens + 1, token, out);
    gls_free(ctx, token);
    return status;
}

const gls_format gls_format_zipf = {
    .member = {"zipf", "a Markov text whose words have Zipf's frequencies", "", zipf_table, sizeof(zipf_options)},
    .generator = true,
    .open = open_zipf,
};
