/* glissade/method.h: step rules. A method is a machine with two verbs: query says what it wants next, tell takes the
 * answer and may move w. It knows no model and no data. Formulas: docs/methods.md. */
#ifndef GLISSADE_METHOD_H
#define GLISSADE_METHOD_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gls_method gls_method;

typedef enum gls_query_kind {
    GLS_QUERY_GRADIENT, /* an estimate of the gradient at `at` */
    GLS_QUERY_VALUE,    /* the value there */
    GLS_QUERY_ORACLE,   /* value, and a generalised gradient g with <g, direction> = f'(at; direction) */
    GLS_QUERY_DONE      /* the method has ended; see gls_method_certificate (methods that give one) */
} gls_query_kind;

typedef struct gls_query {
    gls_query_kind kind;
    const gls_real *at;        /* [d]; w itself, or the method's own vector */
    const gls_real *direction; /* [d] or NULL: no direction */
    bool same_batch;           /* on the mini-batch of the previous answer, else on the next one */
} gls_query;

typedef struct gls_answer {
    double value;      /* of the objective, or NaN */
    const gls_real *g; /* [d], or NULL to a value query */
    double norm2;      /* |g|^2 from the estimator's last pass: finite if and only if g is; NaN: not known (g is then
                          read once more) */
    const double *block_norm2; /* per block, or NULL */
    double epoch;              /* for schedules in epochs */
} gls_answer;

/* What a step did, made in the pass it makes anyway. */
typedef struct gls_step_report {
    bool moved;             /* w was changed */
    bool refused;           /* the gradient was not finite: nothing was changed */
    double lr;              /* learning rate of this step */
    double gradient_norm;   /* before any clipping, after coupled weight decay is NOT added: |g| as handed in */
    double factor;          /* the factor a clipped or normalised method applied to its direction; 1 where none */
    double clipped;         /* fraction of coordinates clipped (cclip, acclip); 0 elsewhere */
    double update_norm;     /* |w_new - w_old| */
    int64_t nonfinite;      /* coordinates of g that are not finite, when refused */
    int64_t zero_gradients; /* steps so far whose gradient was zero where the method divides by its norm */
} gls_step_report;

typedef struct gls_method_options {
    size_t size;
    const gls_layout *layout; /* of w; borrowed for the method's life */
    const gls_value *spec;    /* the method section: {name: msgd, lr: 0.1, groups: [...]}; borrowed during create */
    double steps_per_epoch;   /* turns lengths in epochs into steps; 0: unknown */
    double total_steps;       /* T of poly and cosine schedules; 0: unknown */
    uint64_t seed;            /* for methods that draw */
} gls_method_options;

/* A method by the name in spec. GLS_ERR_ARGUMENT for unknown names and keys, negative or NaN rates and thresholds. */
GLS_API gls_status gls_method_create(gls_context *ctx, const gls_method_options *options, gls_method **out);
/* A method by name alone; then gls_method_set before the first step. */
GLS_API gls_status gls_method_create_named(gls_context *ctx, const char *name, int64_t parameters, gls_method **out);
GLS_API gls_status gls_method_set(gls_method *method, const char *key, double value);
GLS_API void gls_method_destroy(gls_method *method);
GLS_API const char *gls_method_name(const gls_method *method);

GLS_API gls_status gls_method_query(gls_method *method, const gls_real *w, gls_query *query);
/* A non-finite answer is refused: GLS_OK, report->refused is true, w and the method's state are as before. */
GLS_API gls_status gls_method_tell(gls_method *method, const gls_answer *answer, gls_real *w, gls_step_report *report);
/* The whole interface of someone's own loop, for methods that ask for the gradient at w: w [d] moves by g [d]; report
 * may be NULL. GLS_ERR_UNSUPPORTED for methods that ask elsewhere. */
GLS_API gls_status gls_method_step(gls_method *method, gls_real *w, const gls_real *g, gls_step_report *report);
/* True if the method asks for the gradient at w, once a step. */
GLS_API bool gls_method_plain(const gls_method *method);
/* Its named state, whole: everything a checkpoint needs. */
GLS_API gls_status gls_method_arrays(gls_method *method, const char *prefix, gls_arrays *arrays);
GLS_API int64_t gls_method_steps(const gls_method *method); /* told so far, refused ones left out */
/* Further figures of a method's last step by name (||u||, tau quantiles, ...). */
GLS_API void gls_method_record(const gls_method *method, gls_record *record);

#ifdef __cplusplus
}
#endif
#endif
