/* Analytic functions as problems. A function gives the value and a generalised gradient of one example; analytic.c adds
 * the rest: evaluation, noise in training, exact oracle, constants. One file per function, one row in table.c. */
#ifndef GLS_PROBLEM_ANALYTIC_H
#define GLS_PROBLEM_ANALYTIC_H

#include <glissade/problem.h>

#include "problem/analytic/oracle_noise.h"

typedef struct gls_function_type gls_function_type;

/* The head of every function's own struct (problem->self). setup fills it. */
typedef struct gls_function {
    const gls_function_type *type;
    gls_context *ctx;
    int64_t dim;      /* d */
    int64_t examples; /* 1 unless setup says otherwise */
    gls_constants known;
    gls_real *minimizer; /* owned; known.minimizer points to it */
    gls_oracle_noise *noise;
} gls_function;

struct gls_function_type {
    gls_problem_type problem; /* with GLS_FUNCTION_VERBS; self_size is that of the function's own struct */
    /* Reads options; fills dim, examples, known; adds blocks to p->layout (none: one block "w" of dim). */
    gls_status (*setup)(gls_problem *p, const void *options);
    void (*dispose)(gls_problem *p); /* NULL: nothing of its own */
    /* f_i(w). Unless g is NULL, g [dim] becomes a generalised gradient of f_i at w; with a direction, one with
     * <g, direction> = f_i'(w; direction). */
    double (*evaluate)(const void *self, int64_t example, const gls_real *w, const gls_real *direction, gls_real *g);
    void (*start)(const void *self, uint64_t seed, gls_real *w); /* NULL: standard normal coordinates */
};

/* Every function's options struct begins with these, its table with GLS_FUNCTION_OPTIONS. */
typedef struct gls_function_options {
    const gls_value *noise;
} gls_function_options;
#define GLS_FUNCTION_OPTIONS                  \
    GLS_VALUE(                                \
        "noise", gls_function_options, noise, \
        "noise of the gradient in training: a name or {name: student, scale: 1, ...}; see `glissade list noises`")

gls_status gls_function_create(gls_problem *p, const void *options, const gls_data_info *data);
void gls_function_destroy(gls_problem *p);
gls_status gls_function_initialize(gls_problem *p, uint64_t seed, gls_real *w);
gls_status gls_function_evaluation_create(gls_problem *p, int64_t max_rows, unsigned want, gls_mode mode, void **self);
void gls_function_evaluation_destroy(gls_problem *p, void *self);
gls_status gls_function_forward(gls_problem *p, void *self, const gls_evaluate_args *args, int stage, const double *met,
                                double *meet);
gls_status gls_function_losses(gls_problem *p, void *self, const gls_evaluate_args *args, double *losses);
gls_status gls_function_gradient(gls_problem *p, void *self, const gls_evaluate_args *args, gls_product product,
                                 const double *weights, gls_sink *sink);
#define GLS_FUNCTION_VERBS                                                                                      \
    .create = gls_function_create, .destroy = gls_function_destroy, .initialize = gls_function_initialize,      \
    .evaluation_create = gls_function_evaluation_create, .evaluation_destroy = gls_function_evaluation_destroy, \
    .forward = gls_function_forward, .losses = gls_function_losses, .gradient = gls_function_gradient

/* For setup: the minimiser with every coordinate equal to x (known.minimizer then points to it). */
gls_status gls_function_minimizer(gls_function *f, double x);
/* A standard normal direction of length 1 in [dim], keyed by (seed, purpose, slot). */
void gls_function_direction(uint64_t seed, const char *purpose, uint32_t slot, int64_t dim, gls_real *x);

extern const gls_function_type gls_function_adam_divergence, gls_function_bent_quadratic, gls_function_clipped_norm,
    gls_function_exponential, gls_function_geman_mcclure, gls_function_max_affine, gls_function_power,
    gls_function_quadratic, gls_function_relu_net, gls_function_resisting, gls_function_resisting_gradient,
    gls_function_rosenbrock, gls_function_sawtooth, gls_function_sines, gls_function_slow_linear,
    gls_function_sphere_sum, gls_function_steep_exponential, gls_function_zero_chain, gls_function_zigzag;

#endif
