/* [N]: normalised gradients with momentum, and the limits of momentum SGD beside them. */
#include "method/theorem/theorem.h"

static double kappa(const gls_theory_in *in) {
    return (1 + in->beta) / ((1 - in->beta) * (1 - in->beta));
}

static void give(gls_record *out, const gls_theory_in *in, double batch, double lr) {
    gls_record_set(out, "beta", in->beta);
    gls_record_set(out, "batch", batch);
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "steps", in->C / batch);
}

/* Theorem 1: mean E|grad F| <= 2(1-beta) gap/(lr T) + L kappa lr + 2 sigma/sqrt(B). */
static void give_bound(gls_record *out, const gls_theory_in *in, double batch, double lr) {
    give(out, in, batch, lr);
    gls_record_set(out, "bound",
                   2 * (1 - in->beta) * in->gap / (lr * in->C / batch) + in->L * kappa(in) * lr +
                       2 * in->sigma / sqrt(batch));
}

/* The rate that makes theorem 1's bound least at a given batch. */
static double best_rate(const gls_theory_in *in, double batch) {
    return sqrt(2 * (1 - in->beta) * in->gap * batch / (kappa(in) * in->L * in->C));
}

static void optimal(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double batch = sqrt(in->C * (1 - in->beta) * in->sigma * in->sigma / (2 * in->L * (1 + in->beta) * in->gap));
    give_bound(out, in, batch, best_rate(in, batch));
}

static void given_batch(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    give_bound(out, in, in->B, in->lr > 0 ? in->lr : best_rate(in, in->B));
}

static void simple(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    give_bound(out, in, sqrt(in->C), pow(in->C, -0.25));
}

static void relaxed(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double batch = sqrt(in->C), lr = pow(in->C, -0.25);
    give(out, in, batch, lr);
    gls_record_set(out, "lr_limit", 1 / (8 * kappa(in) * in->lambda));
    gls_record_set(out, "bound",
                   2 * (1 - in->beta) * in->gap / (lr * in->C / batch) + 8 * in->L * kappa(in) * lr +
                       4 * in->sigma / sqrt(batch));
}

/* (6), with the constant (1-beta)^2/(1+beta) that its O() hides: without it the batch contradicts the rate B/sqrt C. */
static void msgd(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double lr = 1 / (kappa(in) * in->L);
    gls_record_set(out, "beta", in->beta);
    gls_record_set(out, "lr", lr);
    gls_record_set(out, "batch_limit", fmin(lr * sqrt(in->C), pow(in->C, 0.25)));
}

SIDES(one, 1, gls_record_get(values, "batch"))
SIDES(all, gls_record_get(values, "batch"), in->C)
SIDES(rate, gls_record_get(values, "lr"), gls_record_get(values, "lr_limit"))
SIDES(room, 1, gls_record_get(values, "batch_limit"))

#define WITHIN                    \
    {"batch >= 1", one, false}, { \
        "batch <= C", all, false  \
    }
static const gls_theorem_condition at_batch[] = {WITHIN, {0}};
static const gls_theorem_condition at_relaxed[] = {WITHIN, {"lr <= lr_limit = 1/(8 kappa lambda)", rate, false}, {0}};
static const gls_theorem_condition at_msgd[] = {{"batch_limit >= 1", room, false}, {0}};

#define MOMENTUM \
    { "beta", "momentum", "momentum, as given [1]" }
#define RATE \
    { "lr", "rate", "learning rate, of normalised gradients [weight]" }
#define COMMON                                                     \
    MOMENTUM, {"batch", "batch", "batch size [examples]"}, RATE, { \
        "steps", "steps", "steps, C over the batch [1]"            \
    }
#define BOUND \
    { "bound", "bound", "on the mean over steps of E|grad F| [loss/weight]" }
static const gls_theorem_output of_sngm[] = {COMMON, BOUND, {0}};
static const gls_theorem_output of_relaxed[] = {
    COMMON, {"lr_limit", "rate", "greatest rate that the theorem allows [weight]"}, BOUND, {0}};
static const gls_theorem_output of_msgd[] = {MOMENTUM,
                                             {"lr", "rate", "greatest learning rate [weight^2/loss]"},
                                             {"batch_limit", "batch", "greatest batch size [examples]"},
                                             {0}};

static const gls_option in_sngm[] = {IN_L, IN_GAP, IN_NOISE, IN_GRADIENTS, IN_MOMENTUM, {0}};
static const gls_option in_batch[] = {IN_L,
                                      IN_GAP,
                                      IN_NOISE,
                                      IN_GRADIENTS,
                                      IN_MOMENTUM,
                                      IN_COUNT(B, "batch size [examples]"),
                                      IN_OR(lr, "0", "learning rate; 0: the one with the least bound [weight]"),
                                      {0}};
static const gls_option in_relaxed[] = {
    IN_L,         IN(lambda, "second constant of (L, lambda)-smoothness [1/weight]"),
    IN_GAP,       IN_NOISE,
    IN_GRADIENTS, IN_MOMENTUM,
    {0}};
static const gls_option in_msgd[] = {IN_L, IN_GRADIENTS, IN_MOMENTUM, {0}};

const gls_theorem gls_theorem_sngm[] = {
    {THEOREM("sngm_optimal", "sngm: rate and batch that make theorem 1's bound least", "[N] cor. 1", in_sngm), optimal,
     of_sngm, at_batch, NULL},
    {THEOREM("sngm_given_batch", "sngm: the best rate, or a rate of one's own, for a batch of one's own", "[N] thm 1",
             in_batch),
     given_batch, of_sngm, at_batch, NULL},
    {THEOREM("sngm_simple", "sngm: batch sqrt(C)", "[N] cor. 2", in_sngm), simple, of_sngm, at_batch, NULL},
    {THEOREM("sngm_relaxed", "sngm under (L, lambda)-smoothness", "[N] thm 2, cor. 3", in_relaxed), relaxed, of_relaxed,
     at_relaxed, NULL},
    {THEOREM("msgd_limits", "greatest rate and batch of momentum SGD", "[N] (6)", in_msgd), msgd, of_msgd, at_msgd,
     NULL},
    {{0}}};
