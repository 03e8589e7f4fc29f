/* Inner products of sums of outer products, by blocks of positions, and the scratch for reading them. */
#include "model/use/factors.h"

#include "base/arith.h"
#include "base/gemm.h"
#include "base/kernels.h"

enum { BLOCK = GLS_FACTOR_PIECE };

/* ---- room ---- */

int64_t gls_room_bytes(int64_t count, size_t size) {
    return (count * (int64_t)size + 63) & ~(int64_t)63;
}

void *gls_room_take(gls_room *room, int64_t count, size_t size) {
    void *taken = room->next;
    room->next += gls_room_bytes(count, size);
    return taken;
}

gls_factors gls_factors_of(const gls_exec *x, const gls_use *use, gls_room *room) {
    gls_factors f = use->kind->factors(x, use);
    if (!f.token && f.left.storage != GLS_STORAGE_REAL)
        f.left_room = gls_room_take(room, BLOCK * f.p, sizeof *f.left_room);
    if (f.right.storage != GLS_STORAGE_REAL) f.right_room = gls_room_take(room, BLOCK * f.q, sizeof *f.right_room);
    return f;
}

int64_t gls_factors_bytes(const gls_memory_plan *plan, const gls_use *use) {
    int64_t bytes = 0;
    if (!(plan->want & (GLS_WANT_NORMS | GLS_WANT_INNER))) return 0; /* gradients are formed over tiles, on the stack */
    const gls_view *views[] = {&use->input, &use->grad};
    for (int k = 0; k < 2; k++)
        if (gls_memory_plan_narrow(plan, views[k])) bytes += gls_room_bytes(BLOCK * views[k]->width, sizeof(gls_real));
    return bytes;
}

/* ---- positions ---- */

int64_t gls_factors_run(const gls_factors *f, int64_t t, int64_t most) {
    if (!f->token) most = gls_view_reader_run(&f->left, t, most);
    return gls_view_reader_run(&f->right, t, most);
}

gls_factors_group gls_factors_group_of(const gls_exec *x, const gls_partition *partition, int64_t group, int64_t *row) {
    gls_factors_group out = {0, row};
    for (int64_t r = 0; r < x->rows; r++)
        if (partition->group[r] == group) row[out.rows++] = r;
    return out;
}

/* The number, among all positions of the slice, of the group's position t. */
static int64_t place(gls_factors_group group, int64_t positions, int64_t t) {
    return group.row[t / positions] * positions + t % positions;
}

/* How many positions from the group's t on are consecutive, at most BLOCK. */
static int64_t run_from(const gls_factors *f, gls_factors_group group, int64_t t) {
    int64_t positions = f->positions, i = t / positions, run = positions - t % positions;
    for (; run < BLOCK && i + 1 < group.rows && group.row[i + 1] == group.row[i] + 1; i++) run += positions;
    return gls_factors_run(f, place(group, positions, t), gls_least(run, BLOCK));
}

/* ---- products ---- */

/* Two lookups: only positions with the same token contribute. */
static double lookups_dot(const gls_factors *a, const gls_factors *b, gls_factors_group group) {
    double sum = 0;
    for (int64_t t = 0; t < group.rows * a->positions; t++) {
        int64_t at = place(group, a->positions, t), token = gls_factors_token(a, at);
        for (int64_t s = 0; s < group.rows * b->positions; s++) {
            int64_t other = place(group, b->positions, s);
            if (token == gls_factors_token(b, other))
                sum += gls_dot(gls_factors_right(a, at), gls_factors_right(b, other), a->q);
        }
    }
    return sum;
}

/* A run of positions of one side. */
typedef struct piece {
    int64_t count, step;
    const gls_real *real;
} piece;

static piece read_piece(const gls_view_reader *reader, int64_t at, int64_t count, gls_real *room) {
    piece p = {.count = count};
    p.real = gls_view_reader_columns(reader, at, count, 0, reader->width, room, &p.step);
    return p;
}

/* out [rows, columns]: the inner products of rows of a with rows of b. */
static void products(bool portable, piece a, piece b, int64_t width, gls_real *out) {
    gls_gemm(portable, false, true, a.count, b.count, width, 1, a.real, a.step, b.real, b.step, 0, out, b.count);
}

/* The same where one left side is unit vectors: element (i, j) goes to out[i down + j across]. */
static void picked(piece dense, const gls_factors *unit, int64_t s, int64_t count, gls_real *out, int64_t down,
                   int64_t across) {
    for (int64_t j = 0; j < count; j++) {
        int64_t token = gls_factors_token(unit, s + j);
        for (int64_t i = 0; i < dense.count; i++) out[i * down + j * across] = dense.real[i * dense.step + token];
    }
}

static void left_products(bool portable, const gls_factors *a, int64_t t, int64_t rows, const gls_factors *b, int64_t s,
                          int64_t columns, gls_real *out) {
    if (b->token)
        picked(read_piece(&a->left, t, rows, a->left_room), b, s, columns, out, columns, 1);
    else if (a->token)
        picked(read_piece(&b->left, s, columns, b->left_room), a, t, rows, out, 1, columns);
    else
        products(portable, read_piece(&a->left, t, rows, a->left_room), read_piece(&b->left, s, columns, b->left_room),
                 a->p, out);
}

/* same: both are one, so that blocks on one side of the diagonal count twice. */
static double dense_dot(bool portable, const gls_factors *a, const gls_factors *b, gls_factors_group group, bool same) {
    gls_real left[BLOCK * BLOCK], right[BLOCK * BLOCK];
    double sum = 0;
    for (int64_t i = 0, rows; i < group.rows * a->positions; i += rows) {
        int64_t t = place(group, a->positions, i);
        rows = run_from(a, group, i);
        for (int64_t j = same ? i : 0, columns; j < group.rows * b->positions; j += columns) {
            int64_t s = place(group, b->positions, j);
            columns = run_from(b, group, j);
            left_products(portable, a, t, rows, b, s, columns, left);
            piece r = read_piece(&a->right, t, rows, a->right_room);
            products(portable, r, read_piece(&b->right, s, columns, b->right_room), a->q, right);
            sum += (same && j > i ? 2 : 1) * gls_dot(left, right, rows * columns);
        }
    }
    return sum;
}

double gls_factors_dot(bool portable, const gls_factors *a, const gls_factors *b, gls_factors_group group) {
    if (a->token && b->token) return lookups_dot(a, b, group);
    return dense_dot(portable, a, b, group, false);
}

double gls_factors_square(bool portable, const gls_factors *a, const gls_factors *again, gls_factors_group group) {
    return dense_dot(portable, a, again, group, true);
}

gls_status gls_factors_cross(gls_exec *x, const gls_use *a, const gls_use *b, const gls_partition *partition,
                             double *out) {
    if (a->kind == b->kind && a->kind->cross) return a->kind->cross(x, a, b, partition, out);
    if (!a->kind->factors || !b->kind->factors)
        return gls_fail(x->ctx, GLS_ERR_INTERNAL, "a block shared by a %s and a %s has no norms", a->kind->name,
                        b->kind->name);
    gls_room room = gls_room_of(x);
    int64_t *row = gls_room_take(&room, x->rows, sizeof *row);
    gls_factors fa = gls_factors_of(x, a, &room), fb = gls_factors_of(x, b, &room);
    for (int64_t group = 0; group < partition->groups; group++) {
        gls_factors_group of = gls_factors_group_of(x, partition, group, row);
        if (of.rows > 0) out[group] += 2 * gls_factors_dot(x->graph->portable, &fa, &fb, of);
    }
    return GLS_OK;
}
