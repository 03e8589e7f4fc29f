#include "model/use/factors.h"

#include "base/gemm.h"
#include "base/kernels.h"

enum { BLOCK = 64 }; /* positions that are multiplied with each other at a time */

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

/* How many positions from t on lie one behind another, at most BLOCK. */
static int64_t run_from(gls_group_rows group, int64_t positions, int64_t t) {
    int64_t i = t / positions, run = positions - t % positions;
    for (; run < BLOCK && i + 1 < group.rows && group.row[i + 1] == group.row[i] + 1; i++) run += positions;
    return run < BLOCK ? run : BLOCK;
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

/* out [rows, columns]: l_t . l'_s of positions from t of one and from s of the other on. */
static void left_products(bool portable, const gls_factors *a, int64_t t, int64_t rows, const gls_factors *b, int64_t s,
                          int64_t columns, gls_real *out) {
    if (a->left && b->left) {
        gls_gemm(portable, false, true, rows, columns, a->p, 1, a->left + t * a->p, a->p, b->left + s * b->p, b->p, 0,
                 out, columns);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            out[i * columns + j] =
                a->left ? a->left[(t + i) * a->p + b->token[s + j]] : b->left[(s + j) * b->p + a->token[t + i]];
}

double gls_factors_dot(bool portable, const gls_factors *a, const gls_factors *b, gls_group_rows group) {
    if (!a->left && !b->left) return lookups_dot(a, b, group);
    gls_real left[BLOCK * BLOCK], right[BLOCK * BLOCK];
    double sum = 0;
    for (int64_t i = 0, rows; i < group.rows * a->positions; i += rows) {
        int64_t t = place(group, a->positions, i);
        rows = run_from(group, a->positions, i);
        for (int64_t j = 0, columns; j < group.rows * b->positions; j += columns) {
            int64_t s = place(group, b->positions, j);
            columns = run_from(group, b->positions, j);
            left_products(portable, a, t, rows, b, s, columns, left);
            gls_gemm(portable, false, true, rows, columns, a->q, 1, a->right + t * a->q, a->q, b->right + s * b->q,
                     b->q, 0, right, columns);
            sum += gls_dot(left, right, rows * columns);
        }
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
        if (of.rows > 0) out[group] += 2 * gls_factors_dot(x->graph->portable, &fa, &fb, of);
    }
    return GLS_OK;
}
