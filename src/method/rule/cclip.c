/* m = beta1 m + (1 - beta1) g; w -= lr min(tau_k/|m|, 1) m, coordinate by coordinate; tau_k = tau k^tau_exponent, or
 * that many times a threshold of the coordinate's own, from a file. */
#include "method/rule/rows.h"

#include "base/io.h"
#include "base/tensors.h"

#include <string.h>

typedef struct cclip_options {
    gls_method_common common;
    double beta1, tau, tau_exponent;
    const char *thresholds;
} cclip_options;

enum { TAU };

/* Thresholds, one a coordinate; NULL: tau is everybody's. relative: in units of tau (a file's), else in place of it. */
typedef struct thresholds {
    gls_real *tau;
    bool relative;
} thresholds;

static void coefficients(const gls_update *update, const void *options, double *out) {
    const cclip_options *o = options;
    out[TAU] = gls_rule_threshold(o->tau, o->tau_exponent, update->k);
}

/* How far w moved, and how many coordinates were clipped. */
typedef struct clipping {
    double moved2;
    int clipped;
} clipping;

static inline gls_real cut_at(gls_real *m, gls_real g, gls_real keep, gls_real take, gls_real tau, int *clipped,
                              int64_t k) {
    gls_real x = keep * m[k] + take * g;
    m[k] = x;
    *clipped += gls_abs(x) > tau;
    x = x > tau ? tau : x;
    return x < -tau ? -tau : x;
}

GLS_SIMD static clipping cclip_kernel(gls_real *restrict w, const gls_real *restrict g, gls_real keep, gls_real take,
                                      gls_real tau, gls_move_target to, const gls_range *r) {
    int clipped[GLS_LANES] = {0};
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 1, GLS_MOVE_AHEAD(i, w, v[0], g),
                   cut_at(v[0], to.gain * g[k], keep, take, tau, &clipped[j], at));
    return (clipping){total, gls_move_count(clipped)};
}

GLS_SIMD static clipping cclip_vector_kernel(gls_real *restrict w, const gls_real *restrict g,
                                             const gls_real *restrict tau, gls_real keep, gls_real take, gls_real grown,
                                             gls_move_target to, const gls_range *r) {
    int clipped[GLS_LANES] = {0};
    double total;
    GLS_MOVE_STATE(total, w, &to, r, 1, GLS_MOVE_AHEAD(i, w, v[0], g, tau),
                   cut_at(v[0], to.gain * g[k], keep, take, grown * tau[k], &clipped[j], at));
    return (clipping){total, gls_move_count(clipped)};
}

static void main_pass(const gls_range *r) {
    const cclip_options *o = r->options;
    const thresholds *own = r->update->self;
    gls_real keep = (gls_real)o->beta1, take = (gls_real)(1 - o->beta1);
    double tau = r->coefficient[TAU], grown = own->relative ? tau : tau / o->tau;
    gls_move_target to = gls_move_at(r, o->common.lr);
    clipping found = own->tau
                         ? cclip_vector_kernel(to.w, r->g, own->tau + r->offset, keep, take, (gls_real)grown, to, r)
                         : cclip_kernel(to.w, r->g, keep, take, (gls_real)tau, to, r);
    r->target->moved2 += found.moved2;
    r->sums[0] += found.clipped;
}

static void finish(gls_update *update, const gls_real *w) {
    update->clipped = update->trained > 0 ? update->sums[0] / (double)update->trained : 0;
}

/* ---- thresholds from a file ---- */

static gls_status take_block(const gls_method_setup *setup, const char *path, const gls_block *block,
                             const gls_array *array, gls_real *tau) {
    int64_t count = 1;
    for (int k = 0; k < array->dims; k++) count *= array->shape[k];
    if ((array->dtype != GLS_F32 && array->dtype != GLS_F64) || (count != 1 && count != block->size))
        return gls_fail(setup->ctx, GLS_ERR_INPUT,
                        "%s: '%s': expected F32 or F64 values, one for the block or one for each of its %lld "
                        "coordinates",
                        path, block->name, (long long)block->size);
    for (int64_t i = 0; i < block->size; i++) {
        int64_t at = count == 1 ? 0 : i;
        double x =
            array->dtype == GLS_F32 ? (double)((const float *)array->data)[at] : ((const double *)array->data)[at];
        if (!(x >= 0) || isinf((gls_real)x))
            return gls_fail(setup->ctx, GLS_ERR_INPUT,
                            "%s: '%s', value %lld: expected a threshold of at least 0, found %g", path, block->name,
                            (long long)at, x);
        tau[block->offset + i] = (gls_real)x;
    }
    return GLS_OK;
}

static gls_status take_blocks(const gls_method_setup *setup, const char *path, const gls_arrays *arrays,
                              gls_real *tau) {
    for (int64_t b = 0; b < gls_layout_count(setup->layout); b++) {
        const gls_block *block = gls_layout_block(setup->layout, b);
        int64_t k = 0;
        while (k < arrays->count && strcmp(arrays->item[k].name, block->name) != 0) k++;
        if (k == arrays->count)
            return gls_fail(setup->ctx, GLS_ERR_INPUT, "%s: no thresholds for block '%s'", path, block->name);
        GLS_TRY(take_block(setup, path, block, &arrays->item[k], tau));
    }
    return GLS_OK;
}

/* Coordinates of threshold 0 never move, which is right where their gradients are always 0, and worth a word. */
static void count_still(const gls_method_setup *setup, const char *path, const gls_real *tau) {
    int64_t still = 0;
    for (int64_t i = 0; i < setup->parameters; i++) still += tau[i] == 0;
    if (still)
        gls_log(setup->ctx, GLS_LOG_INFO, "%s: %lld of %lld thresholds are 0: these coordinates do not move", path,
                (long long)still, (long long)setup->parameters);
}

static gls_status create(void *self, const gls_method_setup *setup) {
    const char *path = ((const cclip_options *)setup->options)->thresholds;
    thresholds *own = self;
    if (!path) return GLS_OK;
    gls_tensors *file = NULL;
    gls_arena *arena = NULL;
    gls_arrays arrays = {0};
    own->tau = gls_alloc(setup->ctx, setup->parameters, sizeof *own->tau);
    own->relative = true;
    gls_status status = own->tau ? gls_arena_create(setup->ctx, &arena) : GLS_ERR_MEMORY;
    if (status == GLS_OK) status = gls_tensors_open(setup->ctx, path, &file);
    if (status == GLS_OK) status = gls_tensors_load(file, "", arena, &arrays);
    if (status == GLS_OK) status = gls_reader_note(setup->ctx, path);
    if (status == GLS_OK) status = take_blocks(setup, path, &arrays, own->tau);
    if (status == GLS_OK) count_still(setup, path, own->tau);
    gls_arrays_clear(setup->ctx, &arrays);
    gls_tensors_close(file);
    gls_arena_destroy(arena);
    return status == GLS_ERR_FILE ? GLS_ERR_INPUT : status;
}

static gls_status set_vector(void *self, const gls_method_setup *setup, const char *key, const gls_real *values) {
    thresholds *own = self;
    if (strcmp(key, "tau") != 0)
        return gls_fail(setup->ctx, GLS_ERR_ARGUMENT, "method cclip takes no vector '%s'; did you mean 'tau'?", key);
    for (int64_t i = 0; i < setup->parameters; i++)
        if (!(values[i] > 0) || isinf(values[i]))
            return gls_fail(setup->ctx, GLS_ERR_ARGUMENT,
                            "method cclip: tau[%lld]: expected a positive number, found %g", (long long)i,
                            (double)values[i]);
    if (!own->tau) own->tau = gls_alloc(setup->ctx, setup->parameters, sizeof *own->tau);
    if (!own->tau) return GLS_ERR_MEMORY;
    own->relative = false;
    memcpy(own->tau, values, (size_t)setup->parameters * sizeof *values);
    return GLS_OK;
}

static void destroy(gls_context *ctx, void *self) {
    gls_free(ctx, ((thresholds *)self)->tau);
}

static const char *const momentum[] = {"m", NULL};

static const gls_option table[] = {
    GLS_METHOD_LR("0.1"),
    ROWS_GROWING_THRESHOLD(cclip_options),
    GLS_PATH(
        "thresholds", cclip_options, thresholds, NULL,
        "thresholds in units of tau (.safetensors): an array a block, of one value or one a coordinate, as measure "
        "alpha_moments writes them",
        .flags = GLS_OPTION_WHOLE),
    GLS_METHOD_COUPLED,
    GLS_METHOD_DECOUPLED_ROW,
    GLS_METHOD_STATE,
    GLS_METHOD_REST,
    {0}};

const gls_method_type gls_method_cclip = {
    .member = {"cclip", "momentum clipped coordinate by coordinate: w -= lr min(tau/|m|, 1) m", "[A] Alg. 1", table,
               sizeof(cclip_options)},
    .self_size = sizeof(thresholds),
    .vectors = momentum,
    .needs = GLS_METHOD_MOVES | GLS_METHOD_NARROW,
    .create = create,
    .destroy = destroy,
    .coefficients = coefficients,
    .main = main_pass,
    .finish = finish,
    .set_vector = set_vector};
