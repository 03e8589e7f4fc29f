/* Scale and shift: y_c = scale_c z_c + shift_c. A row's gradient is the sum over the positions of the view: of e for a
 * plain bias, or of one position of doubles where backward-data has formed the sum anyway and left it in the op's aux.
 */
#include "model/use/factors.h"

#include "base/kernels.h"

/* A row's sums, a total, and what reading a row takes. */
typedef struct sums_room {
    double *row, *total;
    gls_real *wide;
} sums_room;

static sums_room room_of(const gls_exec *x, const gls_use *use) {
    gls_room room = gls_room_of(x);
    sums_room to = {.row = gls_room_take(&room, 2 * use->grad.width, sizeof *to.row)};
    to.total = to.row + use->grad.width;
    to.wide = gls_memory_plan_narrow(x->plan, &use->grad) ? (gls_real *)room.next : NULL;
    return to;
}

static const double *row_sums(const gls_exec *x, const gls_use *use, int64_t row, const sums_room *room) {
    const gls_view *v = &use->grad;
    if (v->source == GLS_VIEW_AUX_DOUBLE)
        return (const double *)gls_exec_aux(gls_exec_grads(x), v->node) + v->offset + row * v->row_stride;
    gls_view_reader reader = gls_view_reader_of(gls_exec_grads(x), v);
    gls_view_reader_sums(&reader, row, room->wide, room->row);
    return room->row;
}

GLS_SIMD static void add(double *restrict to, const double *restrict from, int64_t n) {
    for (int64_t k = 0; k < n; k++) to[k] += from[k];
}

/* In eight sums, whatever the vectors of the processor. */
GLS_SIMD static double squares(const double *x, int64_t n) {
    double part[8] = {0}, sum = 0;
    int64_t k = 0;
    for (; k + 8 <= n; k += 8)
        for (int j = 0; j < 8; j++) part[j] += x[k + j] * x[k + j];
    for (int j = 0; k < n; j++, k++) part[j] += x[k] * x[k];
    for (int j = 0; j < 8; j++) sum += part[j];
    return sum;
}

static gls_status gradient(gls_exec *x, const gls_use *use, const double *weights, gls_real *g) {
    int64_t c = use->grad.width;
    sums_room room = room_of(x, use);
    double *total = room.total;
    for (int64_t k = 0; k < c; k++) total[k] = 0;
    for (int64_t r = 0; r < x->rows; r++) {
        const double *sums = row_sums(x, use, r, &room);
        double weight = weights ? weights[r] : 1;
        for (int64_t k = 0; k < c; k++) total[k] += weight * sums[k];
    }
    for (int64_t k = 0; k < c; k++) g[k] += (gls_real)total[k];
    return GLS_OK;
}

static gls_status norms(gls_exec *x, const gls_use *use, const gls_partition *partition, double *out) {
    int64_t c = use->grad.width;
    sums_room room = room_of(x, use);
    double *total = room.total;
    for (int64_t group = 0; group < partition->groups; group++) {
        for (int64_t k = 0; k < c; k++) total[k] = 0;
        for (int64_t r = 0; r < x->rows; r++) {
            if (partition->group[r] != group) continue;
            add(total, row_sums(x, use, r, &room), c);
        }
        out[group] += squares(total, c);
    }
    return GLS_OK;
}

static gls_status inner(gls_exec *x, const gls_use *use, const gls_partition *partition, const gls_point *point,
                        double *out) {
    const gls_real *v = gls_point_w(point) + gls_layout_block(x->graph->layout, use->block)->offset;
    sums_room room = room_of(x, use);
    for (int64_t r = 0; r < x->rows; r++) {
        if (partition->group[r] < 0) continue;
        const double *sums = row_sums(x, use, r, &room);
        double sum = 0;
        for (int64_t k = 0; k < use->grad.width; k++) sum += sums[k] * v[k];
        out[partition->group[r]] += sum;
    }
    return GLS_OK;
}

static int64_t scratch(const gls_graph *g, const gls_memory_plan *plan, const gls_use *use) {
    (void)g;
    const gls_view *v = &use->grad;
    int64_t wide = gls_memory_plan_narrow(plan, v) ? v->positions * v->width : 0;
    return gls_room_bytes(2 * v->width, sizeof(double)) + gls_room_bytes(wide, sizeof(gls_real));
}

const gls_use_kind gls_use_scale_shift = {
    .name = "scale and shift",
    .gradient = gradient,
    .norms = norms,
    .inner = inner,
    .scratch = scratch,
};
