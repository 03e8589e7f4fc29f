#include "model/use/factors.h"

#include <string.h>

#include "base/gemm.h"
#include "base/kernels.h"

enum { BLOCK = GLS_FACTORS_BLOCK };

gls_group_rows gls_group_rows_of(const gls_exec *x, const gls_partition *partition, int64_t group, int64_t *row) {
    gls_group_rows out = {0, row};
    for (int64_t r = 0; r < x->rows; r++)
        if (partition->group[r] == group) row[out.rows++] = r;
    return out;
}

/* Where position t of the group lies among all positions of the slice. */
static int64_t place(gls_group_rows group, int64_t positions, int64_t t) {
    return group.row[t / positions] * positions + t % positions;
}

const gls_real *gls_group_take(gls_group_rows group, int64_t positions, const gls_real *from, int64_t width,
                               int64_t begin, int64_t n, gls_real *to) {
    int64_t first = place(group, positions, begin);
    if (place(group, positions, begin + n - 1) == first + n - 1) return from + first * width;
    for (int64_t t = 0; t < n; t++)
        memcpy(to + t * width, from + place(group, positions, begin + t) * width, (size_t)width * sizeof *to);
    return to;
}

int64_t gls_factors_scratch(int64_t p, int64_t q) {
    return 2 * BLOCK * (p + q);
}

/* Two lookups: only positions with the same token meet. */
static double lookups_dot(const gls_factors *a, const gls_factors *b, gls_group_rows group) {
    double sum = 0;
    for (int64_t t = 0; t < group.rows * a->positions; t++) {
        int64_t at = place(group, a->positions, t);
        for (int64_t s = 0; s < group.rows * b->positions; s++) {
            int64_t other = place(group, b->positions, s);
            if (a->token[at] == b->token[other]) sum += gls_dot(a->right + at * a->q, b->right + other * b->q, a->q);
        }
    }
    return sum;
}

/* out [rows, columns]: l_t . l'_s of positions from t and s on. */
static void left_products(bool portable, const gls_factors *a, int64_t t, int64_t rows, const gls_factors *b, int64_t s,
                          int64_t columns, gls_group_rows group, gls_real *scratch, gls_real *out) {
    const gls_factors *dense = b->left ? b : a, *other = b->left ? a : b;
    int64_t from = b->left ? s : t, count = b->left ? columns : rows, begin = b->left ? t : s;
    const gls_real *l = gls_group_take(group, dense->positions, dense->left, dense->p, from, count, scratch);
    if (other->left) {
        const gls_real *m = gls_group_take(group, a->positions, a->left, a->p, t, rows, scratch + BLOCK * a->p);
        gls_gemm(portable, false, true, rows, columns, a->p, 1, m, a->p, l, b->p, 0, out, columns);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            int64_t looked = begin + (b->left ? i : j), at = b->left ? j : i;
            out[i * columns + j] = l[at * dense->p + other->token[place(group, other->positions, looked)]];
        }
}

double gls_factors_dot(bool portable, const gls_factors *a, const gls_factors *b, gls_group_rows group,
                       gls_real *scratch) {
    if (!a->left && !b->left) return lookups_dot(a, b, group);
    gls_real left[BLOCK * BLOCK], right[BLOCK * BLOCK], *room = scratch + 2 * BLOCK * a->p;
    int64_t n = group.rows * a->positions, m = group.rows * b->positions;
    double sum = 0;
    for (int64_t t = 0; t < n; t += BLOCK)
        for (int64_t s = 0; s < m; s += BLOCK) {
            int64_t rows = n - t < BLOCK ? n - t : BLOCK, columns = m - s < BLOCK ? m - s : BLOCK, q = a->q;
            left_products(portable, a, t, rows, b, s, columns, group, scratch, left);
            const gls_real *r = gls_group_take(group, a->positions, a->right, q, t, rows, room);
            const gls_real *o = gls_group_take(group, b->positions, b->right, q, s, columns, room + BLOCK * q);
            gls_gemm(portable, false, true, rows, columns, q, 1, r, q, o, q, 0, right, columns);
            sum += gls_dot(left, right, rows * columns);
        }
    return sum;
}

gls_status gls_factors_cross(gls_exec *x, const gls_use *a, const gls_use *b, const gls_partition *partition,
                             double *out) {
    if (!a->kind->factors || !b->kind->factors)
        return gls_fail(x->ctx, GLS_ERR_INTERNAL, "a block shared by a %s and a %s has no norms", a->kind->name,
                        b->kind->name);
    gls_factors fa = a->kind->factors(x, a), fb = b->kind->factors(x, b);
    int64_t *row = x->scratch;
    for (int64_t group = 0; group < partition->groups; group++) {
        gls_group_rows of = gls_group_rows_of(x, partition, group, row);
        if (of.rows > 0) out[group] += 2 * gls_factors_dot(x->graph->portable, &fa, &fb, of, gls_group_room(x));
    }
    return GLS_OK;
}
