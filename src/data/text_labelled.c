/* Labelled texts: lines or records of a label and one or two texts become rows of tokens, framed and padded. */
#include "data/text_labelled.h"

#include <stdlib.h>
#include <string.h>

#include "base/arith.h"
#include "data/delimited.h"
#include "data/token_labelled.h"
#include "data/tokenizer_parts.h"
#include "data/tokens.h"

/* ---- columns ---- */

enum { LABEL, TEXT, PARTS = 3 }; /* a record's parts: label, text, second text */

typedef struct reading {
    gls_token_text *s;
    const gls_token_columns *columns;
    gls_token_labelled *out;
    int64_t column[PARTS]; /* of each, or -1 */
    bool header;           /* the first record is one, and was not yet read */
    bool got[PARTS];
    gls_tokenizer_bytes text[PARTS];
    gls_tokenizer_bytes moved[PARTS]; /* where the label is missing: what stands a column earlier */
} reading;

static const char *name_of(const reading *r, int part) {
    const gls_token_columns *c = r->columns;
    if (part == LABEL) return c->label;
    return part - TEXT < c->texts->count ? c->texts->item[part - TEXT] : NULL;
}

/* The column of a number from 1, or -1. */
static int64_t number_of(const char *name) {
    char *end;
    long long number = strtoll(name, &end, 10);
    return *name && !*end && number >= 1 && number <= 1 << 20 ? number - 1 : -1;
}

static void find_columns(reading *r) {
    for (int part = 0; part < PARTS; part++) {
        const char *name = name_of(r, part);
        r->column[part] = name ? number_of(name) : -1;
        if (name && r->column[part] < 0) r->header = true;
        r->text[part].ctx = r->moved[part].ctx = r->s->ctx;
    }
    for (int part = 0; part < PARTS && r->header; part++) r->column[part] = -1;
}

/* Every part has a column of its own. */
static gls_status check_distinct(const reading *r) {
    for (int a = 0; a < PARTS; a++)
        for (int b = a + 1; b < PARTS; b++)
            if (name_of(r, b) && name_of(r, a) &&
                (strcmp(name_of(r, a), name_of(r, b)) == 0 || (r->column[a] >= 0 && r->column[a] == r->column[b])))
                return gls_fail(r->s->ctx, GLS_ERR_ARGUMENT, "%s: data.texts: column '%.60s' is %s", r->s->what,
                                name_of(r, b), a == LABEL ? "that of the label (data.label)" : "named twice");
    return GLS_OK;
}

static gls_status keep(gls_tokenizer_bytes *to, const char *text, int64_t length) {
    to->count = 0;
    GLS_TRY(gls_tokenizer_bytes_add(to, text, length));
    return gls_tokenizer_bytes_add(to, "", 1);
}

static gls_status on_field(void *user, const char *text, int64_t length, int64_t column, int64_t line) {
    reading *r = user;
    for (int part = 0; part < PARTS; part++) {
        const char *name = name_of(r, part);
        if (r->header && name && strcmp(name, text) == 0 && r->column[part] >= 0)
            return gls_fail(r->s->ctx, GLS_ERR_INPUT, "%s:%lld: columns %lld and %lld are both called '%.60s'",
                            r->s->what, (long long)line, (long long)r->column[part] + 1, (long long)column + 1, name);
        if (r->header && name && strcmp(name, text) == 0) r->column[part] = column;
        if (r->header || !name) continue;
        if (r->columns->bare && r->column[part] == column + 1) GLS_TRY(keep(&r->moved[part], text, length));
        if (r->column[part] != column) continue;
        GLS_TRY(keep(&r->text[part], text, length));
        r->got[part] = true;
    }
    return GLS_OK;
}

/* ---- records ---- */

static gls_status reserve(gls_token_labelled *l) {
    if (l->rows < l->room) return GLS_OK;
    int64_t room = 2 * l->room + 256;
    const char **label = gls_resize(l->ctx, l->label, room, sizeof *label);
    if (label) l->label = label;
    int64_t *end = label ? gls_resize(l->ctx, l->end, 2 * room, sizeof *end) : NULL;
    if (end) l->end = end;
    int64_t *line = end ? gls_resize(l->ctx, l->line, room, sizeof *line) : NULL;
    if (line) l->line = line;
    int64_t *span = line ? gls_resize(l->ctx, l->span, 2 * room, sizeof *span) : NULL;
    if (!span) return GLS_ERR_MEMORY;
    l->span = span;
    l->room = room;
    return GLS_OK;
}

/* Tokens that the beginning of a text has in common with the whole, which are all before *at. What is encoded is thrown
 * away, and adds no word to a vocabulary. */
static gls_status common_tokens(gls_token_text *s, const char *text, int64_t bytes, int64_t whole, int64_t end,
                                int64_t *common, int64_t *tokens) {
    bool fixed = s->fixed;
    char *part = gls_sprintf(s->ctx, "%.*s", (int)bytes, text);
    if (!part) return GLS_ERR_MEMORY;
    s->fixed = true;
    gls_status status = gls_token_text_parse(s, part);
    s->fixed = fixed;
    gls_free(s->ctx, part);
    *tokens = s->list.tokens - end;
    for (*common = 0; *common < *tokens && *common < end - whole; ++*common)
        if (s->list.token[whole + *common] != s->list.token[end + *common]) break;
    s->list.tokens = end;
    return status;
}

/* The second text begins with that token. The answer is where it stands first; a token that it cuts is a part of it. A
 * blank in front belongs to it. */
static gls_status find_answer(reading *r, int64_t begin, int64_t line, int64_t span[2]) {
    gls_token_text *s = r->s;
    begin -= s->stored;
    const char *answer = r->text[LABEL].at, *text = r->text[PARTS - 1].at, *found = strstr(text, answer);
    int64_t end = s->list.tokens, tokens;
    if (!found)
        return gls_fail(s->ctx, GLS_ERR_INPUT, "%s:%lld: the answer '%.60s' is not in the second text", s->what,
                        (long long)line, answer);
    int64_t before = found - text, behind = before + (int64_t)strlen(answer);
    while (before > 0 && text[before - 1] == ' ') before--;
    GLS_TRY(common_tokens(s, text, before, begin, end, &span[0], &tokens));
    GLS_TRY(common_tokens(s, text, behind, begin, end, &span[1], &tokens));
    span[1] -= span[1] == tokens;
    if (span[1] >= span[0] && span[1] < end - begin) return GLS_OK;
    return gls_fail(s->ctx, GLS_ERR_INPUT, "%s:%lld: the answer '%.60s' has no token", s->what, (long long)line,
                    answer);
}

static gls_status keep_label(reading *r, const char **out) {
    if (r->columns->bare) return GLS_OK;
    char *copy = gls_arena_alloc(r->out->arena, r->text[LABEL].count, 1);
    if (!copy) return GLS_ERR_MEMORY;
    memcpy(copy, r->text[LABEL].at, (size_t)r->text[LABEL].count);
    *out = copy;
    return GLS_OK;
}

/* Rows that are to be predicted may lack a label in front: then texts stand a column earlier. */
static bool lacks_label(const reading *r, int64_t fields) {
    int64_t last = r->column[LABEL];
    for (int part = TEXT; part < PARTS; part++) last = r->column[part] > last ? r->column[part] : last;
    return r->columns->bare && fields == last && r->column[LABEL] == 0;
}

static gls_status check_header(reading *r, int64_t line) {
    for (int part = 0; part < PARTS; part++) {
        const char *name = name_of(r, part);
        bool needed = name && !(part == LABEL && r->columns->bare);
        if (needed && r->column[part] < 0)
            return gls_fail(r->s->ctx, GLS_ERR_INPUT, "%s:%lld: no column '%.60s'", r->s->what, (long long)line, name);
    }
    r->header = false;
    return GLS_OK;
}

static gls_status check_record(const reading *r, int64_t fields, int64_t line) {
    for (int part = r->columns->bare ? TEXT : LABEL; part < PARTS; part++)
        if (name_of(r, part) && !r->got[part])
            return gls_fail(r->s->ctx, GLS_ERR_INPUT, "%s:%lld: %lld column%s, expected %s in column %lld", r->s->what,
                            (long long)line, (long long)fields, fields == 1 ? "" : "s",
                            part == LABEL ? "a label" : "a text", (long long)r->column[part] + 1);
    if (r->columns->bare || r->text[LABEL].at[0]) return GLS_OK;
    return gls_fail(r->s->ctx, GLS_ERR_INPUT, "%s:%lld: an empty label", r->s->what, (long long)line);
}

static gls_status on_record(void *user, int64_t fields, int64_t line) {
    reading *r = user;
    gls_token_labelled *l = r->out;
    gls_token_text *s = r->s;
    if (r->header) return check_header(r, line);
    bool moved = lacks_label(r, fields);
    if (!moved) GLS_TRY(check_record(r, fields, line));
    GLS_TRY(reserve(l));
    GLS_TRY(keep_label(r, &l->label[l->rows]));
    for (int part = TEXT; part < PARTS; part++) {
        s->line = line;
        const gls_tokenizer_bytes *from = moved ? &r->moved[part] : &r->text[part];
        if (name_of(r, part)) GLS_TRY(gls_token_text_parse(s, from->at));
        l->end[2 * l->rows + part - TEXT] = s->stored + s->list.tokens;
    }
    if (r->columns->spans && !r->columns->bare)
        GLS_TRY(find_answer(r, l->end[2 * l->rows], line, l->span + 2 * l->rows));
    l->line[l->rows++] = line;
    memset(r->got, 0, sizeof r->got);
    return gls_token_text_spill(s);
}

gls_status gls_token_labelled_read(gls_token_text *s, const char *path, const gls_token_columns *columns,
                                   gls_token_labelled *out) {
    reading r = {.s = s, .columns = columns, .out = out};
    gls_delimited_sink sink = {&r, on_field, on_record, NULL};
    *out = (gls_token_labelled){.ctx = s->ctx};
    find_columns(&r);
    GLS_TRY(check_distinct(&r));
    gls_status status = gls_arena_create(s->ctx, &out->arena);
    if (status == GLS_OK)
        status = gls_delimited_read(s->ctx, path, columns->comma ? ',' : '\t', columns->comma ? '"' : 0, &sink);
    for (int part = 0; part < PARTS; part++) gls_free(s->ctx, r.text[part].at);
    for (int part = 0; part < PARTS; part++) gls_free(s->ctx, r.moved[part].at);
    if (status == GLS_OK && !out->rows)
        status = gls_fail(s->ctx, GLS_ERR_INPUT, "%s: empty, expected at least one text", s->what);
    return status;
}

void gls_token_labelled_clear(gls_token_labelled *l) {
    if (!l->ctx) return;
    gls_free(l->ctx, l->label);
    gls_free(l->ctx, l->end);
    gls_free(l->ctx, l->line);
    gls_free(l->ctx, l->span);
    gls_arena_destroy(l->arena);
    *l = (gls_token_labelled){0};
}

/* ---- rows ---- */

static int64_t framing_tokens(const gls_tokenizer_frame *f) {
    int64_t count = 0;
    for (int k = 0; k < f->items; k++) count += f->item[k].token >= 0;
    return count;
}

bool gls_token_labelled_fit(const gls_tokenizer_frame *f, bool cut, int64_t length, int64_t size[2]) {
    int64_t around = framing_tokens(f), over = size[0] + size[1] + around - length;
    if (over > 0 && (!cut || around > length)) return false;
    for (int pass = 0; pass < 2 && over > 0; pass++) {
        int longer = size[1] > size[0];
        int64_t gap = pass ? 0 : gls_least(size[longer] - size[!longer], over);
        size[longer] -= pass ? over / 2 + over % 2 : gap;
        if (pass) size[!longer] -= over / 2;
        over -= gap;
    }
    return true;
}

/* How many tokens of each text of a row fit. */
static gls_status fit(const gls_token_text *s, const gls_token_labelled *l, const gls_tokenizer_frame *f, bool cut,
                      int64_t length, int64_t row, int64_t size[2]) {
    int64_t begin = row ? l->end[2 * row - 1] : 0, around = framing_tokens(f);
    size[0] = l->end[2 * row] - begin;
    size[1] = l->end[2 * row + 1] - l->end[2 * row];
    if (gls_token_labelled_fit(f, cut, length, size)) return GLS_OK;
    return gls_fail(s->ctx, GLS_ERR_INPUT,
                    "%s:%lld: %lld tokens, %lld of them around the text, expected at most %lld (length)%s", s->what,
                    (long long)l->line[row], (long long)(size[0] + size[1] + around), (long long)around,
                    (long long)length, cut ? "" : "; long: cut cuts them");
}

static void write_row(const gls_token_text *s, const gls_token_labelled *l, const gls_tokenizer_frame *f, int64_t row,
                      const int64_t size[2], int32_t *token, int32_t *document) {
    int64_t begin[2] = {row ? l->end[2 * row - 1] : 0, l->end[2 * row]}, at = 0;
    for (int k = 0; k < f->items; k++) {
        int32_t item = f->item[k].token;
        if (item >= 0) {
            token[at++] = item;
            continue;
        }
        memcpy(token + at, s->list.token + begin[-1 - item], (size_t)size[-1 - item] * sizeof *token);
        at += size[-1 - item];
    }
    for (int64_t t = 0; t < at; t++) document[t] = 0;
}

/* Where the answer is in the row. */
static gls_status place_answer(const gls_token_text *s, const gls_token_labelled *l, const gls_tokenizer_frame *f,
                               int64_t row, const int64_t size[2], int32_t *label) {
    int64_t at = 0;
    for (int k = 0; k < f->items && f->item[k].token != -2; k++) at += f->item[k].token == -1 ? size[0] : 1;
    for (int k = 0; k < 2; k++) label[k] = (int32_t)(at + l->span[2 * row + k]);
    if (l->span[2 * row + 1] < size[1]) return GLS_OK;
    return gls_fail(s->ctx, GLS_ERR_INPUT, "%s:%lld: the answer is in the part that does not fit into %lld tokens",
                    s->what, (long long)l->line[row], (long long)(size[0] + size[1] + framing_tokens(f)));
}

/* Where they have room: token, document [rows, length]; span [rows, 2] of answers. NULL: all rows are looked at. */
static gls_status write_all(const gls_token_text *s, const gls_token_labelled *l, const gls_tokenizer_frame *f,
                            bool cut, int64_t length, int32_t *token, int32_t *document, int32_t *span) {
    for (int64_t i = 0; i < l->rows; i++) {
        int64_t size[2];
        GLS_TRY(fit(s, l, f, cut, length, i, size));
        if (token) write_row(s, l, f, i, size, token + i * length, document + i * length);
        if (span) GLS_TRY(place_answer(s, l, f, i, size, span + 2 * i));
    }
    return GLS_OK;
}

/* The token that ends the first text, where the second one is another segment. */
static int32_t separator(const gls_tokenizer_frame *f) {
    for (int k = 0; k + 2 < f->items; k++)
        if (f->item[k].token == -1 && f->item[k + 2].token == -2 && f->item[k + 2].segment != f->item[k].segment)
            return f->item[k + 1].token;
    return 0;
}

static gls_status name_all(gls_owned_source *made, const gls_token_text *s, const char *const *names, int64_t count) {
    const char *json = s->tokenizer ? gls_tokenizer_json(s->tokenizer) : NULL, *const * kept;
    if (json) {
        GLS_TRY(gls_owned_texts(made, &json, 1, &kept));
        made->source.info.tokenizer = *kept;
    }
    return gls_owned_texts(made, names, count, &made->source.info.token_names);
}

/* Rows in memory; label [rows] of classes or [rows, 2] of spans, or NULL. */
static gls_status hold_rows(const gls_token_text *s, const gls_token_labelled *l, const gls_token_columns *columns,
                            const gls_tokenizer_frame *frame, const gls_data_info *info, const int32_t *label,
                            gls_owned_source **out) {
    gls_token_source *made;
    int64_t size = l->rows * info->length, labels = label ? gls_data_labels(info) * l->rows : 0;
    GLS_TRY(gls_token_source_create(s->ctx, info, &made));
    *out = &made->owned;
    int32_t *token = made->owns = gls_alloc(s->ctx, 2 * size + labels, sizeof *token);
    if (!token) return GLS_ERR_MEMORY;
    gls_bound_take(s->ctx, 2 * size * (int64_t)sizeof *token);
    made->token = token;
    made->tokens = size;
    made->document = token + size;
    memset(token + size, 0xff, (size_t)size * sizeof *token);
    if (labels) memcpy(token + 2 * size, label, (size_t)labels * sizeof *token);
    if (labels) made->label = token + 2 * size;
    return write_all(s, l, frame, columns->cut, info->length, token, token + size, NULL);
}

/* Classes or spans, from gls_alloc; NULL: none. */
static gls_status read_labels(const gls_token_text *s, const gls_token_labelled *l, const gls_token_columns *columns,
                              const gls_tokenizer_frame *frame, const gls_data_info *like, gls_data_info *info,
                              int32_t **label) {
    if (columns->bare) return write_all(s, l, frame, columns->cut, info->length, NULL, NULL, NULL);
    if (columns->spans) {
        *label = gls_alloc(s->ctx, 2 * l->rows, sizeof **label);
        if (!*label) return GLS_ERR_MEMORY;
    } else {
        GLS_TRY(gls_classes_from_names(s->ctx, s->what, l->label, l->rows, l->line, like, info, label));
    }
    return write_all(s, l, frame, columns->cut, info->length, NULL, NULL, columns->spans ? *label : NULL);
}

/* Padding may take more room than the tokens did. */
static gls_status make_room(gls_token_text *s, int64_t values, gls_token_file *file) {
    if (file->stored || gls_bound_holds(s->ctx, values * (int64_t)sizeof(int32_t))) return GLS_OK;
    return gls_token_text_move(s, file);
}

gls_status gls_token_labelled_source(gls_token_text *s, gls_token_labelled *l, const gls_token_columns *columns,
                                     const gls_tokenizer_frame *frame, int64_t length, const char *const *names,
                                     int64_t count, const gls_data_info *like, gls_token_file *file, gls_source **out) {
    gls_data_info info = {.examples = l->rows,
                          .length = length,
                          .target = columns->bare    ? GLS_TARGET_NONE
                                    : columns->spans ? GLS_TARGET_SPAN
                                                     : GLS_TARGET_CLASS,
                          .vocabulary = count,
                          .documents = GLS_DOCUMENTS_PADDED,
                          .separator = separator(frame)};
    int64_t extents[2] = {l->rows, length}, size;
    gls_owned_source *made = NULL;
    int32_t *label = NULL;
    GLS_TRY(gls_source_check_extents(s->ctx, s->what, 2, extents, 3 * sizeof *label, &size));
    gls_status status = read_labels(s, l, columns, frame, like, &info, &label);
    if (status == GLS_OK) status = make_room(s, 2 * l->rows * length, file);
    if (status == GLS_OK && file->stored)
        status = gls_token_labelled_own(s->ctx, &info, frame, columns->cut, l, &label, file, &made);
    else if (status == GLS_OK)
        status = hold_rows(s, l, columns, frame, &info, label, &made);
    if (status == GLS_OK && info.class_names) status = gls_owned_class_names(made, info.class_names, info.classes);
    if (status == GLS_OK) status = name_all(made, s, names, count);
    gls_free(s->ctx, label);
    gls_free(s->ctx, (void *)(uintptr_t)info.class_names);
    if (status == GLS_OK)
        *out = &made->source;
    else if (made)
        gls_source_destroy(&made->source);
    return status;
}
