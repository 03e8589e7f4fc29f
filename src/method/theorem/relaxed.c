/* Chapters 2 and 3 of [T]: Nesterov's method, and clipping and fixed steps under (L0, L1)-smoothness. */
#include "method/theorem/theorem.h"

static void nag(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double root = sqrt(in->L / in->mu);
    gls_record_set(out, "lr", 1 / in->L);
    gls_record_set(out, "beta", (root - 1) / (root + 1));
}

static double steps_of_clip(const gls_theory_in *in) {
    return 20 * in->L0 * in->gap / (in->eps * in->eps) + 20 * fmax(1, in->L1 * in->L1) * in->gap / in->L0;
}

static void clip(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double lr = 1 / (10 * in->L0);
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "gamma", fmin(1 / lr, 1 / (10 * in->L1 * lr)));
    gls_record_set(out, "steps", steps_of_clip(in));
}

/* By (3.6) a step is at least half of clip's, so the proof gives twice the number of steps. */
static void ngd(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    gls_record_set(out, "lr", fmin(1, 1 / (10 * in->L1)));
    gls_record_set(out, "beta", fmin(10 * in->L0, in->L0 / in->L1));
    gls_record_set(out, "steps", 2 * steps_of_clip(in));
}

/* (3.11) without the stray eta in h; the length is the theorem's complexity, at which eta is taken. */
static void clip_noise(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double L0 = in->L0, L1 = in->L1, tau = in->tau, eps = in->eps;
    double gap = in->gap + (5 * L0 + 2 * L1 * tau) * tau * tau + 9 * tau * L0 * L0 / L1;
    double steps = fmax(4 * gap / pow(eps, 4), fmax(128 * L1 / eps, (80 * L0 + 512 * L1 * tau) / (eps * eps))) * gap;
    double lr = fmin(1 / (20 * L0), fmin(1 / (128 * L1 * tau), 1 / sqrt(steps)));
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "gamma", 1 / (16 * L1 * lr));
    gls_record_set(out, "tau", tau);
    gls_record_set(out, "steps", steps);
}

static void fixed_step(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double curvature = in->M * in->L1 + in->L0;
    gls_record_set(out, "lr", 1 / (2 * curvature));
    gls_record_set(out, "steps", 4 * curvature * in->gap / (in->eps * in->eps));
}

static void fixed_step_noise(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    gls_record_set(out, "lr", fmin(1 / sqrt(in->T), 1 / (in->L1 * (in->M + in->tau))));
    gls_record_set(out, "steps", in->T);
}

SIDES(ordered, in->mu, in->L)
static const gls_theorem_condition at_nag[] = {{"mu <= L", ordered, false}, {0}};

#define RATE \
    { "lr", "rate", "learning rate [weight^2/loss]" }
#define STEPS \
    { "steps", "steps", "enough of them for |grad F| <= eps [1]" }
static const gls_theorem_output of_nag[] = {RATE, {"beta", "momentum", "momentum [1]"}, {0}};
static const gls_theorem_output of_clip[] = {
    RATE, {"gamma", "threshold", "clipping threshold [loss/weight]"}, STEPS, {0}};
static const gls_theorem_output of_clip_noise[] = {
    RATE,
    {"gamma", "threshold", "clipping threshold [loss/weight]"},
    {"tau", "threshold", "added to the gradient's norm, as given [loss/weight]"},
    {"steps", "steps", "enough of them for a mean of E|grad F| <= eps [1]"},
    {0}};
static const gls_theorem_output of_ngd[] = {{"lr", "rate", "learning rate, of normalised gradients [weight]"},
                                            {"beta", "threshold", "added to the gradient's norm [loss/weight]"},
                                            STEPS,
                                            {0}};
static const gls_theorem_output of_fixed[] = {RATE, STEPS, {0}};
static const gls_theorem_output of_fixed_noise[] = {RATE, {"steps", "steps", "steps, as given [1]"}, {0}};

#define IN_L1 IN(L1, "L1 of (L0, L1)-smoothness [1/weight]")
#define IN_RELAXED IN(L0, "L0 of (L0, L1)-smoothness [loss/weight^2]"), IN_L1
#define IN_EPS IN(eps, "accuracy asked for, of |grad F| [loss/weight]")
#define IN_M IN(M, "bound on the gradient norm on the way [loss/weight]")
static const gls_option in_nag[] = {IN_L, IN_MU, {0}};
static const gls_option in_clip[] = {IN_RELAXED, IN_GAP, IN_EPS, {0}};
#define IN_BOUNDED IN_OR(tau, "0", "bound on the noise of one gradient [loss/weight]")
static const gls_option in_clip_noise[] = {IN_RELAXED, IN_BOUNDED, IN_GAP, IN_EPS, {0}};
static const gls_option in_fixed[] = {IN_RELAXED, IN_M, IN_GAP, IN_EPS, {0}};
static const gls_option in_fixed_noise[] = {IN_L1, IN_M, IN_BOUNDED, IN_STEPS(T), {0}};

const gls_theorem gls_theorem_relaxed[] = {
    {THEOREM("nag", "Nesterov's rate and momentum", "[T] thm 2.1.3", in_nag), nag, of_nag, at_nag, NULL},
    {THEOREM("clip", "clipped gradient descent under (L0, L1)-smoothness", "[T] thm 3.4.1", in_clip), clip, of_clip,
     NULL, NULL},
    {THEOREM("clip_noise", "clipped sgd under (L0, L1)-smoothness with bounded noise", "[T] thm 3.4.4", in_clip_noise),
     clip_noise, of_clip_noise, NULL, NULL},
    {THEOREM("ngd", "normalised gradient descent under (L0, L1)-smoothness", "[T] thm 3.4.1 and (3.6)", in_clip), ngd,
     of_ngd, NULL, NULL},
    {THEOREM("fixed_step", "sgd under (L0, L1)-smoothness", "[T] thm 3.4.3", in_fixed), fixed_step, of_fixed, NULL,
     NULL},
    {THEOREM("fixed_step_noise", "sgd under (L0, L1)-smoothness with noise", "[T] thm 3.4.5", in_fixed_noise),
     fixed_step_noise, of_fixed_noise, NULL, NULL},
    {{0}}};
