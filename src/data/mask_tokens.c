/* Transform mask_tokens: hides some tokens of every row, which then are the targets instead of the next ones (Devlin et
 * al. 2019). Training rows are drawn anew at every draw; of others the same tokens are hidden always. */
#include "data/source.h"
#include "data/table.h"
#include <math.h>
#include <string.h>

typedef struct mask_options {
    double share, mask, random;
} mask_options;

static const gls_option mask_table[] = {
    GLS_REAL("share", mask_options, share, "0.15", 0, 1, "share of a row's tokens that are targets, at least one",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("mask", mask_options, mask, "0.8", 0, 1, "share of these that become <mask>"),
    GLS_REAL("random", mask_options, random, "0.1", 0, 1, "share of these that become any token; the rest stays"),
    {0},
};

static const char *const mask_names[] = {"<mask>", "[MASK]", NULL};
/* They say where texts begin and end, or nothing: no row hides them. */
static const char *const kept_names[] = {"<unk>", "<eos>", "<sep>", "<cls>", "<pad>", "<s>",
                                         "</s>",  "[UNK]", "[SEP]", "[CLS]", "[PAD]", NULL};

static bool one_of(const char *name, const char *const *names) {
    for (int k = 0; names[k]; k++)
        if (strcmp(name, names[k]) == 0) return true;
    return false;
}

static gls_status check_data(gls_context *ctx, const gls_data_info *info, const mask_options *o) {
    if (!info->length || info->target != GLS_TARGET_TOKENS || info->masked)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform mask_tokens: needs rows of a text with their next tokens");
    if (o->mask + o->random > 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform mask_tokens: mask and random are shares of one whole, got %g",
                        o->mask + o->random);
    return GLS_OK;
}

/* The number of <mask>, which is a new word where the vocabulary has none, and those of the words that are kept. */
static gls_status fit_mask(gls_context *ctx, const gls_source *source, const void *options, gls_learned *learned) {
    const gls_data_info *info = &source->info;
    int64_t *mask, *kept, count = 0, words = info->class_names ? info->classes : 0;
    GLS_TRY(check_data(ctx, info, options));
    for (int64_t k = 0; k < words; k++) count += one_of(info->class_names[k], kept_names);
    GLS_TRY(gls_learned_add(learned, "mask", GLS_I64, 1, &mask));
    GLS_TRY(gls_learned_add(learned, "kept", GLS_I64, count, &kept));
    *mask = info->vocabulary;
    for (int64_t k = 0, n = 0; k < words; k++) {
        if (one_of(info->class_names[k], mask_names)) *mask = k;
        if (one_of(info->class_names[k], kept_names)) kept[n++] = k;
    }
    return GLS_OK;
}

typedef struct mask_source {
    gls_owned_source owned;
    mask_options options;
    uint64_t seed;
    int32_t mask;
    bool *kept; /* [vocabulary] */
} mask_source;

/* Places of a row that may be hidden. */
static int64_t candidates(const mask_source *s, const int32_t *token, const int32_t *label, int32_t *place) {
    int64_t count = 0;
    for (int32_t t = 0; t < s->owned.source.info.length; t++)
        if (label[t] >= 0 && !s->kept[token[t]]) place[count++] = t;
    return count;
}

static int32_t replaced(const mask_source *s, gls_random *random, int32_t token) {
    double u = gls_random_uniform(random);
    if (u < s->options.mask) return s->mask;
    if (u >= s->options.mask + s->options.random) return token;
    return (int32_t)gls_random_below(random, s->owned.source.inner->info.vocabulary);
}

/* Returns how many tokens were hidden; place [length] is room. */
static int64_t hide(const mask_source *s, gls_random *random, int32_t *token, int32_t *label, int32_t *place) {
    int64_t found = candidates(s, token, label, place), count = llround(s->options.share * (double)found);
    memset(label, 0xff, (size_t)s->owned.source.info.length * sizeof *label);
    if (count < 1) count = found > 0;
    for (int64_t k = 0; k < count; k++) {
        int64_t chosen = k + gls_random_below(random, found - k);
        int32_t t = place[chosen];
        place[chosen] = place[k];
        label[t] = token[t];
        token[t] = replaced(s, random, token[t]);
    }
    return count;
}

/* Targets alone are wanted now and then, but they are tokens: those are then read into room of their own. */
static gls_status fetch_mask(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    const mask_source *s = (const mask_source *)source;
    int64_t length = source->info.length;
    if (source->info.target == GLS_TARGET_NONE || !rows->label) return gls_wrapper_fetch(source, ctx, fetch, rows);
    int32_t *place = gls_alloc(ctx, length, sizeof *place);
    int32_t *room = rows->token ? NULL : gls_alloc(ctx, fetch->count * length, sizeof *room);
    gls_rows with = *rows;
    with.token = rows->token ? rows->token : room;
    gls_status status = place && with.token ? gls_wrapper_fetch(source, ctx, fetch, &with) : GLS_ERR_MEMORY;
    for (int64_t i = 0; status == GLS_OK && i < fetch->count; i++) {
        gls_random random = fetch->augment
                                ? gls_random_create(fetch->seed, "mask_tokens", fetch->draw, (uint32_t)fetch->slot[i])
                                : gls_random_create(s->seed, "mask_tokens always", (uint64_t)fetch->index[i], 0);
        int64_t hidden = hide(s, &random, with.token + i * length, rows->label + i * length, place);
        if (rows->mass) rows->mass[i] = hidden ? (double)hidden / (double)length : gls_mass_of_none;
    }
    gls_free(ctx, room);
    gls_free(ctx, place);
    return status;
}

static const gls_source_ops mask_ops = {fetch_mask, gls_wrapper_destroy};

/* The words and <mask> behind them, unless it is one of them. */
static gls_status add_word(mask_source *s, const gls_data_info *inner) {
    gls_data_info *own = &s->owned.source.info;
    if (s->mask < inner->vocabulary) return GLS_OK;
    own->vocabulary = (int64_t)s->mask + 1;
    if (own->target != GLS_TARGET_TOKENS) return GLS_OK;
    own->classes = own->vocabulary;
    if (!inner->class_names) return GLS_OK;
    gls_context *ctx = s->owned.source.ctx;
    const char **names = gls_alloc(ctx, own->vocabulary, sizeof *names);
    if (!names) return GLS_ERR_MEMORY;
    for (int64_t k = 0; k < inner->vocabulary; k++) names[k] = inner->class_names[k];
    names[s->mask] = mask_names[0];
    gls_status status = gls_owned_class_names(&s->owned, names, own->vocabulary);
    gls_free(ctx, names);
    return status;
}

static gls_status take_over(mask_source *s, const gls_data_info *inner, const gls_learned *learned) {
    int64_t one = 1, count = -1;
    const int64_t *mask, *kept;
    GLS_TRY(gls_learned_get(learned, "mask", GLS_I64, &one, &mask));
    GLS_TRY(gls_learned_get(learned, "kept", GLS_I64, &count, &kept));
    s->mask = (int32_t)*mask;
    s->kept = gls_arena_alloc(s->owned.arena, inner->vocabulary, sizeof *s->kept);
    if (!s->kept) return GLS_ERR_MEMORY;
    memset(s->kept, 0, (size_t)inner->vocabulary * sizeof *s->kept);
    for (int64_t k = 0; k < count; k++)
        if (kept[k] >= 0 && kept[k] < inner->vocabulary) s->kept[kept[k]] = true;
    return add_word(s, inner);
}

/* Rows to be predicted have no targets: nothing is hidden in them. */
static gls_status apply_mask(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                             const gls_learned *learned, gls_source **out) {
    mask_source *s;
    bool bare = source->info.target == GLS_TARGET_NONE && source->info.length;
    if (!bare) GLS_TRY(check_data(ctx, &source->info, options));
    GLS_TRY(gls_wrapper_create(ctx, sizeof *s, &mask_ops, source, (void **)&s));
    s->options = *(const mask_options *)options;
    s->seed = seed;
    s->owned.source.info.masked = !bare;
    s->owned.source.has_mass = !bare;
    gls_status status = take_over(s, &source->info, learned);
    if (status != GLS_OK) {
        gls_owned_destroy(&s->owned.source);
        return status;
    }
    *out = &s->owned.source;
    return GLS_OK;
}

static const char *onnx(gls_onnx *to, const gls_data_info *info, const void *options, const gls_learned *learned,
                        const char *value) {
    return value;
}

const gls_transform gls_transform_mask_tokens = {
    .member = {"mask_tokens", "hides tokens of a text, which become the targets", "Devlin et al. 2019", mask_table,
               sizeof(mask_options)},
    .fit = fit_mask,
    .apply = apply_mask,
    .onnx = onnx,
};
