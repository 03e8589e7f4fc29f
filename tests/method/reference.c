#include "reference.h"

#include <math.h>

static double norm(const double *x, int64_t from, int64_t to) {
    double s = 0;
    for (int64_t i = from; i < to; i++) s += x[i] * x[i];
    return sqrt(s);
}

#define EACH(i) for (int64_t i = 0; i < r->d; i++)

static void sgd(reference *r, const double *g) {
    EACH(i) r->w[i] -= r->lr[i] * g[i];
}

static void msgd(reference *r, const double *g) {
    EACH(i) {
        r->a[i] = 0.8 * r->a[i] + g[i];
        r->w[i] -= r->lr[i] * r->a[i];
    }
}

/* (2.4): y' = x - lr g, x' = (1 + beta) y' - beta y; y_0 = x_0. Held in b. */
static void nag(reference *r, const double *g) {
    EACH(i) {
        if (r->k == 1) r->b[i] = r->w[i];
        double y = r->w[i] - r->lr[i] * g[i];
        r->w[i] = (1 + 0.7) * y - 0.7 * r->b[i];
        r->b[i] = y;
    }
}

static void adagrad(reference *r, const double *g) {
    EACH(i) {
        r->a[i] += g[i] * g[i];
        r->w[i] -= r->lr[i] * g[i] / (sqrt(r->a[i]) + 1e-10);
    }
}

static void rmsprop(reference *r, const double *g) {
    EACH(i) {
        r->a[i] = 0.95 * r->a[i] + 0.05 * g[i] * g[i];
        r->w[i] -= r->lr[i] * g[i] / (sqrt(r->a[i]) + 1e-8);
    }
}

static double adam_ratio(reference *r, int64_t i, double g, double b1, double b2, double eps, int maximum) {
    r->a[i] = b1 * r->a[i] + (1 - b1) * g;
    r->b[i] = b2 * r->b[i] + (1 - b2) * g * g;
    double s = r->b[i];
    if (maximum) s = r->c[i] = fmax(r->c[i], s);
    return r->a[i] / (1 - pow(b1, (double)r->k)) / (sqrt(s / (1 - pow(b2, (double)r->k))) + eps);
}

static void adam(reference *r, const double *g) {
    EACH(i) r->w[i] -= r->lr[i] * adam_ratio(r, i, g[i], 0.9, 0.999, 1e-8, 0);
}

static void amsgrad(reference *r, const double *g) {
    EACH(i) r->w[i] -= r->lr[i] * adam_ratio(r, i, g[i], 0.9, 0.99, 1e-8, 1);
}

static void lars(reference *r, const double *g) {
    for (int b = 0; b < r->blocks; b++) {
        double gn = norm(g, r->start[b], r->start[b + 1]), wn = norm(r->w, r->start[b], r->start[b + 1]);
        for (int64_t i = r->start[b]; i < r->start[b + 1]; i++) {
            double trust = wn == 0 || (gn == 0 && r->decay[i] == 0) ? 1 : 0.02 * wn / (gn + r->decay[i] * wn);
            r->a[i] = 0.9 * r->a[i] + r->lr[i] * trust * (g[i] + r->decay[i] * r->w[i]);
            r->w[i] -= r->a[i];
        }
    }
}

static void lamb(reference *r, const double *g) {
    EACH(i) r->c[i] = adam_ratio(r, i, g[i], 0.9, 0.999, 1e-6, 0) + r->decay[i] * r->w[i];
    for (int b = 0; b < r->blocks; b++) {
        double rn = norm(r->c, r->start[b], r->start[b + 1]), wn = norm(r->w, r->start[b], r->start[b + 1]);
        double trust = rn == 0 || wn == 0 ? 1 : wn / rn;
        for (int64_t i = r->start[b]; i < r->start[b + 1]; i++) r->w[i] -= r->lr[i] * trust * r->c[i];
    }
}

static void sngd(reference *r, const double *g) {
    double n = norm(g, 0, r->d);
    EACH(i) r->w[i] -= n == 0 ? 0 : r->lr[i] * g[i] / n;
}

static void sngm(reference *r, const double *g) {
    double n = norm(g, 0, r->d);
    EACH(i) {
        r->a[i] = 0.9 * r->a[i] + (n == 0 ? 0 : g[i] / n);
        r->w[i] -= r->lr[i] * r->a[i];
    }
}

static void sngm_blocks(reference *r, const double *g) {
    for (int b = 0; b < r->blocks; b++) {
        double n = norm(g, r->start[b], r->start[b + 1]);
        for (int64_t i = r->start[b]; i < r->start[b + 1]; i++) {
            r->a[i] = 0.9 * r->a[i] + (n == 0 ? 0 : g[i] / n);
            r->w[i] -= r->lr[i] * r->a[i];
        }
    }
}

static void clip(reference *r, const double *g) {
    double n = norm(g, 0, r->d);
    EACH(i) r->w[i] -= (n == 0 ? r->lr[i] : fmin(r->lr[i], 1.5 * r->lr[i] / n)) * g[i];
}

static void clip_with_noise(reference *r, const double *g) {
    double n = norm(g, 0, r->d) + 0.7;
    EACH(i) r->w[i] -= fmin(r->lr[i], 1.5 * r->lr[i] / n) * g[i];
}

static void ngd(reference *r, const double *g) {
    double n = norm(g, 0, r->d);
    EACH(i) r->w[i] -= r->lr[i] / (n + 0.25) * g[i];
}

static void ngd_bare(reference *r, const double *g) {
    double n = norm(g, 0, r->d);
    EACH(i) r->w[i] -= n == 0 ? 0 : r->lr[i] / n * g[i];
}

static void gclip(reference *r, const double *g) {
    EACH(i) r->a[i] = 0.6 * r->a[i] + 0.4 * g[i];
    double n = norm(r->a, 0, r->d), tau = 2 * pow((double)r->k, 0.5);
    EACH(i) r->w[i] -= r->lr[i] * (n <= tau ? 1 : tau / n) * r->a[i];
}

static void cclip(reference *r, const double *g) {
    double tau = 0.3 * pow((double)r->k, 0.25);
    EACH(i) {
        r->a[i] = 0.6 * r->a[i] + 0.4 * g[i];
        double m = fabs(r->a[i]);
        r->w[i] -= r->lr[i] * (m <= tau ? 1 : tau / m) * r->a[i];
    }
}

static void acclip_with(reference *r, const double *g, double alpha, double tau0, int correct) {
    EACH(i) {
        if (r->k == 1) r->b[i] = pow(tau0, alpha);
        r->a[i] = 0.9 * r->a[i] + 0.1 * g[i];
        r->b[i] = 0.99 * r->b[i] + 0.01 * pow(fabs(g[i]), alpha);
        double t = correct ? r->b[i] / (1 - pow(0.99, (double)r->k)) : r->b[i];
        double tau = pow(t, 1 / alpha);
        r->w[i] -= r->lr[i] * fmin(tau / (fabs(r->a[i]) + 1e-5), 1) * r->a[i];
    }
}

static void acclip(reference *r, const double *g) {
    acclip_with(r, g, 1, 0, 0);
}
static void acclip_corrected(reference *r, const double *g) {
    acclip_with(r, g, 2, 0, 1);
}
static void acclip_started(reference *r, const double *g) {
    acclip_with(r, g, 1.5, 0.7, 0);
}

const reference_rule reference_rules[] = {
    {"sgd", "", sgd, 0, 0},
    {"msgd", "beta: 0.8", msgd, 0, 0},
    {"nag", "beta: 0.7", nag, 0, 1},
    {"adagrad", "", adagrad, 0, 0},
    {"rmsprop", "rho: 0.95", rmsprop, 0, 0},
    {"adam", "", adam, 0, 0},
    {"adamw", "", adam, 2, 1},
    {"amsgrad", "beta2: 0.99", amsgrad, 0, 0},
    {"lars", "kappa: 0.02", lars, 1, 1},
    {"lamb", "", lamb, 1, 1},
    {"sngd", "", sngd, 0, 0},
    {"sngm", "", sngm, 0, 0},
    {"sngm", "per_block: true", sngm_blocks, 0, 0},
    {"clip", "gamma: 1.5", clip, 0, 0},
    {"clip", "gamma: 1.5, tau: 0.7", clip_with_noise, 0, 0},
    {"ngd", "beta: 0.25", ngd, 0, 0},
    {"ngd", "beta: 0", ngd_bare, 0, 0},
    {"gclip", "beta1: 0.6, tau: 2, tau_exponent: 0.5", gclip, 0, 0},
    {"cclip", "beta1: 0.6, tau: 0.3, tau_exponent: 0.25", cclip, 0, 0},
    {"acclip", "", acclip, 0, 0},
    {"acclip", "alpha: 2, bias_correction: true", acclip_corrected, 0, 0},
    {"acclip", "alpha: 1.5, tau0: 0.7", acclip_started, 0, 0},
};
const int reference_rule_count = sizeof reference_rules / sizeof *reference_rules;
