/* Views resolved to addresses, runs of positions with an even stride, and wide copies of what is stored narrow. */
#include "model/use/reader.h"

#include "base/arith.h"
#include "model/kernels.h"
#include "model/storage.h"

static int64_t element(const gls_view_reader *r) {
    return r->storage == GLS_STORAGE_BF16 ? (int64_t)sizeof(uint16_t) : (int64_t)sizeof(gls_real);
}

/* A narrow buffer has no pointer between calls, so its place comes from the plan. */
gls_view_reader gls_view_reader_of(const gls_exec *x, const gls_view *v) {
    const gls_memory_plan *plan = x->plan;
    gls_view_reader r = {.positions = v->positions - v->lag,
                         .width = v->width,
                         .inner = v->inner,
                         .row_stride = v->row_stride,
                         .stride = v->stride};
    if (gls_memory_plan_narrow(plan, v)) {
        r.storage = plan->storage;
        r.first = x->memory + (v->source == GLS_VIEW_VALUE ? plan->value : plan->grad)[v->node];
    } else if (v->source == GLS_VIEW_VALUE) {
        r.first = (const char *)gls_exec_value(x, v->node);
    } else if (v->source == GLS_VIEW_GRAD) {
        r.first = (const char *)gls_exec_grad(x, v->node);
    } else {
        r.first = gls_exec_aux(x, v->node);
    }
    r.first += v->offset * element(&r);
    return r;
}

void gls_view_reader_skip(gls_view_reader *r, int64_t positions) {
    r->positions -= positions;
    r->first += positions * r->stride * element(r);
}

int64_t gls_view_reader_run(const gls_view_reader *r, int64_t t, int64_t most) {
    if (r->row_stride == r->positions * r->stride) return most;
    int64_t left = r->positions - t % r->positions;
    return gls_least(left, most);
}

static const char *place(const gls_view_reader *r, int64_t t) {
    return r->first + (t / r->positions * r->row_stride + t % r->positions * r->stride) * element(r);
}

static const gls_real *reals(const gls_view_reader *r, const char *from, int64_t n, gls_real *room) {
    if (r->storage == GLS_STORAGE_REAL) return (const gls_real *)from;
    gls_storage_widen(room, from, n);
    return room;
}

const gls_real *gls_view_reader_columns(const gls_view_reader *r, int64_t t, int64_t count, int64_t column,
                                        int64_t width, gls_real *room, int64_t *step) {
    const char *from = gls_view_reader_stored_at(r, t, column);
    if (r->storage == GLS_STORAGE_REAL) {
        *step = r->stride;
        return (const gls_real *)from;
    }
    for (int64_t i = 0; i < count; i++, from += r->stride * element(r))
        gls_storage_widen(room + i * width, from, width);
    *step = width;
    return room;
}

const gls_real *gls_view_reader_rows(const gls_view_reader *r, int64_t row, int64_t count, gls_real *room) {
    return reals(r, gls_view_reader_stored(r, row), count * r->row_stride, room);
}

const void *gls_view_reader_stored(const gls_view_reader *r, int64_t row) {
    return r->first + row * r->row_stride * element(r);
}

const void *gls_view_reader_stored_at(const gls_view_reader *r, int64_t t, int64_t column) {
    return place(r, t) + column * element(r);
}

void gls_view_reader_sums(const gls_view_reader *r, int64_t row, gls_real *room, double *out) {
    if (r->stride == r->inner) {
        int64_t block = r->positions * r->inner;
        const char *from = gls_view_reader_stored(r, row);
        /* A block of channels at a time, whose copy is read while it is in cache. */
        for (int64_t c = 0; c < r->width; c += r->inner, from += block * element(r))
            gls_channel_sums(reals(r, from, block, room), r->inner, r->positions, r->inner, out + c);
        return;
    }
    for (int64_t k = 0; k < r->width; k++) out[k] = 0;
    for (int64_t t = row * r->positions; t < (row + 1) * r->positions; t++) {
        const gls_real *from = gls_view_reader_position(r, t, room);
        for (int64_t k = 0; k < r->width; k++) out[k] += from[k];
    }
}
