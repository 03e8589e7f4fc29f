/* What the theorems of all sources share: their inputs, rows of tables for them, common conditions. One file a source;
 * theory.c puts them side by side. */
#ifndef GLS_METHOD_THEOREM_H
#define GLS_METHOD_THEOREM_H

#include <glissade/method.h>

#include <math.h>

/* Everything a theorem may be given. gap is F(w_0) - F*, D0 is |w_0 - w*|^2, M2 bounds the mean squared gradient norm,
 * C counts gradients ([M]: bounds a dragger), B is a batch size. */
typedef struct gls_theory_in {
    double L, mu, L0, L1, M, M2, G, B_i, B_norm, d, D0, gap, eps, delta, sigma, alpha, beta, lambda, tau, K, T, C, B, b,
        n, BS, c, lr;
} gls_theory_in;

/* Tables of theorems; each ends with a name NULL. */
extern const gls_theorem gls_theorem_diversity[], gls_theorem_sngm[], gls_theorem_heavy[], gls_theorem_relaxed[],
    gls_theorem_nonsmooth[], gls_theorem_draggers[];

#define THEOREM(name_, help_, source_, in_) \
    { name_, help_, source_, in_, sizeof(gls_theory_in) }

/* ---- inputs; units in brackets, loss and weight being those of the problem ---- */

#define IN(field_, help_)                                              \
    GLS_REAL(#field_, gls_theory_in, field_, NULL, 0, INFINITY, help_, \
             .flags = GLS_OPTION_REQUIRED | GLS_OPTION_ABOVE_MIN)
#define IN_COUNT(field_, help_) \
    GLS_REAL(#field_, gls_theory_in, field_, NULL, 1, INFINITY, help_, .flags = GLS_OPTION_REQUIRED)
#define IN_OR(field_, initial_, help_) GLS_REAL(#field_, gls_theory_in, field_, initial_, 0, INFINITY, help_)
#define IN_SHARE(field_, help_) \
    GLS_REAL(#field_, gls_theory_in, field_, "0", 0, 1, help_, .flags = GLS_OPTION_BELOW_MAX)

#define IN_L IN(L, "smoothness of the objective [loss/weight^2]")
#define IN_LIPSCHITZ IN(L, "Lipschitz constant of the objective [loss/weight]")
#define IN_MU IN(mu, "strong convexity [loss/weight^2]")
#define IN_GAP IN(gap, "F(w_0) - F* [loss]")
#define IN_NOISE IN(sigma, "root of the mean squared noise of one gradient [loss/weight]")
#define IN_MOMENTUM IN_SHARE(beta, "momentum [1]")
#define IN_GRADIENTS IN_COUNT(C, "gradients in all, batch times steps [examples]")
#define IN_STEPS(field_) IN_COUNT(field_, "steps [1]")
#define IN_ALPHA                                                                              \
    GLS_REAL("alpha", gls_theory_in, alpha, NULL, 1, 2, "order of the moment, in (1, 2] [1]", \
             .flags = GLS_OPTION_REQUIRED | GLS_OPTION_ABOVE_MIN)

/* ---- conditions: side[0] <= side[1] (strict: <) ---- */

#define SIDES(name_, left_, right_)                                                  \
    static void name_(const void *given, const gls_record *values, double side[2]) { \
        const gls_theory_in *in = given;                                             \
        (void)in, (void)values;                                                      \
        side[0] = (left_);                                                           \
        side[1] = (right_);                                                          \
    }

#endif
