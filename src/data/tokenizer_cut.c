/* Steps that cut a text into words, one inside the other; what the last one leaves are the words of the model. */
#include "data/tokenizer_parts.h"

#include <string.h>

/* A range that waits for what follows it, since the two may belong together. */
typedef struct waiting {
    gls_tokenizer *t;
    int step;
    const char *text;
    bool first;
    gls_token_list *to;
    int64_t begin, end;
    bool matches;
} waiting;

static gls_status pass_on(waiting *w) {
    bool kept = w->end > w->begin && !(w->matches && w->t->cut[w->step].behavior == GLS_TOKENIZER_REMOVED);
    if (!kept) return GLS_OK;
    return gls_tokenizer_cut_words(w->t, w->step + 1, w->text + w->begin, w->end - w->begin, w->first && !w->begin,
                                   w->to);
}

/* Whether the range that comes is added to the one that waits. */
static bool joins(const waiting *w, bool matches) {
    if (w->end == w->begin) return false;
    switch (w->t->cut[w->step].behavior) {
    case GLS_TOKENIZER_CONTIGUOUS:
        return w->matches == matches;
    case GLS_TOKENIZER_MERGED_WITH_PREVIOUS:
        return matches && !w->matches;
    case GLS_TOKENIZER_MERGED_WITH_NEXT:
        return w->matches && !matches;
    default:
        return false;
    }
}

static gls_status next_range(waiting *w, int64_t end, bool matches) {
    if (end == w->end) return GLS_OK;
    bool together = joins(w, matches);
    gls_tokenizer_behavior behavior = w->t->cut[w->step].behavior;
    if (!together) {
        GLS_TRY(pass_on(w));
        w->begin = w->end;
    }
    w->end = end;
    /* After a merge with the previous range another match stands alone, but a merge with the next is no match. */
    w->matches = together && behavior == GLS_TOKENIZER_MERGED_WITH_PREVIOUS ? true : matches;
    return GLS_OK;
}

static gls_status cut(gls_tokenizer *t, int step, const char *text, int64_t bytes, bool first, gls_token_list *to) {
    const gls_tokenizer_cut *c = &t->cut[step];
    waiting w = {.t = t, .step = step, .text = text, .first = first, .to = to};
    for (int64_t at = 0; at < bytes;) {
        int64_t begin = at, end = at;
        GLS_TRY(gls_tokenizer_pattern_next(t->ctx, &c->pattern, text, bytes, &begin, &end));
        if (begin < 0) begin = end = bytes;
        GLS_TRY(next_range(&w, begin, c->inverted));
        GLS_TRY(next_range(&w, end, !c->inverted));
        at = end;
    }
    return pass_on(&w);
}

/* With a blank in front and blanks replaced, as the step asks. */
static gls_status change(gls_tokenizer_cut *c, const char **text, int64_t *bytes, bool first) {
    const char *blank = c->blank ? c->blank : " ";
    int64_t size = (int64_t)strlen(blank), n = *bytes;
    bool begins = (n > 0 && **text == ' ') || (n >= size && memcmp(*text, blank, (size_t)size) == 0);
    bool put = n && !begins && (c->prefix == GLS_TOKENIZER_PREFIX_ALL || (c->prefix && first));
    if (!put && !c->blank) return GLS_OK;
    c->made.count = 0;
    if (put) GLS_TRY(gls_tokenizer_bytes_add(&c->made, blank, size));
    for (int64_t k = 0; k < n && c->blank; k++)
        GLS_TRY((*text)[k] == ' ' ? gls_tokenizer_bytes_add(&c->made, blank, size)
                                  : gls_tokenizer_bytes_add(&c->made, *text + k, 1));
    if (!c->blank) GLS_TRY(gls_tokenizer_bytes_add(&c->made, *text, n));
    *text = c->made.at;
    *bytes = c->made.count;
    return GLS_OK;
}

gls_status gls_tokenizer_cut_words(gls_tokenizer *t, int step, const char *text, int64_t bytes, bool first,
                                   gls_token_list *to) {
    if (!bytes) return GLS_OK;
    if (step == t->cuts) return gls_tokenizer_word(t, text, bytes, to);
    gls_tokenizer_cut *c = &t->cut[step];
    GLS_TRY(change(c, &text, &bytes, first));
    if (c->whole) return gls_tokenizer_cut_words(t, step + 1, text, bytes, first, to);
    return cut(t, step, text, bytes, first, to);
}
