/* [M]: an example is a dragger with probability eps; its gradient is orthogonal to the others, c to C times as long. */
#include "method/theorem/theorem.h"

/* The number of draggers in a batch is binomial: means of its squared shares of benign examples and of draggers. */
static double benign_square(const gls_theory_in *in) {
    return (1 - in->eps) * (1 - in->eps) + in->eps * (1 - in->eps) / in->B;
}

static double dragger_square(const gls_theory_in *in) {
    return in->eps * in->eps + in->eps * (1 - in->eps) / in->B;
}

/* What is left of lr (1 - eps) |g|^2, the mean descent of a step, over lr |g|^2. */
static double descent(const gls_theory_in *in) {
    return 1 - in->eps - (benign_square(in) + dragger_square(in) * in->C * in->C) / (2 * sqrt(in->T));
}

/* The printed bound, and where C is so near its limit that the derivation gives more, what that gives. */
static void sgd(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double benign = 1 - in->eps, root = sqrt(in->T);
    double printed = 4 * in->L * in->gap / (benign * benign) + 2 * in->sigma * in->sigma / (benign * in->B);
    double derived = (in->L * in->gap + benign * in->sigma * in->sigma / (2 * in->B)) / descent(in);
    gls_record_set(out, "lr", 1 / (in->L * root));
    gls_record_set(out, "batch", in->B);
    gls_record_set(out, "steps", in->T);
    gls_record_set(out, "bound", sqrt(fmax(printed, derived) / root));
    double limit = in->eps > 0 ? (2 * benign * root - benign_square(in)) / dragger_square(in) : INFINITY;
    gls_record_set(out, "dragger_limit", sqrt(fmax(0, limit)));
}

static void clipped(const void *given, gls_record *out) {
    const gls_theory_in *in = given;
    double e = in->eps, root = sqrt(in->b * e);
    double level = in->sigma / ((sqrt(in->b) * e - sqrt(e * (1 - e))) * (1 + in->c));
    double rate = root / (root - sqrt(1 - e)) * 2 * in->L * (1 + 2 * e * in->C) / (1 - e) * (in->gap + 1 / (2 * in->L));
    gls_record_set(out, "lr", 1 / (in->L * sqrt(in->T)));
    gls_record_set(out, "steps", in->T);
    gls_record_set(out, "bound", level + rate / sqrt(in->T));
}

SIDES(length, in->C, gls_record_get(values, "dragger_limit"))
SIDES(stated, in->eps > 0 ? 0 : -1, in->C)
SIDES(descends, 0, descent(in))
SIDES(many, 1 / (in->b + 1), in->eps)
SIDES(ordered, in->c, in->C)

static const gls_theorem_condition at_sgd[] = {
    {"C > 0 where eps > 0", stated, true},
    {"C < dragger_limit, C^2 < (2(1-eps) sqrt(T) - (1-eps)^2 - eps(1-eps)/B)/(eps^2 + eps(1-eps)/B)", length, true},
    {"2(1-eps) sqrt(T) > (1-eps)^2 + eps(1-eps)/B + (eps^2 + eps(1-eps)/B) C^2", descends, true},
    {0}};
static const gls_theorem_condition at_clipped[] = {{"1/(b + 1) < eps", many, true}, {"c <= C", ordered, false}, {0}};

#define RATE \
    { "lr", "rate", "learning rate, 1/(L sqrt(T)) [weight^2/loss]" }
#define STEPS \
    { "steps", "steps", "steps, as given [1]" }
#define BOUND \
    { "bound", "bound", "on the least E|grad F| on the way [loss/weight]" }
static const gls_theorem_output of_sgd[] = {RATE,  {"batch", "batch", "batch size, as given [examples]"},        STEPS,
                                            BOUND, {"dragger_limit", "limit", "C below which sgd descends [1]"}, {0}};
static const gls_theorem_output of_clipped[] = {RATE, STEPS, BOUND, {0}};

#define IN_BENIGN IN_OR(sigma, "0", "root of the mean squared noise of one benign gradient [loss/weight]")
#define IN_LONGEST IN_OR(C, "0", "greatest dragger norm over the gradient's [1]")
static const gls_option in_sgd[] = {IN_L,        IN_GAP,
                                    IN_STEPS(T), IN_COUNT(B, "batch size [examples]"),
                                    IN_BENIGN,   IN_SHARE(eps, "probability of a dragger [1]"),
                                    IN_LONGEST,  {0}};
static const gls_option in_clipped[] = {
    IN_L,
    IN_GAP,
    IN_STEPS(T),
    IN_COUNT(b, "micro-batch size [examples]"),
    IN_BENIGN,
    GLS_REAL("eps", gls_theory_in, eps, NULL, 0, 1, "probability of a dragger [1]",
             .flags = GLS_OPTION_REQUIRED | GLS_OPTION_ABOVE_MIN | GLS_OPTION_BELOW_MAX),
    IN_OR(c, "0", "least dragger norm over the gradient's [1]"),
    IN_LONGEST,
    {0}};

const gls_theorem gls_theorem_draggers[] = {
    {THEOREM("microbatch_sgd", "sgd with draggers", "[M] thm 4.1", in_sgd), sgd, of_sgd, at_sgd, NULL},
    {THEOREM("microbatch_clipped", "mean of unit micro-gradients with draggers", "[M] thm 4.2", in_clipped), clipped,
     of_clipped, at_clipped, NULL},
    {{0}}};
