/* Generalised linear models: f_i = m_i (loss(W x_i + b, y_i) + l2/2 |W|^2) with W [k, p] ("weight") and b [k] ("bias";
 * l2 does not apply to it). What differs between them is one gls_glm_loss. */
#ifndef GLS_PROBLEM_GLM_H
#define GLS_PROBLEM_GLM_H

#include <glissade/problem.h>

#include "onnx/onnx.h"

#include <math.h>
#include <stddef.h>

/* The target of one row: a class, or k values. */
typedef struct gls_glm_target {
    int32_t label;
    const gls_real *y;
} gls_glm_target;

typedef struct gls_glm gls_glm;

typedef struct gls_glm_loss {
    bool needs_classes; /* class targets; else real ones are accepted too */
    bool two_classes;   /* exactly two */
    bool signs;         /* two classes are one output, +1 and -1 */
    /* The loss at outputs z [k]; slope [k] receives its derivative. */
    double (*value)(const gls_glm *glm, const gls_real *z, gls_glm_target target, double *slope);
    /* out [k] = second derivative at z times u [k]. */
    void (*curve)(const gls_glm *glm, const gls_real *z, gls_glm_target target, const double *u, double *out);
    /* How one output z, or several, say the class; with real targets z is the value itself. */
    gls_link one, several;
} gls_glm_loss;

typedef struct gls_glm_options {
    double l2;
    bool bias;
    double smoothing; /* smoothed_hinge */
} gls_glm_options;

#define GLS_GLM_OPTIONS                                                                                               \
    GLS_REAL("l2", gls_glm_options, l2, "0", 0, INFINITY, "adds l2/2 |weight|^2 to every example, without the bias"), \
        GLS_BOOL("bias", gls_glm_options, bias, "true", "add a constant to the features")

struct gls_glm {
    const gls_glm_loss *loss;
    int64_t outputs, features;
    gls_glm_options options;
    bool sparse, tiled;
    int64_t tile; /* features a tile */
};

typedef struct gls_glm_point {
    double norm2; /* |W|^2, where there is an l2 term */
} gls_glm_point;

typedef struct gls_glm_evaluation {
    gls_real *z;        /* [rows, k] outputs, bias included */
    gls_real *residual; /* [rows, k] m_i times the loss's derivative */
    gls_real *curved;   /* [rows, k] m_i times the second derivative times the direction's outputs */
    double *loss;       /* [rows] f_i */
    double *slope;      /* [3 k] */
    gls_real *matrix;   /* [k, p] a group's explicit gradient; allocated by the first norms that form one */
} gls_glm_evaluation;

/* The shared verbs; create is also given the loss. */
gls_status gls_glm_create(gls_problem *p, const void *options, const gls_data_info *data, const gls_glm_loss *loss);
gls_status gls_glm_onnx(gls_problem *p, const gls_real *w, gls_onnx *to, const char *input, const char **output);
gls_status gls_glm_point_create(gls_problem *p, void **prepared);
void gls_glm_point_destroy(gls_problem *p, void *prepared);
gls_status gls_glm_point_set(gls_problem *p, void *prepared, const gls_real *w);
gls_status gls_glm_evaluation_create(gls_problem *p, int64_t max_rows, unsigned want, gls_mode mode, void **self);
void gls_glm_evaluation_destroy(gls_problem *p, void *self);
gls_status gls_glm_forward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                           double *meet);
gls_status gls_glm_losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *losses);
gls_status gls_glm_scores(gls_problem *p, void *self, const gls_evaluate_args *args, double *sums);
gls_status gls_glm_outputs(gls_problem *p, void *self, const gls_evaluate_args *args, gls_real *out);
gls_status gls_glm_gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                            const double *weights, gls_sink *sink);
int64_t gls_glm_tiles(gls_problem *p);
gls_status gls_glm_gradient_tile(gls_problem *p, void *const *self, const gls_evaluate_args *const *args, int64_t count,
                                 gls_product product, const double *const *weights, int64_t tile, gls_real *g);
gls_status gls_glm_norms(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                         double *out);
gls_status gls_glm_inner(gls_problem *p, void *self, const gls_evaluate_args *args, const gls_partition *partition,
                         const gls_point *v, double *out);
void gls_glm_cost(gls_problem *p, double *multiply_adds, double *bytes);

#define GLS_GLM_VERBS                                                                                           \
    .self_size = sizeof(gls_glm), .mixes = true, .point_create = gls_glm_point_create,                          \
    .point_destroy = gls_glm_point_destroy, .point_set = gls_glm_point_set,                                     \
    .evaluation_create = gls_glm_evaluation_create, .evaluation_destroy = gls_glm_evaluation_destroy,           \
    .forward = gls_glm_forward, .losses = gls_glm_losses, .scores = gls_glm_scores, .outputs = gls_glm_outputs, \
    .gradient = gls_glm_gradient, .tiles = gls_glm_tiles, .gradient_tile = gls_glm_gradient_tile,               \
    .norms = gls_glm_norms, .inner = gls_glm_inner, .onnx = gls_glm_onnx, .cost = gls_glm_cost

/* Rows [begin, end) of a slice: G [k, ldg], which holds features [low, high), += sum weights[i] residual_i x_i^T. */
void gls_glm_add_rows(const gls_problem *p, const gls_batch *rows, const gls_real *residual, const double *weights,
                      int64_t begin, int64_t end, int64_t low, int64_t high, gls_real *g, int64_t ldg);
/* <row of V [p], x_i> in double. */
double gls_glm_row_dot(const gls_glm *glm, const gls_batch *rows, int64_t i, const gls_real *v);
/* <x_i, x_j> in double. */
double gls_glm_rows_dot(const gls_glm *glm, const gls_batch *rows, int64_t i, int64_t j);

#endif
