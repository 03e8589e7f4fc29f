/* A matrix of reals that grows by rows, which come whole or in blocks. */
#include <glissade/base.h>

#include <string.h>

struct gls_matrix {
    gls_context *ctx;
    int64_t columns, rows, room;
    gls_real *x; /* [room, columns] */
};

gls_status gls_matrix_create(gls_context *ctx, int64_t columns, gls_matrix **out) {
    GLS_GIVEN(ctx, ctx, out);
    *out = NULL;
    if (columns < 1)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "a matrix of %lld columns: expected at least 1", (long long)columns);
    gls_matrix *m = gls_alloc(ctx, 1, sizeof *m);
    if (!m) return GLS_ERR_MEMORY;
    m->ctx = ctx;
    m->columns = columns;
    *out = m;
    return GLS_OK;
}

void gls_matrix_destroy(gls_matrix *m) {
    if (!m) return;
    gls_free(m->ctx, m->x);
    gls_free(m->ctx, m);
}

static gls_status make_room(gls_matrix *m, int64_t rows) {
    enum { FIRST = 16 };
    if (rows < 0 || rows > INT64_MAX - m->rows)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "a matrix: %lld more rows: expected none or more", (long long)rows);
    int64_t needed = m->rows + rows, room = m->room > 0 ? m->room : FIRST;
    if (needed <= m->room) return GLS_OK;
    while (room < needed) room = room > INT64_MAX / 2 ? needed : 2 * room;
    if (room > INT64_MAX / m->columns)
        return gls_fail(m->ctx, GLS_ERR_MEMORY, "a matrix [%lld, %lld] is too large", (long long)needed,
                        (long long)m->columns);
    gls_real *grown = gls_resize(m->ctx, m->x, room * m->columns, sizeof *grown);
    if (!grown) return GLS_ERR_MEMORY;
    m->x = grown;
    m->room = room;
    return GLS_OK;
}

gls_status gls_matrix_add(gls_matrix *m, int64_t rows, const gls_real *x) {
    GLS_GIVEN(m ? m->ctx : NULL, m, x);
    GLS_TRY(make_room(m, rows));
    memcpy(m->x + m->rows * m->columns, x, (size_t)(rows * m->columns) * sizeof *x);
    m->rows += rows;
    return GLS_OK;
}

gls_status gls_matrix_add_blocks(gls_matrix *m, const gls_layout *layout, int64_t rows, const gls_real *const *x) {
    GLS_GIVEN(m ? m->ctx : NULL, m, layout, x);
    if (gls_layout_size(layout) != m->columns)
        return gls_fail(m->ctx, GLS_ERR_ARGUMENT, "a matrix of %lld columns: expected blocks of as many, found %lld",
                        (long long)m->columns, (long long)gls_layout_size(layout));
    GLS_TRY(make_room(m, rows));
    for (int64_t b = 0; b < gls_layout_count(layout); b++) {
        const gls_block *block = gls_layout_block(layout, b);
        for (int64_t i = 0; i < rows; i++)
            memcpy(m->x + (m->rows + i) * m->columns + block->offset, x[b] + i * block->size,
                   (size_t)block->size * sizeof *m->x);
    }
    m->rows += rows;
    return GLS_OK;
}

const gls_real *gls_matrix_data(const gls_matrix *m) {
    return m ? m->x : NULL;
}

int64_t gls_matrix_rows(const gls_matrix *m) {
    return m ? m->rows : 0;
}

void gls_matrix_clear(gls_matrix *m) {
    if (m) m->rows = 0;
}
