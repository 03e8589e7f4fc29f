/* Models of a gradient oracle's noise: the exact gradient becomes a noisy one. Each model draws from streams keyed by
 * the place alone. */
#include "problem/analytic/oracle_noise.h"

#include "base/draws.h"
#include "base/kernels.h"
#include "base/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct gls_oracle_noise {
    gls_context *ctx;
    const gls_oracle_noise_type *type;
    gls_options *options;
    const void *values;
};

static gls_random stream_of(const gls_oracle_noise_place *place) {
    return gls_random_create(place->seed, "noise", place->draw, (uint32_t)place->slot);
}

/* ---- independent coordinates ---- */

typedef struct additive {
    double scale, index;
} additive;

#define SCALE_ROW GLS_REAL("scale", additive, scale, "1", 0, INFINITY, "factor of every coordinate")

static void add(gls_law law, const additive *o, const gls_oracle_noise_place *place, gls_real *out) {
    gls_random stream = stream_of(place);
    memcpy(out, place->exact, (size_t)place->dim * sizeof *out);
    gls_add_draws(law, o->index, &stream, o->scale, place->dim, out);
}

static void draw_gaussian(const void *o, const gls_oracle_noise_place *place, gls_real *out) {
    add(GLS_LAW_NORMAL, o, place, out);
}
static void draw_student(const void *o, const gls_oracle_noise_place *place, gls_real *out) {
    add(GLS_LAW_STUDENT, o, place, out);
}
static void draw_pareto(const void *o, const gls_oracle_noise_place *place, gls_real *out) {
    add(GLS_LAW_PARETO, o, place, out);
}
static void draw_pareto_centred(const void *o, const gls_oracle_noise_place *place, gls_real *out) {
    add(GLS_LAW_PARETO_CENTRED, o, place, out);
}
static void draw_stable(const void *o, const gls_oracle_noise_place *place, gls_real *out) {
    add(GLS_LAW_STABLE, o, place, out);
}

/* A direction drawn uniformly, of length scale: bounded noise of variance scale^2. */
static void draw_sphere(const void *options, const gls_oracle_noise_place *place, gls_real *out) {
    const additive *o = options;
    gls_random stream = stream_of(place);
    gls_fill(out, 0, place->dim);
    gls_add_draws(GLS_LAW_NORMAL, 0, &stream, 1, place->dim, out);
    double length = sqrt(gls_sum_squares(out, place->dim));
    gls_scale(out, length > 0 ? o->scale / length : 0, place->dim);
    gls_add(out, place->exact, place->dim);
}

static const gls_option gaussian_table[] = {SCALE_ROW, {0}};
static const gls_option student_table[] = {
    SCALE_ROW,
    GLS_REAL("dof", additive, index, "3", 1, INFINITY, "degrees of freedom", .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};
static const gls_option pareto_table[] = {
    SCALE_ROW,
    GLS_REAL("index", additive, index, "1.5", 1, INFINITY, "tail index: moments below it exist",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};
static const gls_option stable_table[] = {
    SCALE_ROW,
    GLS_REAL("index", additive, index, "1.5", 1, 2, "tail index; 2 is a normal of variance 2",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static const gls_oracle_noise_type gaussian = {
    .member = {"gaussian", "independent normal coordinates", "", gaussian_table, sizeof(additive)},
    .draw = draw_gaussian};
static const gls_oracle_noise_type sphere = {
    .member = {"sphere", "a uniform direction of length `scale`: bounded noise", "", gaussian_table, sizeof(additive)},
    .draw = draw_sphere};
static const gls_oracle_noise_type student = {
    .member = {"student", "independent Student coordinates", "", student_table, sizeof(additive)},
    .draw = draw_student};
static const gls_oracle_noise_type pareto = {
    .member = {"pareto", "independent symmetric Pareto coordinates", "", pareto_table, sizeof(additive)},
    .draw = draw_pareto};
static const gls_oracle_noise_type pareto_centred = {
    .member = {"pareto_centred", "independent one-sided Pareto coordinates less their mean", "", pareto_table,
               sizeof(additive)},
    .draw = draw_pareto_centred};
static const gls_oracle_noise_type stable = {
    .member = {"stable", "independent symmetric alpha-stable coordinates", "", stable_table, sizeof(additive)},
    .draw = draw_stable};

/* ---- two points: with probability p the gradient is -1/(2 gamma) less ---- */

typedef struct two_point {
    double index, epsilon;
    int64_t nu;
} two_point;

static const gls_option two_point_table[] = {
    GLS_REAL("index", two_point, index, "1.5", 1, 2, "alpha", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("epsilon", two_point, epsilon, "0.05", 0, 0.125, "1/(16 k^((alpha-1)/alpha)) for k gradients",
             .flags = GLS_OPTION_ABOVE_MIN),
    GLS_INT("nu", two_point, nu, "0", 0, 1, "which of the two problems: the minimiser is (2 - nu) epsilon"),
    {0},
};

static void draw_two_point(const void *options, const gls_oracle_noise_place *place, gls_real *out) {
    const two_point *o = options;
    gls_random stream = stream_of(place);
    double gamma = pow(4 * o->epsilon, 1 / (o->index - 1));
    double p = pow(gamma, o->index) - 2 * (double)o->nu * gamma * o->epsilon, mean = p / (2 * gamma);
    for (int64_t i = 0; i < place->dim; i++) {
        double jump = gls_random_uniform(&stream) < p ? -1 / (2 * gamma) : 0;
        out[i] = (gls_real)((double)place->exact[i] + jump + mean);
    }
}

static const gls_oracle_noise_type two_point_type = {.member = {"two_point", "a rare jump: the lower bound's noise",
                                                                "[A] app. G (4.5)", two_point_table, sizeof(two_point)},
                                                     .draw = draw_two_point};

/* ---- zero chain: the next coordinate of the chain shows with probability p, then multiplied by 1/p ---- */

typedef struct chance {
    double p, unit;
} chance;

static const gls_option chance_table[] = {
    GLS_REAL("p", chance, p, "0.1", 0, 1, "probability", .flags = GLS_OPTION_ABOVE_MIN),
    GLS_REAL("unit", chance, unit, "1", 0, INFINITY, "unit of length of the chain: 304 epsilon/L",
             .flags = GLS_OPTION_ABOVE_MIN),
    {0},
};

static void draw_chance(const void *options, const gls_oracle_noise_place *place, gls_real *out) {
    const chance *o = options;
    memcpy(out, place->exact, (size_t)place->dim * sizeof *out);
    int64_t next = place->dim;
    while (next > 0 && fabs((double)place->w[next - 1]) <= 0.25 * o->unit) next--;
    if (next == place->dim) return;
    gls_random stream = stream_of(place);
    out[next] = (gls_real)(gls_random_uniform(&stream) < o->p ? (double)out[next] / o->p : 0);
}

static const gls_oracle_noise_type chance_type = {
    .member = {"chance", "reveals the next coordinate of a zero chain only by chance", "[T] 4.7.7", chance_table,
               sizeof(chance)},
    .draw = draw_chance};

/* ---- draggers ---- */

typedef struct dragger {
    double epsilon, sigma, ratio_min, ratio_max;
} dragger;

static const gls_option dragger_table[] = {
    GLS_REAL("epsilon", dragger, epsilon, "0.2", 0, 1, "probability of a dragger", .flags = GLS_OPTION_BELOW_MAX),
    GLS_REAL("sigma", dragger, sigma, "1", 0, INFINITY, "root of the benign gradients' variance E|g~ - g|^2"),
    GLS_REAL("c", dragger, ratio_min, "1", 0, INFINITY, "smallest |mu|/|g|"),
    GLS_REAL("C", dragger, ratio_max, "1", 0, INFINITY, "largest |mu|/|g|"),
    {0},
};

static gls_status check_dragger(gls_context *ctx, const void *options, int64_t dim) {
    const dragger *o = options;
    if (dim < 2) return gls_fail(ctx, GLS_ERR_ARGUMENT, "dragger noise needs two dimensions or more");
    if (o->ratio_min > o->ratio_max)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "dragger noise: c = %g is above C = %g", o->ratio_min, o->ratio_max);
    return GLS_OK;
}

/* Removes from x its part along a. */
static void make_orthogonal(const gls_real *a, int64_t n, gls_real *x) {
    double square = gls_sum_squares(a, n);
    if (square > 0) gls_axpy(x, -gls_dot(a, x, n) / square, a, n);
}

/* The coordinate in which |g| is smallest, made orthogonal to g, is the direction of this step's draggers; benign noise
 * is kept out of it. out holds that direction, then the answer. */
static void draw_dragger(const void *options, const gls_oracle_noise_place *place, gls_real *out) {
    const dragger *o = options;
    int64_t n = place->dim, axis = 0;
    gls_random stream = stream_of(place);
    gls_random shared = gls_random_create(place->seed, "dragger", place->draw, 0);
    for (int64_t i = 1; i < n; i++)
        if (fabs((double)place->exact[i]) < fabs((double)place->exact[axis])) axis = i;
    bool bad = gls_random_uniform(&stream) < o->epsilon;
    double g_square = gls_sum_squares(place->exact, n);
    double along = g_square > 0 ? (double)place->exact[axis] / g_square : 0;
    double length = sqrt(1 - along * (double)place->exact[axis]); /* of e_axis - along g */
    if (bad) {
        double ratio = o->ratio_min + (o->ratio_max - o->ratio_min) * gls_random_uniform(&shared);
        double size = ratio * sqrt(g_square) / length;
        gls_fill(out, 0, n);
        out[axis] = (gls_real)size;
        gls_axpy(out, -size * along, place->exact, n);
        make_orthogonal(place->exact, n, out);
        return;
    }
    gls_random fresh = gls_random_create(place->seed, "benign", place->draw, (uint32_t)place->slot);
    gls_fill(out, 0, n);
    gls_add_draws(GLS_LAW_NORMAL, 0, &fresh, o->sigma / sqrt((double)n - 1), n, out);
    /* Off the unit direction u = (e_axis - along g)/length. */
    double part = ((double)out[axis] - along * gls_dot(place->exact, out, n)) / (length * length);
    out[axis] -= (gls_real)part;
    gls_axpy(out, 1 + part * along, place->exact, n);
}

static const gls_oracle_noise_type dragger_type = {
    .member = {"dragger", "with probability epsilon an orthogonal gradient in place of a noisy one",
               "[M] assumptions 4.3, 4.4", dragger_table, sizeof(dragger)},
    .check = check_dragger,
    .draw = draw_dragger};

static const gls_member *const members[] = {
    &gaussian.member, &sphere.member,         &student.member,     &pareto.member,       &pareto_centred.member,
    &stable.member,   &two_point_type.member, &chance_type.member, &dragger_type.member, NULL};
const gls_member_kind gls_oracle_noise_kind = {GLS_KIND_NOISE, "noise", members};

/* A name alone means the model with its defaults. Options are read once; drawing allocates nothing. */
gls_status gls_oracle_noise_create(gls_context *ctx, const gls_value *spec, int64_t dim, gls_oracle_noise **out) {
    *out = NULL;
    if (!spec) return GLS_OK;
    const gls_value *named = spec->kind == GLS_VALUE_MAP ? gls_value_get(spec, "name") : spec;
    if (!named || !named->text) return gls_fail(ctx, GLS_ERR_ARGUMENT, "noise: expected a name or a map with 'name'");
    if (strcmp(named->text, "none") == 0) return GLS_OK;
    const gls_member *member = gls_member_find(ctx, &gls_oracle_noise_kind, named->text);
    if (!member) return GLS_ERR_ARGUMENT;
    gls_oracle_noise *noise = gls_alloc(ctx, 1, sizeof *noise);
    if (!noise) return GLS_ERR_MEMORY;
    noise->ctx = ctx;
    noise->type = (const gls_oracle_noise_type *)member;
    gls_status status = gls_member_options(ctx, member, member->name, spec->kind == GLS_VALUE_MAP ? spec : NULL,
                                           gls_member_but_name, &noise->options);
    if (status == GLS_OK) {
        noise->values = gls_options_struct(noise->options);
        if (noise->type->check) status = noise->type->check(ctx, noise->values, dim);
    }
    if (status != GLS_OK) {
        gls_oracle_noise_destroy(noise);
        return status;
    }
    *out = noise;
    return GLS_OK;
}

void gls_oracle_noise_destroy(gls_oracle_noise *noise) {
    if (!noise) return;
    gls_options_destroy(noise->options);
    gls_free(noise->ctx, noise);
}

void gls_oracle_noise_draw(const gls_oracle_noise *noise, const gls_oracle_noise_place *place, gls_real *out) {
    noise->type->draw(noise->values, place, out);
}
