/* glissade/predict.h: a trained model from one file: rows in, outputs out, and scores of them. */
#ifndef GLISSADE_PREDICT_H
#define GLISSADE_PREDICT_H

#include <glissade/base.h>
#include <glissade/data.h>
#include <glissade/problem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- a trained model ---- */

/* What final.safetensors or a checkpoint of a run holds: model, weights, and what its rows go through before. */
typedef struct gls_predictor gls_predictor;
/* Reads one file; nothing else of the run is needed. Weights may be F64, F32, F16 or BF16, whatever this build computes
 * in; arrays that prediction does not need are left alone. GLS_ERR_INPUT for a file that does not describe its model,
 * GLS_ERR_NONFINITE for weights that are not finite. */
GLS_API gls_status gls_predictor_open(gls_context *ctx, const char *path, gls_predictor **out);
GLS_API void gls_predictor_destroy(gls_predictor *predictor);
/* For gls_problem_prediction, gls_problem_predict and gls_problem_classify, which say what outputs mean. */
GLS_API const gls_problem *gls_predictor_problem(const gls_predictor *predictor);
/* Numbers that a row's outputs have. */
GLS_API int64_t gls_predictor_outputs(const gls_predictor *predictor);
/* How rows look as they are handed in, and after the transforms: the second has the names of the classes. */
GLS_API const gls_data_info *gls_predictor_file_info(const gls_predictor *predictor);
GLS_API const gls_data_info *gls_predictor_input_info(const gls_predictor *predictor);
/* The data format or generator that the model was trained from. */
GLS_API const char *gls_predictor_format(const gls_predictor *predictor);

/* Rows of a file, gone through what the model's training data went through, with what was learned there: for
 * GLS_PART_ROWS without targets, for GLS_PART_TEST with them. format NULL: that of the training data with its options;
 * another one has its defaults. */
GLS_API gls_status gls_predictor_rows(gls_predictor *predictor, const char *format, const char *path, gls_part part,
                                      gls_source **out);
/* The same for a source of your own, like gls_predictor_file_info; takes it, also when it fails. */
GLS_API gls_status gls_predictor_prepare(gls_predictor *predictor, gls_source *source, gls_source **out);
/* The outputs of such rows: out [examples, gls_predictor_outputs], on all threads of the context. The same bits on any
 * number of them. To answer on several threads of your own at once, open the file once for each, in a context of its
 * own. */
GLS_API gls_status gls_predictor_run(gls_predictor *predictor, const gls_source *rows, gls_real *out);

/* Writes the model with its transforms as an ONNX file (opset 17), in single precision. Input "input" [batch, shape of
 * a row of the file], or "tokens" [batch, length]; outputs "output", and of classes "label" (from 0) and, where the
 * model has them, "probabilities". Names of classes are the metadata "classes", a JSON list; those of a
 * table's features "features", with "fill" for missing values. GLS_ERR_UNSUPPORTED for a
 * model or transform that has no form there, and in a build without ONNX. */
GLS_API gls_status gls_predictor_export(gls_predictor *predictor, const char *path);

/* ---- text from a language model ---- */

typedef struct gls_predictor_sampling {
    size_t size;
    const char *prompt; /* what the text begins with; NULL or "": a new line */
    int64_t length;     /* tokens to add */
    double temperature; /* outputs are divided by it before the softmax; 0: the likeliest token every time */
    int64_t top_k;      /* draws from the k likeliest tokens only; 0: from all */
    uint64_t seed;      /* the same seed, the same text, on any number of threads */
    /* Where the text outgrows a row and nothing is carried: the tokens that the next row begins with, at most a row; 0:
     * a row less one, so that each token sees as many as can be, and takes an evaluation of the whole row. */
    int64_t keep;
} gls_predictor_sampling;
typedef struct gls_predictor_text {
    int64_t prompt, tokens; /* those of the prompt come first */
    int32_t *token;         /* [tokens], named by gls_predictor_input_info */
    char *text;             /* of all tokens: words parted by blanks; ends with a NUL behind its bytes */
    int64_t bytes;
} gls_predictor_text;
/* Adds tokens to a prompt, each drawn from what the model says after the ones before, of which it sees the last
 * info.length at most. GLS_ERR_UNSUPPORTED for models of anything but text; GLS_ERR_INPUT for a prompt with a word that
 * the model's vocabulary does not have, or with more tokens than the model sees; GLS_ERR_NONFINITE. */
GLS_API gls_status gls_predictor_sample(gls_predictor *predictor, const gls_predictor_sampling *options,
                                        gls_predictor_text *out);
GLS_API void gls_predictor_text_clear(gls_context *ctx, gls_predictor_text *text);

/* ---- scores ---- */

/* What rows are scored as; a score belongs to one or more. */
enum {
    GLS_TASK_CLASSES = 1,
    GLS_TASK_VALUES = 2,
    GLS_TASK_TOKENS = 4,
    GLS_TASK_MASKED = 8,
    GLS_TASK_SPANS = 16,
    GLS_TASK_FRAMES = 32,
    GLS_TASK_SEQUENCES = 64
};

typedef struct gls_score_type {
    const char *name, *help;
    unsigned tasks;
    bool lower; /* smaller is better */
} gls_score_type;
GLS_API const gls_score_type *gls_score_type_at(int64_t i); /* NULL at the end */

enum { GLS_SCORES_MAX = 12 };
/* Counts and means over examples alike, for tokens over the tokens that have a target. */
typedef struct gls_scores {
    int64_t examples;
    double loss; /* of the model's own objective, by mass: what the run calls its test loss */
    int count;
    const char *name[GLS_SCORES_MAX]; /* of gls_score_type */
    double value[GLS_SCORES_MAX];
    int64_t classes;                 /* of the tables below; 0: none (values, tokens) */
    int64_t *confusion;              /* [classes, classes] examples of class (row) that were predicted as (column) */
    double *recall, *precision, *f1; /* [classes]; NaN for what has no examples */
} gls_scores;
/* Scores of rows with targets. */
GLS_API gls_status gls_predictor_score(gls_predictor *predictor, const gls_source *rows, gls_scores *out);
GLS_API void gls_scores_clear(gls_context *ctx, gls_scores *scores);

#ifdef __cplusplus
}
#endif
#endif
