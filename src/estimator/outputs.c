/* Outputs of a set, in order. Libraries round a matrix product by its shape and by a row's place in it, so every slice
 * holds the same number of rows and begins at a multiple of it, counted in slots: a stream around the caller's fills
 * the ends up with copies of their nearest row, whose outputs nobody reads. */
#include "base/arith.h"
#include "estimator/pass.h"

#include <string.h>

typedef struct filled_stream {
    gls_stream stream;
    gls_stream *inner;
    gls_context *ctx;
    int64_t lead;   /* rows before inner's first one */
    gls_rows *rows; /* the last piece that had to be filled up */
} filled_stream;

static gls_status make_room(filled_stream *f, const gls_batch *from, int64_t count) {
    if (f->rows && f->rows->capacity >= count) return GLS_OK;
    gls_rows_destroy(f->rows);
    gls_data_info info = {.features = from->features,
                          .sparse = from->row != NULL,
                          .length = from->length,
                          .vocabulary = from->token != NULL,
                          .documents = from->document ? GLS_DOCUMENTS_PADDED : GLS_DOCUMENTS_WHOLE};
    return gls_rows_create(f->ctx, &info, count, &f->rows);
}

static gls_status copy_sparse(gls_rows *to, int64_t j, const gls_batch *from, int64_t i) {
    int64_t begin = from->row[i], count = from->row[i + 1] - begin, at = j > 0 ? to->row[j] : 0;
    GLS_TRY(gls_rows_reserve(to, at + count));
    to->row[j] = at;
    to->row[j + 1] = at + count;
    if (count == 0) return GLS_OK;
    memcpy(to->column + at, from->column + begin, (size_t)count * sizeof *to->column);
    memcpy(to->value + at, from->value + begin, (size_t)count * sizeof *to->value);
    return GLS_OK;
}

/* Row j of the piece is row i of the batch. */
static gls_status copy_row(gls_rows *to, int64_t j, const gls_batch *from, int64_t i) {
    size_t features = (size_t)from->features, length = (size_t)from->length;
    if (from->x) memcpy(to->x + (size_t)j * features, from->x + (size_t)i * features, features * sizeof *to->x);
    if (from->token)
        memcpy(to->token + (size_t)j * length, from->token + (size_t)i * length, length * sizeof *to->token);
    if (from->document)
        memcpy(to->document + (size_t)j * length, from->document + (size_t)i * length, length * sizeof *to->document);
    to->index[j] = from->index ? from->index[i] : i;
    to->slot[j] = from->slot ? from->slot[i] : i;
    return from->row ? copy_sparse(to, j, from, i) : GLS_OK;
}

/* count rows, of which row j is row j + shift of the batch, or where there is none the nearest. */
static gls_status fill(filled_stream *f, const gls_batch *from, int64_t shift, int64_t count, gls_batch *out) {
    GLS_TRY(make_room(f, from, count));
    for (int64_t j = 0; j < count; j++) {
        int64_t i = j + shift < 0 ? 0 : j + shift < from->rows ? j + shift : from->rows - 1;
        GLS_TRY(copy_row(f->rows, j, from, i));
    }
    const gls_rows *rows = f->rows;
    *out = (gls_batch){.rows = count,
                       .features = from->features,
                       .x = from->x ? rows->x : NULL,
                       .row = from->row ? rows->row : NULL,
                       .column = from->row ? rows->column : NULL,
                       .value = from->row ? rows->value : NULL,
                       .token = from->token ? rows->token : NULL,
                       .length = from->length,
                       .document = from->document ? rows->document : NULL,
                       .index = rows->index,
                       .slot = rows->slot,
                       .draw = from->draw};
    return GLS_OK;
}

static gls_status get(gls_stream *stream, int64_t begin, int64_t count, gls_batch *out) {
    filled_stream *f = (filled_stream *)stream;
    int64_t at = begin - f->lead, end = at + count, low = at < 0 ? 0 : at;
    int64_t high = gls_least(end, f->inner->rows);
    gls_batch rows;
    GLS_TRY(f->inner->ops->get(f->inner, low, high - low, &rows));
    if (high - low < count) return fill(f, &rows, at - low, count, out);
    *out = rows;
    return GLS_OK;
}

static const gls_stream_ops filled_ops = {get};

static filled_stream filled(gls_context *ctx, gls_stream *inner, int64_t block) {
    int64_t first = inner->first / block * block, end = inner->first + inner->rows;
    filled_stream f = {.inner = inner, .ctx = ctx, .lead = inner->first - first};
    f.stream = (gls_stream){.ops = &filled_ops,
                            .first = first,
                            .rows = inner->rows > 0 ? gls_parts(end, block) * block - first : 0,
                            .global_rows = gls_parts(inner->global_rows, block) * block};
    return f;
}

typedef struct collection {
    const filled_stream *rows;
    int64_t outputs;
    gls_real *out; /* [rows of this rank, outputs] */
} collection;

/* A slice's outputs go to their place; what the ends were filled up with goes nowhere. */
static gls_status collect(void *user, gls_slice *slice) {
    const collection *c = user;
    int64_t k = c->outputs, at = slice->first - c->rows->lead, end = at + slice->rows->rows, low = at < 0 ? 0 : at;
    int64_t high = gls_least(end, c->rows->inner->rows);
    if (high - low == slice->rows->rows) return gls_ask_outputs(slice->evaluation, c->out + at * k);
    gls_real *all = gls_alloc(c->rows->ctx, slice->rows->rows, (size_t)k * sizeof *all);
    gls_status status = all ? gls_ask_outputs(slice->evaluation, all) : GLS_ERR_MEMORY;
    if (status == GLS_OK) memcpy(c->out + low * k, all + (low - at) * k, (size_t)((high - low) * k) * sizeof *all);
    gls_free(c->rows->ctx, all);
    return status;
}

/* The outputs of this rank's rows into their places. */
static gls_status own_outputs(gls_pass *pass, const gls_real *w, gls_stream *rows, gls_real *out) {
    int64_t k = pass->problem->outputs, block = gls_pass_output_rows(pass);
    filled_stream stream = filled(pass->ctx, rows, block);
    collection c = {&stream, k, out + rows->first * k};
    gls_pass_request request = {.w = w,
                                .rows = &stream.stream,
                                .want = GLS_WANT_OUTPUTS,
                                .mode = GLS_MODE_EVALUATE,
                                .slice = collect,
                                .user = &c,
                                .slice_rows = block,
                                .local = true};
    gls_pass_result result;
    gls_status status = gls_pass_run(pass, &request, &result);
    gls_rows_destroy(stream.rows);
    return status;
}

gls_status gls_pass_outputs(gls_pass *pass, const gls_real *w, gls_stream *rows, gls_real *out) {
    GLS_GIVEN(pass ? pass->ctx : NULL, pass, w, rows, out);
    gls_context *ctx = pass->ctx;
    GLS_TRY(gls_problem_has_outputs(pass->problem));
    int64_t values;
    if (__builtin_mul_overflow(rows->global_rows, pass->problem->outputs, &values))
        return gls_fail(ctx, GLS_ERR_MEMORY, "pass: %lld outputs of %lld rows do not fit",
                        (long long)pass->problem->outputs, (long long)rows->global_rows);
    if (gls_comm_size(gls_context_comm(ctx)) == 1) return own_outputs(pass, w, rows, out);
    /* Minus zero changes no bit of what it is added to, zero would make a minus zero plus. */
    for (int64_t i = 0; i < values; i++) out[i] = (gls_real)-0.0;
    return gls_comm_reduce_real(ctx, GLS_SUM, out, values, own_outputs(pass, w, rows, out));
}
