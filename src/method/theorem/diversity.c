/* [D]: sgd with sums of gradients, a step of B examples, sampled with replacement. */
#include "method/theorem/theorem.h"

static void give(gls_record *out, const gls_theory_in *in, double lr, double gradients) {
    gls_record_set(out, "lr", lr / (1 + in->delta));
    gls_record_set(out, "gradients", gradients * (1 + in->delta));
    gls_record_set(out, "batch", in->B);
}

static void strongly_convex(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double lr = in->eps * in->lambda / in->M2;
    give(out, in, lr, in->M2 / (2 * in->lambda * in->lambda * in->eps) * log(2 * in->D0 / in->eps));
    gls_record_set(out, "batch_limit", 1 / (2 * in->lambda * lr));
}

static void convex(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    give(out, in, in->eps / in->M2, in->M2 * in->D0 / (in->eps * in->eps));
}

static void smooth(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    give(out, in, in->eps / (in->beta * in->M2), 2 * in->M2 * in->beta * in->gap / (in->eps * in->eps));
}

static void pl(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double lr = 2 * in->eps * in->mu / (in->M2 * in->beta);
    give(out, in, lr, in->M2 * in->beta / (4 * in->mu * in->mu * in->eps) * log(2 * in->gap / in->eps));
    gls_record_set(out, "batch_limit", 1 / (2 * lr * in->mu));
}

/* (9): the term 1/(n-1) belongs to mini-batches alone. */
static double stable_rate(const gls_theory_in *in, double curvature) {
    return 2 / (curvature * (1 + (in->B > 1 ? 1 / (in->n - 1) + (in->B - 1) / in->BS : 0)));
}

static void stability(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double lr = stable_rate(in, in->beta);
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "batch", in->B);
    gls_record_set(out, "gradients", in->T);
    gls_record_set(out, "bound", 2 * lr * in->L * in->L * in->T / in->n);
}

/* The rate also keeps the theorem's second condition, B <= 1/(2 lr lambda). The bound has n - 1 where the paper prints
 * n: docs/theory.md, "Slips". */
static void stability_strongly_convex(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    gls_record_set(out, "lr", fmin(stable_rate(in, in->beta + in->lambda), 1 / (2 * in->B * in->lambda)));
    gls_record_set(out, "batch", in->B);
    gls_record_set(out, "bound", 4 * in->L * in->L / (in->lambda * (in->n - 1)));
}

SIDES(batch, in->B, 1 + in->delta * in->BS)
SIDES(contraction, in->B, gls_record_get(values, "batch_limit"))
SIDES(distance, in->eps, 2 * in->D0)
SIDES(far, in->eps, 2 * in->gap)
SIDES(part, in->B, in->n)
SIDES(known, in->B > 1 ? 1 : 0, in->BS)

#define BATCH \
    { "B <= 1 + delta BS", batch, false }
static const gls_theorem_condition at_strongly_convex[] = {
    BATCH, {"B <= batch_limit", contraction, false}, {"eps < 2 D0", distance, true}, {0}};
static const gls_theorem_condition at_batch[] = {BATCH, {0}};
static const gls_theorem_condition at_pl[] = {
    BATCH, {"B <= batch_limit", contraction, false}, {"eps < 2 gap", far, true}, {0}};
static const gls_theorem_condition at_stability[] = {
    {"B <= n", part, false}, {"BS >= 1 where B > 1", known, false}, {0}};

#define RATE \
    { "lr", "rate", "learning rate, of a sum of gradients [weight^2/loss]" }
#define GRADIENTS \
    { "gradients", "length", "gradients in all, batch times steps [examples]" }
#define BATCH_GIVEN \
    { "batch", "batch", "batch size, as given [examples]" }
#define LIMIT \
    { "batch_limit", "batch", "greatest batch at which a step still contracts [examples]" }
#define STABLE \
    { "bound", "bound", "on eps_stab, the change of a loss with one example exchanged [loss]" }
static const gls_theorem_output of_plain[] = {RATE, GRADIENTS, BATCH_GIVEN, {0}};
static const gls_theorem_output of_limited[] = {RATE, GRADIENTS, BATCH_GIVEN, LIMIT, {0}};
static const gls_theorem_output of_stability[] = {
    RATE, BATCH_GIVEN, {"gradients", "length", "gradients in all, as given [examples]"}, STABLE, {0}};
static const gls_theorem_output of_stability_convex[] = {RATE, BATCH_GIVEN, STABLE, {0}};

#define IN_M2 IN(M2, "bound on the mean squared norm of an example's gradient [loss^2/weight^2]")
#define IN_BETA IN(beta, "smoothness of the objective [loss/weight^2]")
#define IN_LAMBDA IN(lambda, "strong convexity [loss/weight^2]")
#define IN_D0 IN(D0, "|w_0 - w*|^2 [weight^2]")
#define IN_BS IN_OR(BS, "0", "n times the least gradient diversity on the way; needed where B > 1 [examples]")
#define IN_B GLS_REAL("B", gls_theory_in, B, "1", 1, INFINITY, "batch size [examples]")
#define IN_SLACK \
    IN_OR(delta, "0", "slack: the step is divided by 1 + delta, the gradients multiplied by it [1]"), IN_B, IN_BS
static const gls_option in_strongly_convex[] = {
    IN_LAMBDA, IN_M2, IN_D0, IN(eps, "accuracy asked for, of |w - w*|^2 [weight^2]"), IN_SLACK, {0}};
static const gls_option in_convex[] = {IN_M2, IN_D0, IN(eps, "accuracy asked for [loss]"), IN_SLACK, {0}};
static const gls_option in_smooth[] = {
    IN_BETA, IN_M2, IN_GAP, IN(eps, "accuracy asked for, of |grad F|^2 [loss^2/weight^2]"), IN_SLACK, {0}};
static const gls_option in_pl[] = {IN(mu, "PL constant [loss/weight^2]"), IN_BETA,  IN_M2, IN_GAP,
                                   IN(eps, "accuracy asked for [loss]"),  IN_SLACK, {0}};
#define IN_STABLE                                                                                                     \
    IN_BETA, GLS_REAL("n", gls_theory_in, n, NULL, 2, INFINITY, "examples [examples]", .flags = GLS_OPTION_REQUIRED), \
        IN_COUNT(B, "batch size [examples]"),                                                                         \
        IN_OR(BS, "0", "n times the least differential gradient diversity; needed where B > 1 [examples]"),           \
        IN_LIPSCHITZ
static const gls_option in_stability[] = {
    IN_STABLE, IN_COUNT(T, "gradients in all, batch times steps [examples]"), {0}};
static const gls_option in_stability_convex[] = {IN_STABLE, IN_LAMBDA, {0}};

const gls_theorem gls_theorem_diversity[] = {
    {THEOREM("diversity_strongly_convex", "sgd with summed gradients", "[D] thm 4", in_strongly_convex),
     strongly_convex, of_limited, at_strongly_convex, NULL},
    {THEOREM("diversity_convex", "sgd with summed gradients, uniform average", "[D] thm 5", in_convex), convex,
     of_plain, at_batch, NULL},
    {THEOREM("diversity_smooth", "sgd with summed gradients, best iterate", "[D] thm 6", in_smooth), smooth, of_plain,
     at_batch, NULL},
    {THEOREM("diversity_pl", "sgd with summed gradients", "[D] thm 7", in_pl), pl, of_limited, at_pl, NULL},
    {THEOREM("diversity_stability", "greatest rate at which mini-batch sgd is stable", "[D] 5.1, thm 12", in_stability),
     stability, of_stability, at_stability, NULL},
    {THEOREM("diversity_stability_strongly_convex", "the same on strongly convex objectives, projected onto a ball",
             "[D] thm 13", in_stability_convex),
     stability_strongly_convex, of_stability_convex, at_stability, NULL},
    {{0}}};
