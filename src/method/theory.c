/* Values that theorems give: docs/methods.md, "Values from theory". One function a theorem, with its conditions in the
 * options table; the section signs name the source. */
#include <glissade/method.h>
#include "base/table.h"

#include <math.h>
#include <string.h>

/* Everything a theorem may be given. gap is F(w_0) - F*, D0 is |w_0 - w*|^2, M2 bounds the mean squared gradient norm,
 * C counts gradients, B is a batch size. */
typedef struct inputs {
    double L, mu, L0, L1, M, M2, G, D0, gap, eps, delta, sigma, alpha, beta, lambda, tau, K, T, C, B, b, n, BS, c;
} inputs;

#define IN(field_, help_) \
    GLS_REAL(#field_, inputs, field_, NULL, 0, INFINITY, help_, .flags = GLS_OPTION_REQUIRED | GLS_OPTION_ABOVE_MIN)
#define IN_OR_ZERO(field_, help_) GLS_REAL(#field_, inputs, field_, "0", 0, INFINITY, help_)
#define IN_L IN(L, "smoothness of the objective")
#define IN_GAP IN(gap, "F(w_0) - F*")
#define IN_EPS IN(eps, "accuracy asked for")
#define IN_M2 IN(M2, "bound on the mean squared norm of an example's gradient")
#define IN_DELTA IN_OR_ZERO(delta, "slack: the step is divided by 1 + delta, the gradients multiplied by it")

/* ---- [D]: sums of gradients, a step of B examples ---- */

static void give_diversity(gls_record *out, const inputs *in, double lr, double gradients) {
    gls_record_set(out, "lr", lr / (1 + in->delta));
    gls_record_set(out, "gradients", gradients * (1 + in->delta));
}

static void diversity_strongly_convex(const void *given, gls_record *out) {
    const inputs *in = given;
    double lr = in->eps * in->lambda / in->M2;
    give_diversity(out, in, lr, in->M2 / (2 * in->lambda * in->lambda * in->eps) * log(2 * in->D0 / in->eps));
    gls_record_set(out, "batch_limit", 1 / (2 * in->lambda * lr));
}

static void diversity_convex(const void *given, gls_record *out) {
    const inputs *in = given;
    give_diversity(out, in, in->eps / in->M2, in->M2 * in->D0 / (in->eps * in->eps));
}

static void diversity_smooth(const void *given, gls_record *out) {
    const inputs *in = given;
    give_diversity(out, in, in->eps / (in->beta * in->M2), 2 * in->M2 * in->beta * in->gap / (in->eps * in->eps));
}

static void diversity_pl(const void *given, gls_record *out) {
    const inputs *in = given;
    double lr = 2 * in->eps * in->mu / (in->M2 * in->beta);
    give_diversity(out, in, lr, in->M2 * in->beta / (4 * in->mu * in->mu * in->eps) * log(2 * in->gap / in->eps));
    gls_record_set(out, "batch_limit", 1 / (2 * lr * in->mu));
}

static void diversity_stability(const void *given, gls_record *out) {
    const inputs *in = given;
    double lr = 2 / (in->beta * (1 + 1 / (in->n - 1) + (in->B - 1) / in->BS));
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "bound", 2 * lr * in->L * in->L * in->T / in->n);
}

/* ---- [N] ---- */

static double kappa(const inputs *in) {
    return (1 + in->beta) / ((1 - in->beta) * (1 - in->beta));
}

static void give_sngm(gls_record *out, const inputs *in, double batch, double lr) {
    gls_record_set(out, "beta", in->beta);
    gls_record_set(out, "batch", batch);
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "steps", in->C / batch);
}

/* Theorem 1: mean E|grad F| <= 2(1-beta) gap/(lr T) + L kappa lr + 2 sigma/sqrt(B). */
static double sngm_bound(const inputs *in, double batch, double lr) {
    return 2 * (1 - in->beta) * in->gap / (lr * in->C / batch) + in->L * kappa(in) * lr + 2 * in->sigma / sqrt(batch);
}

static void sngm_optimal(const void *given, gls_record *out) {
    const inputs *in = given;
    double batch = sqrt(in->C * (1 - in->beta) * in->sigma * in->sigma / (2 * in->L * (1 + in->beta) * in->gap));
    double lr = sqrt(2 * pow(1 - in->beta, 3) * in->gap * batch / ((1 + in->beta) * in->L * in->C));
    give_sngm(out, in, batch, lr);
    gls_record_set(out, "bound", sngm_bound(in, batch, lr));
}

static void sngm_simple(const void *given, gls_record *out) {
    const inputs *in = given;
    give_sngm(out, in, sqrt(in->C), sqrt(1 / sqrt(in->C)));
    gls_record_set(out, "bound", sngm_bound(in, sqrt(in->C), pow(in->C, -0.25)));
}

static void sngm_relaxed(const void *given, gls_record *out) {
    const inputs *in = given;
    double batch = sqrt(in->C), lr = pow(in->C, -0.25);
    give_sngm(out, in, batch, lr);
    gls_record_set(out, "lr_limit", 1 / (8 * kappa(in) * in->lambda));
    gls_record_set(out, "bound",
                   2 * (1 - in->beta) * in->gap / (lr * in->C / batch) + 8 * in->L * kappa(in) * lr +
                       4 * in->sigma / sqrt(batch));
}

static void msgd_limits(const void *given, gls_record *out) {
    const inputs *in = given;
    gls_record_set(out, "beta", in->beta);
    gls_record_set(out, "lr", (1 - in->beta) * (1 - in->beta) / ((1 + in->beta) * in->L));
    gls_record_set(out, "batch_limit", fmin(sqrt(in->C) / in->L, pow(in->C, 0.25)));
}

/* ---- [A] and chapter 4 of [T] ---- */

static void gclip_strongly_convex(const void *given, gls_record *out) {
    const inputs *in = given;
    gls_record_set(out, "beta1", 0);
    gls_record_set(out, "tau", in->G);
    gls_record_set(out, "tau_exponent", 1 / in->alpha);
    gls_record_set(out, "bound", 16 * in->G * in->G / (in->mu * pow(in->K + 1, 2 * (in->alpha - 1) / in->alpha)));
}

static void gclip_nonconvex(const void *given, gls_record *out) {
    const inputs *in = given;
    double a = in->alpha, e = 3 * a - 2;
    double lr = pow(in->gap / (in->G * in->G * in->K), a / e) / pow(in->L, (2 * a - 2) / e);
    gls_record_set(out, "beta1", 0);
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "tau", in->G * pow(lr * in->L, -1 / a));
    gls_record_set(out, "bound", 4 * pow(in->G, 2 * a / e) * pow(in->L * in->gap / in->K, (2 * a - 2) / e));
}

static void gclip_noise(const void *given, gls_record *out) {
    const inputs *in = given;
    double a = in->alpha, e = 3 * a - 2;
    double lr = pow(in->gap / (in->sigma * in->sigma * in->K), a / e) / pow(in->L, (2 * a - 2) / e);
    lr = fmin(lr, 1 / (4 * in->L));
    if (a > 1) lr = fmin(lr, 1 / (in->L * pow(12 * in->sigma, a / (a - 1))));
    gls_record_set(out, "beta1", 0);
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "tau", in->sigma * pow(lr * in->L, -1 / a));
}

/* ---- [T] chapters 2, 3, 5 ---- */

static void nag(const void *given, gls_record *out) {
    const inputs *in = given;
    double root = sqrt(in->L / in->mu);
    gls_record_set(out, "lr", 1 / in->L);
    gls_record_set(out, "beta", (root - 1) / (root + 1));
}

static double steps_of_clip(const inputs *in) {
    return 20 * in->L0 * in->gap / (in->eps * in->eps) + 20 * fmax(1, in->L1 * in->L1) * in->gap / in->L0;
}

static void clip(const void *given, gls_record *out) {
    const inputs *in = given;
    double lr = 1 / (10 * in->L0);
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "gamma", fmin(1 / lr, 1 / (10 * in->L1 * lr)));
    gls_record_set(out, "steps", steps_of_clip(in));
}

static void ngd(const void *given, gls_record *out) {
    const inputs *in = given;
    gls_record_set(out, "lr", fmin(1, 1 / (10 * in->L1)));
    gls_record_set(out, "beta", fmin(10 * in->L0, in->L0 / in->L1));
    gls_record_set(out, "steps", steps_of_clip(in));
}

static void fixed_step(const void *given, gls_record *out) {
    const inputs *in = given;
    double curvature = in->M * in->L1 + in->L0;
    gls_record_set(out, "lr", 1 / (2 * curvature));
    gls_record_set(out, "steps", 4 * curvature * in->gap / (in->eps * in->eps));
}

static void fixed_step_noise(const void *given, gls_record *out) {
    const inputs *in = given;
    gls_record_set(out, "lr", fmin(1 / sqrt(in->T), 1 / (in->L1 * (in->M + in->tau))));
}

static void ingd(const void *given, gls_record *out) {
    const inputs *in = given;
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
    const inputs *in = given;
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

/* ---- [M]: draggers with probability eps ---- */

static void microbatch_sgd(const void *given, gls_record *out) {
    const inputs *in = given;
    double benign = 1 - in->eps;
    gls_record_set(out, "lr", 1 / (in->L * sqrt(in->T)));
    gls_record_set(out, "bound",
                   pow(in->T, -0.25) *
                       sqrt(4 * in->L * in->gap / (benign * benign) + 2 * in->sigma * in->sigma / (benign * in->B)));
}

static void microbatch_clipped(const void *given, gls_record *out) {
    const inputs *in = given;
    double e = in->eps, root = sqrt(in->b * e);
    double level = in->sigma / ((sqrt(in->b) * e - sqrt(e * (1 - e))) * (1 + in->c));
    double rate = root / (root - sqrt(1 - e)) * 2 * in->L * (1 + 2 * e * in->C) / (1 - e) * (in->gap + 1 / (2 * in->L));
    gls_record_set(out, "lr", 1 / (in->L * sqrt(in->T)));
    gls_record_set(out, "bound", level + rate / sqrt(in->T));
}

/* ---- the table ---- */

static const gls_option in_strongly_convex[] = {
    IN(lambda, "strong convexity"), IN_M2, IN(D0, "|w_0 - w*|^2"), IN_EPS, IN_DELTA, {0}};
static const gls_option in_convex[] = {IN_M2, IN(D0, "|w_0 - w*|^2"), IN_EPS, IN_DELTA, {0}};
static const gls_option in_smooth[] = {IN(beta, "smoothness"), IN_M2, IN_GAP, IN_EPS, IN_DELTA, {0}};
static const gls_option in_pl[] = {IN(mu, "PL constant"), IN(beta, "smoothness"), IN_M2, IN_GAP, IN_EPS, IN_DELTA, {0}};
static const gls_option in_stability[] = {IN(beta, "smoothness"),
                                          IN(n, "examples"),
                                          IN(B, "batch size"),
                                          IN(BS, "n times the least gradient diversity"),
                                          IN(L, "Lipschitz constant"),
                                          IN(T, "steps"),
                                          {0}};
static const gls_option in_sngm[] = {
    IN_L, IN_GAP, IN(sigma, "noise of one gradient"), IN(C, "gradients in all"), IN_OR_ZERO(beta, "momentum"), {0}};
static const gls_option in_sngm_relaxed[] = {IN_L,
                                             IN(lambda, "second constant of (L, lambda)-smoothness"),
                                             IN_GAP,
                                             IN(sigma, "noise of one gradient"),
                                             IN(C, "gradients in all"),
                                             IN_OR_ZERO(beta, "momentum"),
                                             {0}};
static const gls_option in_msgd[] = {IN_L, IN(C, "gradients in all"), IN_OR_ZERO(beta, "momentum"), {0}};
static const gls_option in_gclip_convex[] = {IN(G, "alpha-moment of the gradients"),
                                             IN(alpha, "moment, in (1, 2]"),
                                             IN(mu, "strong convexity"),
                                             IN(K, "steps"),
                                             {0}};
static const gls_option in_gclip[] = {
    IN(G, "alpha-moment of the gradients"), IN(alpha, "moment, in (1, 2]"), IN_L, IN_GAP, IN(K, "steps"), {0}};
static const gls_option in_gclip_noise[] = {
    IN(sigma, "alpha-moment of the noise"), IN(alpha, "moment, in (1, 2]"), IN_L, IN_GAP, IN(K, "steps"), {0}};
static const gls_option in_nag[] = {IN_L, IN(mu, "strong convexity"), {0}};
static const gls_option in_clip[] = {
    IN(L0, "of (L0, L1)-smoothness"), IN(L1, "of (L0, L1)-smoothness"), IN_GAP, IN_EPS, {0}};
static const gls_option in_fixed[] = {IN(L0, "of (L0, L1)-smoothness"),
                                      IN(L1, "of (L0, L1)-smoothness"),
                                      IN(M, "bound on the gradient norm"),
                                      IN_GAP,
                                      IN_EPS,
                                      {0}};
static const gls_option in_fixed_noise[] = {IN(L1, "of (L0, L1)-smoothness"),
                                            IN(M, "bound on the gradient norm"),
                                            IN_OR_ZERO(tau, "bound on the noise"),
                                            IN(T, "steps"),
                                            {0}};
static const gls_option in_ingd[] = {IN(L, "Lipschitz constant"),
                                     IN(delta, "radius"),
                                     IN_EPS,
                                     IN_GAP,
                                     IN_OR_ZERO(c, "probability of failure, for the number of inner steps"),
                                     {0}};
static const gls_option in_singd[] = {
    IN(L, "Lipschitz constant"), IN_OR_ZERO(sigma, "noise of one gradient"), IN(delta, "radius"), IN_EPS, IN_GAP, {0}};
static const gls_option in_microbatch[] = {IN_L,
                                           IN_GAP,
                                           IN(T, "steps"),
                                           IN(B, "batch size"),
                                           IN_OR_ZERO(sigma, "noise of one benign gradient"),
                                           IN_OR_ZERO(eps, "probability of a dragger"),
                                           {0}};
static const gls_option in_microbatch_clipped[] = {IN_L,
                                                   IN_GAP,
                                                   IN(T, "steps"),
                                                   IN(b, "micro-batch size"),
                                                   IN_OR_ZERO(sigma, "noise of one benign gradient"),
                                                   IN(eps, "probability of a dragger, above 1/(b + 1)"),
                                                   IN_OR_ZERO(c, "least dragger norm over the gradient's"),
                                                   IN_OR_ZERO(C, "greatest dragger norm over the gradient's"),
                                                   {0}};

static const gls_theorem theorems[] = {
    {{"diversity_strongly_convex", "sgd with summed gradients", "[D] thm 4", in_strongly_convex, sizeof(inputs)},
     diversity_strongly_convex},
    {{"diversity_convex", "sgd with summed gradients, uniform average", "[D] thm 5", in_convex, sizeof(inputs)},
     diversity_convex},
    {{"diversity_smooth", "sgd with summed gradients, best iterate", "[D] thm 6", in_smooth, sizeof(inputs)},
     diversity_smooth},
    {{"diversity_pl", "sgd with summed gradients", "[D] thm 7", in_pl, sizeof(inputs)}, diversity_pl},
    {{"diversity_stability", "greatest rate at which mini-batch sgd is stable", "[D] 5.1", in_stability,
      sizeof(inputs)},
     diversity_stability},
    {{"sngm_optimal", "sngm: rate and batch that make theorem 1's bound least", "[N] cor. 1", in_sngm, sizeof(inputs)},
     sngm_optimal},
    {{"sngm_simple", "sngm: batch sqrt(C)", "[N] cor. 2", in_sngm, sizeof(inputs)}, sngm_simple},
    {{"sngm_relaxed", "sngm under (L, lambda)-smoothness", "[N] thm 2, cor. 3", in_sngm_relaxed, sizeof(inputs)},
     sngm_relaxed},
    {{"msgd_limits", "greatest rate and batch of momentum SGD", "[N] 3", in_msgd, sizeof(inputs)}, msgd_limits},
    {{"gclip_strongly_convex",
      "gclip, cclip under heavy tails; with lr: {name: inverse, mu: mu} and a k-weighted average", "[A] thm 1",
      in_gclip_convex, sizeof(inputs)},
     gclip_strongly_convex},
    {{"gclip_nonconvex", "gclip, cclip under heavy-tailed gradients", "[A] thm 2", in_gclip, sizeof(inputs)},
     gclip_nonconvex},
    {{"gclip_noise", "gclip, cclip under heavy-tailed noise", "[T] thm 4.4.1", in_gclip_noise, sizeof(inputs)},
     gclip_noise},
    {{"nag", "Nesterov's rate and momentum", "[T] thm 2.1.3", in_nag, sizeof(inputs)}, nag},
    {{"clip", "clipped gradient descent under (L0, L1)-smoothness", "[T] thm 3.4.1", in_clip, sizeof(inputs)}, clip},
    {{"ngd", "normalised gradient descent under (L0, L1)-smoothness", "[T] thm 3.4.1 and (3.6)", in_clip,
      sizeof(inputs)},
     ngd},
    {{"fixed_step", "sgd under (L0, L1)-smoothness", "[T] thm 3.4.3", in_fixed, sizeof(inputs)}, fixed_step},
    {{"fixed_step_noise", "sgd under (L0, L1)-smoothness with noise", "[T] thm 3.4.5", in_fixed_noise, sizeof(inputs)},
     fixed_step_noise},
    {{"ingd", "interpolated normalised gradient descent", "[T] thm 5.4.1", in_ingd, sizeof(inputs)}, ingd},
    {{"singd", "stochastic interpolated normalised gradient descent", "[T] thm 5.5.1", in_singd, sizeof(inputs)},
     singd},
    {{"microbatch_sgd", "sgd with draggers", "[M] thm 4.1", in_microbatch, sizeof(inputs)}, microbatch_sgd},
    {{"microbatch_clipped", "mean of unit micro-gradients with draggers", "[M] thm 4.2", in_microbatch_clipped,
      sizeof(inputs)},
     microbatch_clipped}};

const gls_theorem *gls_theorem_at(int64_t i) {
    return i >= 0 && i < (int64_t)(sizeof theorems / sizeof *theorems) ? &theorems[i] : NULL;
}

static const char *name_at(const void *user, int64_t i) {
    const gls_theorem *theorem = gls_theorem_at(i);
    return theorem ? theorem->member.name : NULL;
}

static const gls_theorem *find(const char *name) {
    for (int64_t i = 0; gls_theorem_at(i); i++)
        if (strcmp(gls_theorem_at(i)->member.name, name) == 0) return gls_theorem_at(i);
    return NULL;
}

gls_status gls_theory_values(gls_context *ctx, const gls_value *given, gls_record *out) {
    const gls_value *name = gls_value_get(given, "theorem");
    if (!name || !name->text)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "from_theory: expected {theorem: name, ...} with the theorem's inputs");
    const gls_theorem *theorem = find(name->text);
    if (!theorem) {
        const char *nearest = gls_nearest(name->text, name_at, NULL);
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "from_theory: unknown theorem '%s'%s%s%s", name->text,
                        nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    }
    gls_options *options;
    const gls_member *member = &theorem->member;
    gls_status status =
        gls_member_options(ctx, member, member->name, given, (const char *const[]){"theorem", NULL}, &options);
    gls_record_clear(out);
    if (status == GLS_OK) theorem->compute(gls_options_struct(options), out);
    gls_options_destroy(options);
    return status;
}
