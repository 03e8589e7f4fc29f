/* Wolfe's method on a Gram matrix. The point is the nearest one of the affine hull of a few vectors, the corral; a
 * round adds the vector that shows it not to be nearest of all, and drops those whose weights would be negative. */
#include "measure/hull.h"

#include <float.h>
#include <math.h>

/* Of products: a gap below is none, which leaves |p| exact to about 1e-7 of the longest vector. */
enum { ROUNDING = 32 };

typedef struct hull {
    const double *gram;
    int64_t n, size;         /* vectors; those of the corral */
    int64_t *corral;         /* [n] */
    double *weight;          /* [n] 0 outside the corral */
    double *product;         /* [n] <v_i, p> */
    double *factor, *affine; /* [n, n], [n] scratch */
    double square, longest;  /* |p|^2; the longest vector's */
} hull;

static void update_products(hull *h) {
    h->square = 0;
    for (int64_t i = 0; i < h->n; i++) {
        double sum = 0;
        for (int64_t k = 0; k < h->size; k++) sum += h->gram[i * h->n + h->corral[k]] * h->weight[h->corral[k]];
        h->product[i] = sum;
        h->square += sum * h->weight[i];
    }
}

/* Weights of the nearest point of the corral's affine hull: (G + c 1 1^T) u = 1, u over its sum; by Cholesky. The
 * diagonal is raised by its rounding, so that vectors that depend on each other still give an answer. */
static void solve_affine(hull *h) {
    int64_t m = h->size;
    double *l = h->factor, *u = h->affine, sum = 0;
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double x = h->gram[h->corral[i] * h->n + h->corral[j]] + h->longest;
            if (i == j) x += DBL_EPSILON * h->longest;
            for (int64_t k = 0; k < j; k++) x -= l[i * m + k] * l[j * m + k];
            l[i * m + j] = i == j ? sqrt(fmax(x, DBL_EPSILON * h->longest)) : x / l[j * m + j];
        }
        double x = 1;
        for (int64_t k = 0; k < i; k++) x -= l[i * m + k] * u[k];
        u[i] = x / l[i * m + i];
    }
    for (int64_t i = m - 1; i >= 0; i--) {
        for (int64_t k = i + 1; k < m; k++) u[i] -= l[k * m + i] * u[k];
        u[i] /= l[i * m + i];
    }
    for (int64_t i = 0; i < m; i++) sum += u[i];
    for (int64_t i = 0; i < m; i++) u[i] /= sum;
}

/* As far towards the affine weights as the hull goes; false if it goes all the way. Vectors without weight leave. */
static bool step_inside(hull *h) {
    double step = 1;
    for (int64_t k = 0; k < h->size; k++) {
        double now = h->weight[h->corral[k]], wanted = h->affine[k];
        if (wanted < 0) step = fmin(step, now / (now - wanted));
    }
    int64_t kept = 0, all = h->size;
    for (int64_t k = 0; k < all; k++) {
        int64_t i = h->corral[k];
        bool leaves = h->affine[k] < 0 && h->weight[i] / (h->weight[i] - h->affine[k]) <= step;
        h->weight[i] = leaves ? 0 : (1 - step) * h->weight[i] + step * h->affine[k];
        if (!leaves) h->corral[kept++] = i;
    }
    h->size = kept;
    return kept < all;
}

static int64_t nearest_vertex(const hull *h) {
    int64_t nearest = 0;
    for (int64_t i = 1; i < h->n; i++)
        if (h->product[i] < h->product[nearest]) nearest = i;
    return nearest;
}

static void begin(hull *h) {
    int64_t shortest = 0;
    for (int64_t i = 0; i < h->n; i++) {
        double square = h->gram[i * h->n + i];
        h->weight[i] = 0;
        h->longest = fmax(h->longest, square);
        if (square < h->gram[shortest * h->n + shortest]) shortest = i;
    }
    h->weight[shortest] = 1;
    h->corral[0] = shortest;
    h->size = 1;
}

static void run(hull *h, double tolerance, int64_t rounds, gls_hull *out) {
    double gap, rounding;
    *out = (gls_hull){0};
    begin(h);
    rounding = ROUNDING * DBL_EPSILON * h->longest;
    for (;; out->rounds++) {
        update_products(h);
        int64_t vertex = nearest_vertex(h);
        gap = h->square - h->product[vertex];
        out->converged = gap <= tolerance * h->square || gap <= rounding;
        /* A vector of the corral itself is as near as rounding lets it be: no more can be gained. */
        if (out->converged || out->rounds == rounds || h->weight[vertex] > 0) break;
        h->corral[h->size++] = vertex;
        do solve_affine(h);
        while (step_inside(h));
    }
    out->norm = sqrt(fmax(0, h->square));
    out->least = out->norm > 0 ? fmax(0, out->norm - (fmax(0, gap) + rounding) / out->norm) : 0;
}

gls_status gls_hull_nearest(gls_context *ctx, const double *gram, int64_t n, double tolerance, int64_t rounds,
                            double *weight, gls_hull *out) {
    hull h = {.gram = gram, .n = n, .weight = weight};
    h.corral = gls_alloc(ctx, n, sizeof *h.corral);
    h.product = gls_alloc(ctx, 2 * n + n * n, sizeof *h.product);
    h.affine = h.product + n;
    h.factor = h.product + 2 * n;
    bool room = h.corral && h.product;
    if (room) run(&h, tolerance, rounds, out);
    gls_free(ctx, h.corral);
    gls_free(ctx, h.product);
    return room ? GLS_OK : GLS_ERR_MEMORY;
}
