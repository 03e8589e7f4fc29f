/* The forward-backward recursions of CTC over states: blank, label, blank, label, ..., blank. */
#include "model/ctc.h"

#include <math.h>

#include "problem/sequence.h"

typedef gls_ctc_dual dual;

static const dual never = {-INFINITY, 0};

static dual plus(dual a, dual b) {
    return (dual){a.v + b.v, a.d + b.d};
}

/* log(e^a + e^b) */
static dual either(dual a, dual b) {
    if (a.v < b.v) return either(b, a);
    if (b.v == -INFINITY) return a;
    double rest = exp(b.v - a.v), share = 1 / (1 + rest);
    return (dual){a.v + log1p(rest), share * a.d + (1 - share) * b.d};
}

/* What a pass needs: log sum e^z of every frame, alpha [frames or 2, states], beta [2, states], and one frame's
 * occupancy [width]. */
typedef struct lattice {
    const gls_ctc_row *row;
    int64_t states;
    bool whole;
    dual *sums, *alpha, *beta, *occupied;
} lattice;

int64_t gls_ctc_bytes(int64_t frames, int64_t width, int64_t labels, bool whole) {
    int64_t states = 2 * labels + 1;
    return (frames + (whole ? frames : 2) * states + 2 * states + width) * (int64_t)sizeof(dual);
}

static int64_t symbol(const lattice *l, int64_t s) {
    return s % 2 ? gls_sequence_output(l->row->label[s / 2], l->row->blank) : l->row->blank;
}

static dual log_sum(const gls_ctc_row *row, int64_t t) {
    const gls_real *z = row->z + t * row->width, *z_dot = row->z_dot ? row->z_dot + t * row->width : NULL;
    double most = z[0], sum = 0, moved = 0;
    for (int64_t c = 1; c < row->width; c++) most = z[c] > most ? (double)z[c] : most;
    for (int64_t c = 0; c < row->width; c++) {
        double e = exp(z[c] - most);
        sum += e;
        if (z_dot) moved += e * z_dot[c];
    }
    return (dual){most + log(sum), moved / sum};
}

static lattice lattice_of(const gls_ctc_row *row, bool whole, void *room) {
    lattice l = {.row = row, .states = 2 * row->labels + 1, .whole = whole, .sums = room};
    l.alpha = l.sums + row->frames;
    l.beta = l.alpha + (whole ? row->frames : 2) * l.states;
    l.occupied = l.beta + 2 * l.states;
    for (int64_t t = 0; t < row->frames; t++) l.sums[t] = log_sum(row, t);
    return l;
}

/* log of the softmax's share of output c in frame t */
static dual share(const lattice *l, int64_t t, int64_t c) {
    int64_t at = t * l->row->width + c;
    return (dual){l->row->z[at] - l->sums[t].v, l->row->z_dot ? l->row->z_dot[at] - l->sums[t].d : 0};
}

/* Whether state s may follow s - 2: a label other than the one before. */
static bool skips(const lattice *l, int64_t s) {
    return s % 2 && s > 1 && l->row->label[s / 2] != l->row->label[s / 2 - 1];
}

static dual *alphas(const lattice *l, int64_t t) {
    return l->alpha + (l->whole ? t : t % 2) * l->states;
}

/* alpha_t(s): all ways to be in state s at frame t, that frame's share included. Returns log p. */
static dual forward(const lattice *l) {
    int64_t last = l->row->frames - 1;
    for (int64_t t = 0; t <= last; t++) {
        dual *to = alphas(l, t);
        const dual *from = t ? alphas(l, t - 1) : NULL;
        for (int64_t s = 0; s < l->states; s++) {
            dual in = from ? from[s] : s < 2 ? (dual){0, 0} : never;
            if (from && s > 0) in = either(in, from[s - 1]);
            if (from && skips(l, s)) in = either(in, from[s - 2]);
            to[s] = plus(in, share(l, t, symbol(l, s)));
        }
    }
    const dual *end = alphas(l, last) + l->states - 1;
    return l->states > 1 ? either(end[0], end[-1]) : end[0];
}

/* beta_t(s): all ways from state s at frame t to the end, that frame's share not included; from that of t + 1. */
static void back(const lattice *l, int64_t t) {
    dual *to = l->beta + t % 2 * l->states;
    const dual *from = l->beta + (t + 1) % 2 * l->states;
    for (int64_t s = 0; s < l->states; s++) {
        if (t == l->row->frames - 1) {
            to[s] = s >= l->states - 2 ? (dual){0, 0} : never;
            continue;
        }
        dual out = plus(from[s], share(l, t + 1, symbol(l, s)));
        for (int64_t next = s + 1; next <= s + 2 && next < l->states; next++)
            if (next == s + 1 || skips(l, next)) out = either(out, plus(from[next], share(l, t + 1, symbol(l, next))));
        to[s] = out;
    }
}

/* occupied[c]: the probability, given the labels, that frame t is output c. */
static void occupy(const lattice *l, int64_t t, dual total) {
    const dual *alpha = alphas(l, t), *beta = l->beta + t % 2 * l->states;
    for (int64_t c = 0; c < l->row->width; c++) l->occupied[c] = (dual){0, 0};
    for (int64_t s = 0; s < l->states; s++) {
        dual way = plus(alpha[s], beta[s]), *to = &l->occupied[symbol(l, s)];
        double p = exp(way.v - total.v);
        to->v += p;
        if (p > 0) to->d += p * (way.d - total.d);
    }
}

int64_t gls_ctc_frames(const gls_ctc_row *row) {
    int64_t frames = row->labels;
    for (int64_t k = 1; k < row->labels; k++) frames += row->label[k] == row->label[k - 1];
    return frames;
}

gls_ctc_dual gls_ctc_loss(const gls_ctc_row *row, void *room) {
    lattice l = lattice_of(row, false, room);
    dual total = forward(&l);
    return (dual){-total.v, -total.d};
}

void gls_ctc_gradient(const gls_ctc_row *row, double weight, void *room, gls_real *d) {
    lattice l = lattice_of(row, true, room);
    dual total = forward(&l);
    for (int64_t t = row->frames - 1; t >= 0; t--) {
        back(&l, t);
        occupy(&l, t, total);
        for (int64_t c = 0; c < row->width; c++) {
            dual own = share(&l, t, c);
            double p = exp(own.v), of = row->z_dot ? p * own.d - l.occupied[c].d : p - l.occupied[c].v;
            d[t * row->width + c] = (gls_real)(weight * of);
        }
    }
}
