/* Parts of a table that are read side by side: what a chunk's rows are by the columns as they are known. A chunk that
 * anything is unusual in is left to csv_read.c, which reads it again in order. */
#include "data/csv.h"
#include <math.h>
#include <string.h>

enum { CHUNK = 1 << 18 }; /* bytes of text: some milliseconds of work */

/* What a chunk adds to a column, and where its numbers go. */
typedef struct part_column {
    bool number; /* a feature that is one */
    int64_t place;
    gls_vocabulary *fresh; /* texts that the column does not have yet, numbered from those on that it has */
    int64_t missing, missing_line, values;
    double sum;
} part_column;

/* Its own cache lines: two threads count rows of neighbours. */
typedef struct part {
    _Alignas(64) const gls_csv_reading *r;
    gls_delimited_chunk chunk;
    part_column *column; /* [columns] */
    gls_real *cells;     /* [rows, cells] */
    gls_real *row;       /* of cells: the current one */
    double *side;        /* [rows, sides] */
    int64_t rows, room, lines;
    bool left; /* to be read in order */
} part;

/* ---- reading one ---- */

/* Nobody sees this status: the chunk is read again. */
static const gls_status unusual = GLS_ERR_INPUT;

/* Makes room for the row that follows. */
static gls_status begin_row(part *p) {
    const gls_csv_reading *r = p->r;
    if (p->rows < p->room) {
        p->row = p->cells + p->rows * r->source->cells;
        return GLS_OK;
    }
    int64_t room = p->room + p->room / 2 + 256;
    gls_real *cells = gls_resize(r->ctx, p->cells, room * r->source->cells, sizeof *cells);
    if (cells) p->cells = cells;
    double *side = gls_resize(r->ctx, p->side, room * r->sides, sizeof *side);
    if (side) p->side = side;
    if (!cells || !side) return GLS_ERR_MEMORY;
    p->room = room;
    p->row = p->cells + p->rows * r->source->cells;
    return GLS_OK;
}

static int64_t known_words(const gls_csv_column *c) {
    return c->words ? gls_vocabulary_size(c->words) : 0;
}

static gls_status number_of(part *p, int64_t j, const char *text, int64_t length, double *value) {
    const gls_csv_column *c = &p->r->column[j];
    int32_t number = c->words ? gls_vocabulary_find(c->words, text, length) : -1;
    *value = number;
    if (number >= 0) return GLS_OK;
    if (c->known || (c->role == GLS_CSV_TARGET && p->r->like)) return unusual;
    if (!p->column[j].fresh) GLS_TRY(gls_vocabulary_create(p->r->ctx, &p->column[j].fresh));
    GLS_TRY(gls_vocabulary_add(p->column[j].fresh, text, length, &number));
    *value = (double)(known_words(c) + number);
    return GLS_OK;
}

static gls_status take_missing(part *p, int64_t j, int64_t line) {
    const gls_csv_column *c = &p->r->column[j];
    if (c->role != GLS_CSV_FEATURE) return unusual;
    if (!p->column[j].missing++) p->column[j].missing_line = line;
    p->row[c->place] = NAN;
    return GLS_OK;
}

/* The commonest value by far. */
static const char *take_number(void *user, const char *text, int64_t j, const bool *ends) {
    part *p = user;
    if (j >= p->r->columns || !p->column[j].number) return NULL;
    part_column *c = &p->column[j];
    const char *rest = text;
    double value;
    if (!gls_scan_number(&rest, &value) || !ends[(unsigned char)*rest]) return NULL;
    gls_real cell = (gls_real)value;
    if (!isfinite(cell)) return NULL;
    p->row[c->place] = cell;
    c->sum += value;
    c->values++;
    return rest;
}

static gls_status take_field(void *user, const char *text, int64_t length, int64_t j, int64_t line) {
    part *p = user;
    const gls_csv_reading *r = p->r;
    if (j >= r->columns) return unusual;
    const gls_csv_column *c = &r->column[j];
    if (c->role == GLS_CSV_IGNORED) return GLS_OK;
    const char *rest = text;
    double value;
    bool number = !c->texts && gls_scan_number(&rest, &value) && rest == text + length;
    if (!number && gls_csv_is_missing(r, text, length)) return take_missing(p, j, line);
    if (!number && !c->texts) return unusual;
    if (c->texts) GLS_TRY(number_of(p, j, text, length, &value));
    if (c->role != GLS_CSV_FEATURE) {
        p->side[p->rows * r->sides + c->place] = value;
        return GLS_OK;
    }
    gls_real cell = (gls_real)value;
    p->row[c->place] = cell;
    p->column[j].sum += value;
    p->column[j].values++;
    return isfinite(cell) ? GLS_OK : unusual;
}

static gls_status take_record(void *user, int64_t fields, int64_t line) {
    part *p = user;
    p->rows++;
    return fields == p->r->columns ? begin_row(p) : unusual;
}

static void clear(part *p) {
    for (int64_t j = 0; p->column && j < p->r->columns; j++) {
        gls_vocabulary_destroy(p->column[j].fresh);
        p->column[j] = (part_column){0};
    }
    p->rows = 0;
}

static gls_status begin(part *p) {
    clear(p);
    for (int64_t j = 0; j < p->r->columns; j++) {
        const gls_csv_column *c = &p->r->column[j];
        p->column[j].number = c->role == GLS_CSV_FEATURE && !c->texts;
        p->column[j].place = c->place;
    }
    return begin_row(p);
}

static gls_status read_part(void *user, int64_t task, int worker) {
    part *p = (part *)user + task;
    gls_delimited_sink sink = {p, take_field, take_record, take_number};
    int64_t line = 1;
    p->left = begin(p) != GLS_OK || gls_delimited_parse(p->r->file, &p->chunk, &line, &sink) != GLS_OK;
    p->lines = line - 1;
    return GLS_OK;
}

/* ---- joining it to the rows before ---- */

/* Texts get the numbers that reading in order gives them. *to [fresh texts] is NULL where they have them already. */
static gls_status join_words(gls_csv_reading *r, gls_csv_column *c, gls_vocabulary *fresh, int32_t **to) {
    int64_t words = gls_vocabulary_size(fresh);
    *to = gls_alloc(r->ctx, words, sizeof **to);
    if (!*to) return GLS_ERR_MEMORY;
    if (!c->words) GLS_TRY(gls_vocabulary_create(r->ctx, &c->words));
    for (int64_t k = 0; k < words; k++) {
        const char *word = gls_vocabulary_word(fresh, k);
        GLS_TRY(gls_vocabulary_add(c->words, word, (int64_t)strlen(word), &(*to)[k]));
    }
    return GLS_OK;
}

static gls_status renumber(gls_csv_reading *r, part *p, int64_t j, int64_t base) {
    const gls_csv_column *c = &r->column[j];
    int32_t *to = NULL;
    gls_status status = join_words(r, &r->column[j], p->column[j].fresh, &to);
    for (int64_t i = 0; status == GLS_OK && i < p->rows; i++) {
        gls_real *cell = c->role == GLS_CSV_FEATURE ? &p->cells[i * r->source->cells + c->place] : NULL;
        double *side = cell ? NULL : &p->side[i * r->sides + c->place];
        double number = cell ? *cell : *side;
        if (!(number >= (double)base)) continue;
        number = to[(int64_t)number - base];
        if (cell)
            *cell = (gls_real)number;
        else
            *side = number;
    }
    gls_free(r->ctx, to);
    return status;
}

/* Whether a column may have so many texts more; what a limit forbids is said by who reads in order. */
static bool fits(const gls_csv_reading *r, const part *p) {
    for (int64_t j = 0; j < r->columns; j++) {
        const gls_csv_column *c = &r->column[j];
        int64_t most = r->options->most_categories < 1 << 24 ? r->options->most_categories : 1 << 24;
        int64_t fresh = p->column[j].fresh ? gls_vocabulary_size(p->column[j].fresh) : 0;
        if (fresh && c->role == GLS_CSV_FEATURE && known_words(c) + fresh > most) return false;
    }
    return true;
}

static gls_status join_rows(gls_csv_reading *r, const part *p) {
    int64_t cells = r->source->cells;
    for (int64_t i = 0; i < p->rows; i++) {
        gls_real *to;
        GLS_TRY(gls_csv_source_row(r->source, r->rows + i, &to));
        memcpy(to, p->cells + i * cells, (size_t)cells * sizeof *to);
    }
    GLS_TRY(gls_csv_side_room(r, p->rows));
    if (r->sides) memcpy(r->side + r->rows * r->sides, p->side, (size_t)(p->rows * r->sides) * sizeof *r->side);
    r->rows += p->rows;
    return GLS_OK;
}

/* base [columns]: how many texts each column had when the part was read. */
static gls_status join(gls_csv_reading *r, part *p, const int64_t *base) {
    for (int64_t j = 0; j < r->columns; j++) {
        gls_csv_column *c = &r->column[j];
        const part_column *add = &p->column[j];
        if (add->fresh) GLS_TRY(renumber(r, p, j, base[j]));
        if (add->missing && !c->missing) c->missing_line = r->line - 1 + add->missing_line;
        c->missing += add->missing;
        c->values += add->values;
        c->sum += add->sum;
    }
    r->line += p->lines;
    return join_rows(r, p);
}

/* ---- the whole file ---- */

/* Side by side only once every column is known to hold numbers or texts. */
static bool is_decided(const gls_csv_reading *r) {
    bool decided = r->column != NULL;
    for (int64_t j = 0; decided && j < r->columns; j++)
        decided = r->column[j].decided || r->column[j].role == GLS_CSV_IGNORED;
    return decided;
}

/* One turn: chunks that are read side by side, then joined in order. */
typedef struct turn {
    part *part;
    int64_t parts, count; /* those of this turn */
    int64_t wanted;       /* bytes of a chunk */
    int64_t *base;        /* [columns] */
} turn;

/* Chunks grow from a few records on, so that columns are known soon. */
static gls_status cut(gls_csv_reading *r, turn *x) {
    bool decided = is_decided(r);
    int64_t most = decided ? x->parts : 1;
    x->wanted = decided || 2 * x->wanted > CHUNK ? CHUNK : 2 * x->wanted;
    for (x->count = 0; x->count < most; x->count++) {
        part *p = &x->part[x->count];
        p->left = !decided;
        GLS_TRY(gls_delimited_cut(r->file, x->wanted, &p->chunk));
        if (!p->chunk.size) break;
        if (!p->column && r->column) p->column = gls_alloc(r->ctx, r->columns, sizeof *p->column);
        if (!p->column && r->column) return GLS_ERR_MEMORY;
    }
    return GLS_OK;
}

static gls_status read_turn(gls_csv_reading *r, turn *x) {
    bool decided = is_decided(r);
    if (!x->base && r->column) x->base = gls_alloc(r->ctx, r->columns, sizeof *x->base);
    if (!x->base && r->column) return GLS_ERR_MEMORY;
    for (int64_t j = 0; decided && j < r->columns; j++) x->base[j] = known_words(&r->column[j]);
    if (decided) GLS_TRY(gls_parallel(r->ctx, x->count, read_part, x->part));
    for (int64_t k = 0; k < x->count; k++) {
        part *p = &x->part[k];
        bool left = p->left || !fits(r, p);
        GLS_TRY(left ? gls_csv_read_in_order(r, &p->chunk) : join(r, p, x->base));
    }
    return GLS_OK;
}

gls_status gls_csv_read_parts(gls_csv_reading *r) {
    turn x = {.parts = 2 * gls_context_threads(r->ctx), .wanted = 128};
    x.part = gls_alloc(r->ctx, x.parts, sizeof *x.part);
    gls_status status = x.part ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t k = 0; k < x.parts && x.part; k++) x.part[k].r = r;
    for (bool more = true; more && status == GLS_OK;) {
        status = cut(r, &x);
        more = x.count > 0;
        if (status == GLS_OK && more) status = read_turn(r, &x);
    }
    for (int64_t k = 0; k < x.parts && x.part; k++) {
        clear(&x.part[k]);
        gls_free(r->ctx, x.part[k].column);
        gls_free(r->ctx, x.part[k].cells);
        gls_free(r->ctx, x.part[k].side);
        gls_delimited_chunk_free(r->file, &x.part[k].chunk);
    }
    gls_free(r->ctx, x.part);
    gls_free(r->ctx, x.base);
    return status;
}
