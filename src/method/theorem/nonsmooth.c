/* Chapter 5 of [T]: interpolated normalised gradients on non-smooth functions. */
#include "method/theorem/theorem.h"

static void ingd(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double limit = 4 * in->gap / (in->delta * in->eps);
    gls_record_set(out, "delta", in->delta);
    gls_record_set(out, "eps", in->eps);
    gls_record_set(out, "L", in->L);
    gls_record_set(out, "gap", in->gap);
    gls_record_set(out, "K", ceil(48 * in->L * in->L / (in->eps * in->eps)));
    gls_record_set(out, "T", ceil(limit));
    if (in->c > 0)
        gls_record_set(out, "inner_steps",
                       192 * in->gap * in->L * in->L / (pow(in->eps, 3) * in->delta) * log(limit / in->c));
}

static void singd(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double G2 = in->L * in->L + in->sigma * in->sigma, G = sqrt(G2), e = in->eps, logarithm = log(16 * G / e);
    double p = 64 * G2 * logarithm / (in->delta * e * e);
    gls_record_set(out, "beta", 1 - e * e / (64 * G2));
    gls_record_set(out, "p", p);
    gls_record_set(out, "q", 4 * G * p);
    gls_record_set(out, "K", ceil(p * in->delta));
    gls_record_set(out, "T",
                   ceil(65536 * G2 * G * in->gap * logarithm / (e * e * e * e * in->delta) *
                        fmax(1, G * in->delta / (8 * in->gap))));
}

SIDES(momentum, in->eps, 8 * sqrt(in->L * in->L + in->sigma * in->sigma))
static const gls_theorem_condition at_singd[] = {{"eps < 8 sqrt(L^2 + sigma^2)", momentum, true}, {0}};

#define GIVEN(name_, help_) \
    { name_, "given", help_ }
static const gls_theorem_output of_ingd[] = {
    GIVEN("delta", "radius, as given [weight]"),
    GIVEN("eps", "accuracy, as given [loss/weight]"),
    GIVEN("L", "Lipschitz constant, as given [loss/weight]"),
    GIVEN("gap", "F(w_0) - F*, as given [loss]"),
    {"K", "steps", "greatest expected length of an inner loop [1]"},
    {"T", "steps", "greatest number of accepted steps [1]"},
    {"inner_steps", "steps", "inner steps in all, with probability 1 - c; only with c [1]"},
    {0}};
static const gls_theorem_output of_singd[] = {{"beta", "momentum", "momentum [1]"},
                                              {"p", "rate", "of the step 1/(p |m| + q) [1/weight]"},
                                              {"q", "rate", "of the step 1/(p |m| + q) [loss/weight^2]"},
                                              {"K", "steps", "lag of the output [1]"},
                                              {"T", "steps", "steps [1]"},
                                              {0}};

#define IN_NONSMOOTH IN_LIPSCHITZ, IN(delta, "radius [weight]"), IN(eps, "accuracy asked for [loss/weight]"), IN_GAP
static const gls_option in_ingd[] = {
    IN_NONSMOOTH, IN_SHARE(c, "probability of failure, for the number of inner steps; 0: not asked [1]"), {0}};
static const gls_option in_singd[] = {
    IN_NONSMOOTH, IN_OR(sigma, "0", "root of the mean squared noise of one gradient [loss/weight]"), {0}};

const gls_theorem gls_theorem_nonsmooth[] = {
    {THEOREM("ingd", "interpolated normalised gradient descent", "[T] thm 5.4.1", in_ingd), ingd, of_ingd, NULL, NULL},
    {THEOREM("singd", "stochastic interpolated normalised gradient descent", "[T] thm 5.5.1", in_singd), singd,
     of_singd, at_singd, NULL},
    {{0}}};
