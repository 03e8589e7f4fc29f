/* The link from outputs to predictions: one row a kind of link, and what follows from it for classes, probabilities and
 * values. A class that is counted as right (GLM scores) and one that is predicted come from the same function. */
#include "problem/evaluation.h"
#include "problem/sequence.h"

#include <math.h>

/* The class of one prediction's outputs z [width] out of `classes`; probabilities or values of it. NULL: it has none.
 */
typedef struct link_row {
    const char *name;
    bool single; /* takes one output a prediction */
    int32_t (*class)(const gls_real *z, int64_t width, int64_t classes);
    void (*values)(const gls_real *z, int64_t width, gls_real *out);
} link_row;

static int32_t sign(const gls_real *z, int64_t width, int64_t classes) {
    return isnan(z[0]) ? -1 : z[0] > 0;
}

/* No comparison with a NaN is true, so only a NaN in the first place can win. */
static int32_t largest(const gls_real *z, int64_t width, int64_t classes) {
    int64_t best = 0;
    for (int64_t c = 1; c < width; c++)
        if (z[c] > z[best]) best = c;
    return isnan(z[best]) ? -1 : (int32_t)best;
}

static int32_t nearest(const gls_real *z, int64_t width, int64_t classes) {
    if (isnan(z[0])) return -1;
    double last = (double)(classes - 1), at = round((double)z[0]);
    return (int32_t)(at < 0 ? 0 : at > last ? last : at);
}

static void same(const gls_real *z, int64_t width, gls_real *out) {
    for (int64_t c = 0; c < width; c++) out[c] = z[c];
}

/* Of both classes; the smaller one is not taken as 1 minus the larger, which would lose its digits. */
static void two_probabilities(const gls_real *z, int64_t width, gls_real *out) {
    double small = exp(-fabs((double)z[0])), sum = 1 + small; /* never overflows */
    out[0] = (gls_real)((z[0] > 0 ? small : 1) / sum);
    out[1] = (gls_real)((z[0] > 0 ? 1 : small) / sum);
    if (isnan(z[0])) out[0] = out[1] = z[0];
}

static void probabilities(const gls_real *z, int64_t width, gls_real *out) {
    double top = (double)z[0], sum = 0;
    for (int64_t c = 1; c < width; c++)
        if (z[c] > top) top = (double)z[c];
    for (int64_t c = 0; c < width; c++) sum += exp((double)z[c] - top);
    for (int64_t c = 0; c < width; c++) out[c] = (gls_real)(exp((double)z[c] - top) / sum);
}

static const link_row links[] = {
    [GLS_LINK_NONE] = {.name = "none"},
    [GLS_LINK_IDENTITY] = {.name = "identity", .values = same},
    [GLS_LINK_LOGISTIC] = {.name = "logistic", .single = true, .class = sign, .values = two_probabilities},
    [GLS_LINK_SOFTMAX] = {.name = "softmax", .class = largest, .values = probabilities},
    [GLS_LINK_SIGN] = {.name = "sign", .single = true, .class = sign},
    [GLS_LINK_LARGEST] = {.name = "largest", .class = largest},
    [GLS_LINK_SEQUENCE] = {.name = "sequence", .class = largest, .values = probabilities},
    [GLS_LINK_NEAREST] = {.name = "nearest", .single = true, .class = nearest},
};

gls_status gls_link_check(const gls_problem *p) {
    const char *name = p->type->member.name;
    int64_t positions = p->positions > 0 ? p->positions : 1;
    if ((unsigned)p->link >= sizeof(links) / sizeof *links)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "problem '%s': link %d does not exist", name, (int)p->link);
    if (p->link == GLS_LINK_NONE) return GLS_OK;
    bool counted = p->link != GLS_LINK_NEAREST || p->data.classes > 0;
    if (p->outputs < 1 || p->outputs % positions || (links[p->link].single && p->outputs != positions) || !counted)
        return gls_fail(p->ctx, GLS_ERR_ARGUMENT, "problem '%s' has %lld outputs for %lld predictions by the link %s",
                        name, (long long)p->outputs, (long long)positions, links[p->link].name);
    return GLS_OK;
}

gls_status gls_problem_has_outputs(const gls_problem *p) {
    if (p->type->outputs && p->outputs > 0) return GLS_OK;
    return gls_fail(p->ctx, GLS_ERR_UNSUPPORTED, "problem '%s' has no outputs, so nothing can be predicted with it",
                    p->type->member.name);
}

gls_prediction gls_problem_prediction(const gls_problem *problem) {
    if (!problem) return (gls_prediction){0};
    const link_row *row = &links[problem->link];
    gls_prediction out = {.link = row->name, .positions = problem->positions > 0 ? problem->positions : 1};
    int64_t width = problem->outputs / out.positions;
    out.sequence = problem->link == GLS_LINK_SEQUENCE;
    if (row->class) out.classes = problem->link == GLS_LINK_NEAREST ? problem->data.classes : row->single ? 2 : width;
    if (row->values) out.values = row->class ? out.classes : width;
    if (out.sequence) out.classes = width - 1;
    return out;
}

int32_t gls_link_class(const gls_problem *problem, const gls_real *z, int64_t width) {
    return links[problem->link].class(z, width, problem->data.classes);
}

static gls_status refuse(const gls_problem *p, const char *has, const char *other) {
    GLS_TRY(gls_problem_has_outputs(p));
    const char *name = p->type->member.name;
    if (p->link == GLS_LINK_NONE)
        return gls_fail(p->ctx, GLS_ERR_UNSUPPORTED, "problem '%s' does not say what its outputs mean (no link)", name);
    return gls_fail(p->ctx, GLS_ERR_UNSUPPORTED, "problem '%s' predicts %s; %s gives them", name, has, other);
}

gls_status gls_problem_predict(const gls_problem *problem, int64_t rows, const gls_real *z, gls_real *out) {
    GLS_GIVEN(NULL, problem, z, out);
    const link_row *row = &links[problem->link];
    if (!row->values) return refuse(problem, "classes without probabilities", "gls_problem_classify");
    gls_prediction p = gls_problem_prediction(problem);
    int64_t width = problem->outputs / p.positions;
    for (int64_t i = 0; i < rows * p.positions; i++) row->values(z + i * width, width, out + i * p.values);
    return GLS_OK;
}

static void read_sequence(const gls_problem *problem, gls_prediction p, const gls_real *z, int32_t *out) {
    int64_t count = gls_sequence_decode(z, p.positions, p.values, problem->blank, out);
    for (int64_t k = count; k < p.positions; k++) out[k] = -1;
}

gls_status gls_problem_classify(const gls_problem *problem, int64_t rows, const gls_real *z, int32_t *out) {
    GLS_GIVEN(NULL, problem, z, out);
    if (!links[problem->link].class) return refuse(problem, "values, not classes", "gls_problem_predict");
    gls_prediction p = gls_problem_prediction(problem);
    int64_t width = problem->outputs / p.positions;
    for (int64_t r = 0; p.sequence && r < rows; r++)
        read_sequence(problem, p, z + r * problem->outputs, out + r * p.positions);
    for (int64_t i = 0; !p.sequence && i < rows * p.positions; i++)
        out[i] = gls_link_class(problem, z + i * width, width);
    return GLS_OK;
}
