/* Rows of the normalisations: all their blocks of channels, as reals or as they are stored. */
#include <string.h>

#include "base/arith.h"
#include "base/kernels.h"
#include "model/kernels.h"
#include "model/norm.h"
#include "model/storage.h"

gls_norm_channels gls_norm_room(void *scratch, int64_t c) {
    gls_real *at = scratch;
    return (gls_norm_channels){at, at + c, at + 2 * c, at + 3 * c, at + 4 * c};
}

int64_t gls_norm_room_bytes(int64_t c) {
    return 5 * c * (int64_t)sizeof(gls_real);
}

void gls_norm_set(const gls_norm_channels *to, int64_t k, double mean, double rstd, const gls_real *scale,
                  const gls_real *shift) {
    to->mean[k] = (gls_real)mean;
    to->a[k] = (gls_real)(rstd * scale[k]);
    to->shift[k] = shift[k];
}

int64_t gls_norm_row_positions(const gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t positions = gls_extent_positions(node->out), count = 0;
    const int32_t *document = gls_exec_document(x, row);
    if (!node->op->coupling || !document || positions != x->graph->data->length) return positions;
    while (count < positions && document[count] >= 0) count++;
    return count;
}

/* ---- what is stored narrow, a piece at a time ---- */

/* Some positions of a block of channels, or some channels of one position: at most PIECE elements, so that their wide
 * copies stay in the first cache. Begins as zeros. */
enum { PIECE = 1024 };
typedef struct piece {
    int64_t position, positions, channel, channels;
} piece;

static bool next_piece(piece *p, int64_t positions, int64_t inner) {
    bool splits = inner > PIECE;
    if (splits && p->positions > 0 && p->channel + p->channels < inner)
        p->channel += p->channels;
    else
        *p = (piece){.position = p->position + p->positions};
    p->positions = splits ? 1 : gls_least(PIECE / inner, positions - p->position);
    p->channels = splits ? gls_least(PIECE, inner - p->channel) : inner;
    return p->position < positions;
}

static bool narrow(const gls_exec *x, int i) {
    return gls_node_takes(gls_exec_node(x, i), x->plan->storage);
}

/* Pieces come from memory, and go to where something else was before: what comes after the next one is asked for while
 * this one is worked on. */
static inline void ask_ahead(const uint16_t *from, int64_t n, const int writes) {
    enum { LINE = 64 / sizeof *from };
    for (int64_t k = 2 * n; k < 3 * n; k += LINE)
        if (writes)
            __builtin_prefetch(from + k, 1);
        else
            __builtin_prefetch(from + k);
}

static void widen(gls_real *to, const uint16_t *from, int64_t n) {
    ask_ahead(from, n, false);
    gls_storage_widen(to, from, n);
}

static void put(uint16_t *to, const gls_real *from, int64_t n) {
    ask_ahead(to, n, true);
    gls_storage_narrow(to, from, n);
}

/* Element `at` of what is stored of a value, or of a gradient. */
static uint16_t *value_at(const gls_exec *x, int node, int64_t at) {
    return (uint16_t *)gls_exec_stored(x, node) + at;
}
static uint16_t *grad_at(const gls_exec *x, int node, int64_t at) {
    return (uint16_t *)gls_exec_stored_grad(x, node) + at;
}

static void narrow_moments(const uint16_t *x, int64_t positions, int64_t inner, double *sum, double *square) {
    gls_real room[PIECE];
    for (piece p = {0}; next_piece(&p, positions, inner);) {
        widen(room, x + p.position * inner + p.channel, p.positions * p.channels);
        gls_norm_moments(room, p.positions, p.channels, sum + p.channel, square + p.channel);
    }
}

static void narrow_apply(const gls_exec *x, int i, int64_t first, int64_t positions, const gls_norm_channels *with) {
    const gls_node *node = gls_exec_node(x, i);
    gls_real in[PIECE], added[PIECE], out[PIECE];
    for (piece p = {0}; next_piece(&p, positions, node->inner);) {
        int64_t at = first + p.position * node->inner + p.channel, n = p.positions * p.channels, k = p.channel;
        widen(in, value_at(x, node->input[0], at), n);
        if (node->inputs > 1) widen(added, value_at(x, node->input[1], at), n);
        gls_norm_apply(out, in, node->inputs > 1 ? added : NULL, p.positions, p.channels, with->mean + k, with->a + k,
                       with->shift + k, node->activation, node->slope);
        put(value_at(x, i, at), out, n);
    }
}

/* What becomes of the output's gradient. Without a residual the activation's sign follows from the input; with one the
 * masked gradient is the residual's, where nothing else is added to that. Else, and where tangents will read it, the
 * output's gradient is taken through the activation in place. */
typedef struct way {
    bool residual, adds, sign, output, keeps;
} way;

static way way_of(const gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    way w = {.residual = node->inputs > 1 && gls_exec_wants(x, i, 1)};
    w.adds = w.residual && gls_exec_adds(x, i, 1);
    if (!node->activation) return w;
    w.sign = node->inputs < 2 && !x->plan->kept && node->slope >= 0;
    w.output = !w.sign;
    w.keeps = !w.sign && (!w.residual || w.adds || x->plan->kept);
    return w;
}

/* The gradient has wide copies, of which what may be written is put back. */
static void narrow_sums(const gls_exec *x, int i, int64_t first, int64_t positions, const gls_norm_channels *with,
                        double *moment, double *total) {
    const gls_node *node = gls_exec_node(x, i);
    gls_real e[PIECE], in[PIECE], y[PIECE], r[PIECE];
    way w = way_of(x, i);
    gls_norm_gradient g = {e, in, w.sign, w.output ? y : NULL, w.keeps, w.residual ? r : NULL, w.adds, node->slope};
    for (piece p = {0}; next_piece(&p, positions, node->inner);) {
        int64_t at = first + p.position * node->inner + p.channel, n = p.positions * p.channels;
        gls_norm_channels own = gls_norm_channels_from(with, p.channel);
        widen(e, grad_at(x, i, at), n);
        widen(in, value_at(x, node->input[0], at), n);
        if (w.output) widen(y, value_at(x, i, at), n);
        if (w.adds) widen(r, grad_at(x, node->input[1], at), n);
        gls_norm_sums(&g, p.positions, p.channels, &own, moment + p.channel, total + p.channel);
        if (w.keeps) put(grad_at(x, i, at), e, n);
        if (w.residual) put(grad_at(x, node->input[1], at), r, n);
    }
}

static void narrow_backward(const gls_exec *x, int i, int64_t first, int64_t positions, const gls_norm_channels *with) {
    const gls_node *node = gls_exec_node(x, i);
    gls_real e[PIECE], in[PIECE], dx[PIECE];
    way w = way_of(x, i);
    int from = w.output && !w.keeps ? node->input[1] : i; /* where the masked gradient is by now */
    bool adds = gls_exec_adds(x, i, 0);
    gls_norm_gradient g = {.e = e, .x = in, .sign = w.sign, .slope = node->slope};
    for (piece p = {0}; next_piece(&p, positions, node->inner);) {
        int64_t at = first + p.position * node->inner + p.channel, n = p.positions * p.channels;
        gls_norm_channels own = gls_norm_channels_from(with, p.channel);
        widen(e, grad_at(x, from, at), n);
        widen(in, value_at(x, node->input[0], at), n);
        if (adds) widen(dx, grad_at(x, node->input[0], at), n);
        gls_norm_backward(dx, &g, p.positions, p.channels, &own, adds);
        put(grad_at(x, node->input[0], at), dx, n);
    }
}

/* ---- all blocks of a row ---- */

void gls_norm_row_moments(const gls_exec *x, int i, int64_t row, double *sum, double *square) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, positions = gls_extent_positions(node->out), first = row * node->out.c * positions;
    int64_t counted = gls_norm_row_positions(x, i, row);
    for (int64_t c = 0; c < node->out.c; c += inner) {
        int64_t at = first + c * positions;
        if (narrow(x, i))
            narrow_moments(value_at(x, node->input[0], at), counted, inner, sum + c, square + c);
        else
            gls_norm_moments(gls_exec_in(x, i, 0) + at, counted, inner, sum + c, square + c);
    }
}

/* Zero bits are zeros in every storage. */
static void clear_padding(const gls_exec *x, int i, int64_t row, void *of, size_t element) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t counted = gls_norm_row_positions(x, i, row) * node->out.c, size = gls_extent_size(node->out);
    if (gls_norm_row_positions(x, i, row) < gls_extent_positions(node->out))
        memset((char *)of + (size_t)(row * size + counted) * element, 0, (size_t)(size - counted) * element);
}

void gls_norm_clear_padding(const gls_exec *x, int i, int64_t row, gls_real *of) {
    clear_padding(x, i, row, of, sizeof *of);
}

void gls_norm_row_forward(gls_exec *x, int i, int64_t row, const gls_norm_channels *with) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, positions = gls_extent_positions(node->out), first = row * node->out.c * positions;
    int64_t counted = gls_norm_row_positions(x, i, row);
    for (int64_t c = 0; c < node->out.c; c += inner) {
        int64_t at = first + c * positions;
        gls_norm_channels own = gls_norm_channels_from(with, c);
        if (narrow(x, i))
            narrow_apply(x, i, at, counted, &own);
        else
            gls_norm_apply(gls_exec_value(x, i) + at, gls_exec_in(x, i, 0) + at,
                           node->inputs > 1 ? gls_exec_in(x, i, 1) + at : NULL, counted, inner, own.mean, own.a,
                           own.shift, node->activation, node->slope);
    }
    if (narrow(x, i))
        clear_padding(x, i, row, gls_exec_stored(x, i), sizeof(uint16_t));
    else
        clear_padding(x, i, row, gls_exec_value(x, i), sizeof(gls_real));
}

void gls_norm_row_through(gls_exec *x, int i, int64_t row) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t size = gls_extent_size(node->out);
    gls_real *e = gls_exec_grad(x, i) + row * size;
    if (node->activation)
        gls_activation_grad(e, e, gls_exec_value(gls_exec_values(x), i) + row * size, size, node->slope, false);
    if (node->inputs < 2 || !gls_exec_wants(x, i, 1)) return;
    gls_real *to = gls_exec_in_grad(x, i, 1) + row * size;
    if (gls_exec_adds(x, i, 1))
        gls_add(to, e, size);
    else
        memcpy(to, e, (size_t)size * sizeof *to);
}

/* One block of channels of a row, `at` reals behind the first one. */
static gls_norm_gradient gradient_of(const gls_exec *x, int i, int64_t at) {
    way w = way_of(x, i);
    return (gls_norm_gradient){.e = gls_exec_grad(x, i) + at,
                               .x = gls_exec_in(x, i, 0) + at,
                               .sign = w.sign,
                               .y = w.output ? gls_exec_value(x, i) + at : NULL,
                               .keeps = w.keeps,
                               .r = w.residual ? gls_exec_in_grad(x, i, 1) + at : NULL,
                               .adds = w.adds,
                               .slope = gls_exec_node(x, i)->slope};
}

void gls_norm_row_sums(gls_exec *x, int i, int64_t row, const gls_norm_channels *with, double *moment, double *total) {
    const gls_node *node = gls_exec_node(x, i);
    int64_t inner = node->inner, positions = gls_extent_positions(node->out), first = row * node->out.c * positions;
    int64_t counted = gls_norm_row_positions(x, i, row);
    for (int64_t c = 0; c < node->out.c; c++) moment[c] = total[c] = 0;
    for (int64_t c = 0; c < node->out.c; c += inner) {
        gls_norm_channels own = gls_norm_channels_from(with, c);
        if (narrow(x, i)) {
            narrow_sums(x, i, first + c * positions, counted, &own, moment + c, total + c);
            continue;
        }
        gls_norm_gradient g = gradient_of(x, i, first + c * positions);
        gls_norm_sums(&g, counted, inner, &own, moment + c, total + c);
    }
}

void gls_norm_row_backward(gls_exec *x, int i, int64_t row, const gls_norm_channels *with) {
    const gls_node *node = gls_exec_node(x, i);
    if (!gls_exec_wants(x, i, 0)) return;
    int64_t inner = node->inner, positions = gls_extent_positions(node->out), first = row * node->out.c * positions;
    int64_t counted = gls_norm_row_positions(x, i, row);
    bool adds = gls_exec_adds(x, i, 0);
    for (int64_t c = 0; c < node->out.c; c += inner) {
        int64_t at = first + c * positions;
        gls_norm_channels own = gls_norm_channels_from(with, c);
        if (narrow(x, i)) {
            narrow_backward(x, i, at, counted, &own);
            continue;
        }
        gls_norm_gradient g = gradient_of(x, i, at);
        if (g.y && !g.keeps) g.e = g.r;
        gls_norm_backward(gls_exec_in_grad(x, i, 0) + at, &g, counted, inner, &own, adds);
    }
    if (adds) return;
    if (narrow(x, i))
        clear_padding(x, i, row, gls_exec_stored_grad(x, node->input[0]), sizeof(uint16_t));
    else
        clear_padding(x, i, row, gls_exec_in_grad(x, i, 0), sizeof(gls_real));
}
