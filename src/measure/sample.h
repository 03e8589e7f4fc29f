/* A measure's examples: which of the training set it reads, and the questions it asks of them. Every array by row is
 * the same on all ranks. */
#ifndef GLS_MEASURE_SAMPLE_H
#define GLS_MEASURE_SAMPLE_H

#include <glissade/measure.h>

typedef struct gls_sample {
    const gls_measure_input *in;
    gls_context *ctx;
    int64_t count;  /* m */
    int64_t *index; /* [count] into the source */
    int64_t population;
    bool whole; /* every training example, in order */
    gls_mode mode;
    const gls_source *source;
    int64_t align; /* rows that stay together on a rank; set before the first question */
    gls_loader *loader;
    gls_random random; /* the measure's own stream, past the choice of examples */
    double doubt;      /* the largest gls_pass_hessian_doubt of its Hessian products */
} gls_sample;

/* Examples of the training set. */
int64_t gls_sample_population(const gls_measure_input *in);
/* Draws `size` training examples without replacement (-1, or more than there are: all of them, in order). The choice
 * depends on seed, purpose and draw alone. */
gls_status gls_sample_create(const gls_measure_input *in, const char *purpose, uint64_t draw, int64_t size,
                             gls_mode mode, gls_sample *sample);
/* The same over the first `size` examples of any source (-1: all), in order. */
gls_status gls_sample_of_source(const gls_measure_input *in, const gls_source *source, int64_t size, gls_mode mode,
                                gls_sample *sample);
void gls_sample_destroy(gls_sample *sample); /* a zeroed one is legal */
/* `count` of its examples without replacement into index [count], by the sample's own stream. */
gls_status gls_sample_batch(gls_sample *sample, int64_t count, int64_t *index);

/* Sum of the gradients over these examples divided by their mass into g [d] (NULL: the loss alone). */
gls_status gls_sample_mean(gls_sample *sample, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                           gls_real *g, double *loss, double *mass);
/* By row of these examples, each array [count] or NULL: loss f_i, squared norm of its gradient, inner product with v
 * [d]. GLS_ERR_UNSUPPORTED from a problem whose examples are coupled. */
typedef struct gls_sample_figures {
    double *loss, *norm2, *inner;
    gls_real *g; /* [d] the sum of the gradients, or NULL */
    double mass; /* of all rows; filled */
} gls_sample_figures;
gls_status gls_sample_rows(gls_sample *sample, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                           const gls_real *v, gls_sample_figures *out);
/* Squared norms of the sums over groups of `group` consecutive examples: out [ceil(count / group)]. */
gls_status gls_sample_groups(gls_sample *sample, const int64_t *index, int64_t count, int64_t group, uint64_t draw,
                             const gls_real *w, double *out);
/* Sum over these examples of factor_i g_i into g [d], factor [count]; no example's own gradient is formed. */
gls_status gls_sample_weighted(gls_sample *sample, const int64_t *index, int64_t count, uint64_t draw,
                               const gls_real *w, const double *factor, gls_real *g);
/* Every example's own gradient, once each, from several threads: row(user, i, g) with g [d] of example i. */
gls_status gls_sample_each(gls_sample *sample, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                           gls_status (*row)(void *user, int64_t i, const gls_real *g), void *user);
/* The same, and what the row leaves in g is added up over all examples into sum [d]. */
gls_status gls_sample_sum(gls_sample *sample, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                          gls_status (*row)(void *user, int64_t i, gls_real *g), void *user, gls_real *sum);
/* Sum over these examples of H v into out [d], divided by their mass. */
gls_status gls_sample_hessian(gls_sample *sample, const int64_t *index, int64_t count, uint64_t draw, const gls_real *w,
                              const gls_real *v, gls_real *out);

/* Says in a note where those products were differences that their widths decide. */
gls_status gls_sample_note_doubt(const gls_sample *sample, gls_measure_result *out);

/* Adds up over ranks what each left in x [n] for its own rows. */
gls_status gls_sample_share(gls_sample *sample, double *x, int64_t n, gls_status status);

/* A number for the randomness of one of a measure's passes: step and pass. */
uint64_t gls_sample_draw(const gls_measure_input *in, int64_t pass);

/* For costs: gradients that a Hessian product takes where it is exact, at most. */
enum { GLS_SAMPLE_PRODUCT = 3 };
/* For costs: a pass that forms every example's own gradient, beside one that does not; at work: one that also computes
 * on each. Measured on an mlp, where the gradient is as large as the work behind it, and on a convolutional network,
 * where it is small. */
static inline double gls_sample_singly(const gls_measure *m, bool at_work) {
    return 1.5 + (at_work ? 8 : 3) * m->breadth;
}
/* For costs: how many of `examples` a sample of that size (-1: all) reads; a mini-batch's own size, 0 being the run's.
 */
static inline double gls_sample_size(int64_t size, int64_t examples) {
    return (double)(size < 0 || size > examples ? examples : size);
}
static inline double gls_sample_batch_or(int64_t own, int64_t batch) {
    return (double)(own > 0 ? own : batch);
}

/* The options that most measures have. */
typedef struct gls_sample_options {
    int64_t sample;
    int mode; /* 0 train, 1 evaluate */
} gls_sample_options;
#define GLS_SAMPLE_OPTIONS(type, size, how)                                                                       \
    GLS_SIZE("sample", type, sample.sample, size, 1, 1e15,                                                        \
             "number of examples to read; all, or more than there are: the whole set", .flags = GLS_OPTION_AUTO), \
        GLS_ENUM("mode", type, sample.mode, how, "train|evaluate",                                                \
                 "as in training (dropout, augmentation, batch statistics) or as in evaluation")

#endif
