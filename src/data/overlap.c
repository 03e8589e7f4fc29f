/* Generator sparse: rows that share features with exactly `degree` others.
 *
 * The n rows fall into n / (degree + 1) groups; every row of a group has its non-zero features in the group's own block
 * of `nonzeros` columns. Two rows conflict if and only if they are of one group, so that the conflict graph is a union
 * of cliques of degree + 1 rows. Row i is of group i modulo the number of groups. Targets are those of a random linear
 * model with noise. */
#include "data/source.h"
#include "data/table.h"
#include <math.h>

typedef struct overlap_options {
    int64_t train_size, test_size, degree, nonzeros, seed;
    double noise;
    int target;
} overlap_options;

enum { REGRESSION, CLASSES };

static const gls_option overlap_table[] = {
    GLS_INT("train_size", overlap_options, train_size, "1000", 1, 1e9, "training examples, a multiple of degree + 1"),
    GLS_INT("test_size", overlap_options, test_size, "1000", 1, 1e9, "test examples"),
    GLS_INT("degree", overlap_options, degree, "3", 0, 1e9,
            "number of other rows that share features with a training row"),
    GLS_INT("nonzeros", overlap_options, nonzeros, "5", 1, 1e6, "number of values in a row"),
    GLS_REAL("noise", overlap_options, noise, "0.1", 0, INFINITY, "standard deviation of the target's noise"),
    GLS_ENUM("target", overlap_options, target, "regression", "regression|classes",
             "targets: the linear model's value, or its sign as two classes"),
    GLS_INT("seed", overlap_options, seed, "1", 0, INFINITY, "seed of rows and model"),
    {0},
};

/* Weight j of the linear model. */
static double weight(const overlap_options *o, int64_t j) {
    gls_random random = gls_random_create((uint64_t)o->seed, "sparse weights", (uint64_t)j, 0);
    return gls_random_normal(&random);
}

static void draw_row(const overlap_options *o, bool test, int64_t groups, int64_t i, gls_owned_arrays *arrays) {
    const char *purpose = test ? "sparse test" : "sparse train";
    gls_random random = gls_random_create((uint64_t)o->seed, purpose, (uint64_t)i, 0);
    int64_t group = test ? gls_random_below(&random, groups) : i % groups;
    double y = 0;
    for (int64_t k = 0; k < o->nonzeros; k++) {
        double value = gls_random_normal(&random);
        if (fabs(value) < 1e-6) value = 1e-6; /* a zero, or what float rounds to it, would undo the conflict */
        int64_t column = group * o->nonzeros + k;
        arrays->column[i * o->nonzeros + k] = (int32_t)column;
        arrays->value[i * o->nonzeros + k] = (gls_real)value;
        y += (double)(gls_real)value * weight(o, column);
    }
    y += o->noise * gls_random_normal(&random);
    if (o->target == CLASSES) arrays->label[i] = y > 0;
    arrays->y[i] = (gls_real)(o->target == REGRESSION ? y : y > 0 ? 1 : -1);
    arrays->row[i + 1] = (i + 1) * o->nonzeros;
}

/* The test set has the training set's groups of columns, so that the same linear model applies. */
static gls_status open_sparse(gls_context *ctx, const char *path, const void *options, gls_part part,
                              const gls_data_info *like, gls_source **out) {
    const overlap_options *o = options;
    bool test = part != GLS_PART_TRAIN;
    int64_t n = test ? o->test_size : o->train_size, clique = o->degree + 1, groups = o->train_size / clique, values;
    if (o->train_size % clique != 0)
        return gls_fail(
            ctx, GLS_ERR_ARGUMENT,
            "generator sparse: train_size %lld is not a multiple of degree + 1 = %lld (next multiple: %lld)",
            (long long)o->train_size, (long long)clique, (long long)((groups + 1) * clique));
    int64_t extent[2] = {n, o->nonzeros};
    GLS_TRY(gls_source_check_extents(ctx, "generator sparse", 2, extent, 1, &values));
    if (groups > INT32_MAX / o->nonzeros)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "generator sparse: %lld groups of %lld features are too many",
                        (long long)groups, (long long)o->nonzeros);
    gls_owned_arrays arrays = {0};
    arrays.row = gls_alloc(ctx, n + 1, sizeof *arrays.row);
    arrays.column = gls_alloc(ctx, values, sizeof *arrays.column);
    arrays.value = gls_alloc(ctx, values, sizeof *arrays.value);
    arrays.y = gls_alloc(ctx, n, sizeof *arrays.y);
    arrays.label = o->target == CLASSES ? gls_alloc(ctx, n, sizeof *arrays.label) : NULL;
    static const char *const names[] = {"-1", "1"};
    gls_data_info info = {.examples = n,
                          .features = groups * o->nonzeros,
                          .sparse = true,
                          .target = o->target == CLASSES ? GLS_TARGET_CLASS : GLS_TARGET_REAL,
                          .classes = o->target == CLASSES ? 2 : 0,
                          .class_names = o->target == CLASSES ? names : NULL,
                          .targets = 1};
    bool full = arrays.row && arrays.column && arrays.value && arrays.y && (arrays.label || o->target == REGRESSION);
    gls_status status = full ? GLS_OK : GLS_ERR_MEMORY;
    for (int64_t i = 0; full && i < n; i++) draw_row(o, test, groups, i, &arrays);
    if (status == GLS_OK) status = gls_source_own(ctx, &info, &arrays, out);
    gls_owned_arrays_free(ctx, &arrays);
    return status;
}

const gls_format gls_format_sparse = {
    .member = {"sparse", "sparse rows whose conflict graph has a given degree, with a linear model's targets",
               "[D] thm 2", overlap_table, sizeof(overlap_options)},
    .generator = true,
    .open = open_sparse,
};
