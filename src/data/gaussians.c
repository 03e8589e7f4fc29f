/* Generator gaussians: classes that are mixtures of spherical normal distributions. */
#include "data/source.h"
#include "base/arith.h"
#include "data/table.h"
#include <math.h>

typedef struct gaussian_options {
    int64_t train_size, test_size, classes, features, components, seed;
    double separation, noise;
} gaussian_options;

static const gls_option gaussian_table[] = {
    GLS_INT("train_size", gaussian_options, train_size, "10000", 1, 1e9, "training examples"),
    GLS_INT("test_size", gaussian_options, test_size, "2000", 1, 1e9, "test examples"),
    GLS_INT("classes", gaussian_options, classes, "2", 1, 65536, "k"),
    GLS_INT("features", gaussian_options, features, "20", 1, 1e6, "d"),
    GLS_INT("components", gaussian_options, components, "1", 1, 1e6, "number of normal distributions in each class"),
    GLS_REAL("separation", gaussian_options, separation, "4", 0, INFINITY,
             "root mean square distance between two of their centres"),
    GLS_REAL("noise", gaussian_options, noise, "1", 0, INFINITY,
             "standard deviation of a coordinate around its centre"),
    GLS_INT("seed", gaussian_options, seed, "1", 0, INFINITY, "seed of centres and examples"),
    {0},
};

typedef struct gaussian_job {
    const gaussian_options *options;
    const gls_real *center; /* [classes, components, features] */
    const char *purpose;
    int64_t examples;
    gls_real *x;
    int32_t *label;
} gaussian_job;

enum { CHUNK = 256 };

static gls_status draw_chunk(void *user, int64_t task, int worker) {
    const gaussian_job *job = user;
    const gaussian_options *o = job->options;
    for (int64_t i = task * CHUNK; i < (task + 1) * CHUNK && i < job->examples; i++) {
        gls_random random = gls_random_create((uint64_t)o->seed, job->purpose, (uint64_t)i, 0);
        int64_t class = i % o->classes, component = gls_random_below(&random, o->components);
        const gls_real *center = job->center + (class * o->components + component) * o->features;
        for (int64_t j = 0; j < o->features; j++)
            job->x[i * o->features + j] = (gls_real)((double)center[j] + o->noise * gls_random_normal(&random));
        job->label[i] = (int32_t) class;
    }
    return GLS_OK;
}

static gls_status make(gls_context *ctx, const gaussian_options *o, bool test, int64_t n, int64_t values,
                       int64_t centers, gls_owned_arrays *arrays) {
    arrays->real = gls_alloc(ctx, values, sizeof *arrays->real);
    arrays->label = gls_alloc(ctx, n, sizeof *arrays->label);
    gls_real *center = gls_alloc(ctx, centers, sizeof *center);
    gls_status status = arrays->real && arrays->label && center ? GLS_OK : GLS_ERR_MEMORY;
    if (status == GLS_OK) {
        double deviation = o->separation / sqrt(2.0 * (double)o->features);
        gls_random random = gls_random_create((uint64_t)o->seed, "gaussians centers", 0, 0);
        for (int64_t i = 0; i < centers; i++) center[i] = (gls_real)(deviation * gls_random_normal(&random));
        gaussian_job job = {o, center, test ? "gaussians test" : "gaussians train", n, arrays->real, arrays->label};
        status = gls_parallel(ctx, gls_parts(n, CHUNK), draw_chunk, &job);
    }
    gls_free(ctx, center);
    return status;
}

static gls_status open_gaussians(gls_context *ctx, const char *path, const void *options, gls_part part,
                                 const gls_data_info *like, gls_source **out) {
    const gaussian_options *o = options;
    bool test = part != GLS_PART_TRAIN;
    int64_t n = test ? o->test_size : o->train_size, values, centers;
    int64_t rows[2] = {n, o->features}, blocks[3] = {o->classes, o->components, o->features};
    GLS_TRY(gls_source_check_extents(ctx, "gaussians", 2, rows, 1, &values));
    GLS_TRY(gls_source_check_extents(ctx, "gaussians", 3, blocks, 1, &centers));
    gls_owned_arrays arrays = {0};
    gls_status status = make(ctx, o, test, n, values, centers, &arrays);
    gls_data_info info = {.examples = n, .features = o->features, .target = GLS_TARGET_CLASS, .classes = o->classes};
    if (status == GLS_OK) status = gls_source_own(ctx, &info, &arrays, out);
    gls_owned_arrays_free(ctx, &arrays);
    return status;
}

const gls_format gls_format_gaussians = {
    .member = {"gaussians", "classes that are mixtures of normal distributions", "", gaussian_table,
               sizeof(gaussian_options)},
    .generator = true,
    .open = open_gaussians,
};
