/* glissade/model.h: networks. A model is a problem: made here by name, and used through problem.h. */
#ifndef GLISSADE_MODEL_H
#define GLISSADE_MODEL_H

#include <glissade/options.h>
#include <glissade/data.h>
#include <glissade/problem.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Makes a problem by name: a model family ("mlp", "convnet", "resnet", "layers"), or any problem that
 * gls_problem_create knows ("logistic", ...). options: the model section as a map (its key `name` is ignored), or
 * NULL. GLS_ERR_ARGUMENT with a sentence for an unknown name or option, or a shape that does not fit the data. */
GLS_API gls_status gls_model_create(gls_context *ctx, const char *name, const gls_value *options,
                                    const gls_data_info *data, gls_problem **out);
/* Family i (built in, then registered), for lists and help; NULL at the end. */
GLS_API const gls_member *gls_model_family_at(gls_context *ctx, int64_t i);
/* Layer i that a plain sequence of layers may name; NULL at the end. */
GLS_API const gls_member *gls_model_layer_at(gls_context *ctx, int64_t i);

/* One layer of a network, for people. */
typedef struct gls_layer_summary {
    const char *name, *op, *implementation;
    int64_t shape[3];     /* of its output: channels, height, width; [features, 1, 1] */
    int64_t parameters;   /* of its own; tied ones count where they are first used */
    double multiply_adds; /* forward, one example */
} gls_layer_summary;

/* How many layers a network has; 0 for a problem that is not a network. */
GLS_API int64_t gls_model_layers(const gls_problem *problem);
GLS_API gls_status gls_model_summary(const gls_problem *problem, int64_t layer, gls_layer_summary *out);
/* Describes any problem for people: its parameters and outputs, how examples couple, and its blocks; for a network, in
 * place of the blocks, each layer with its formula, the shapes of input and output, parameters, and multiply-adds of
 * one example. From gls_alloc. */
GLS_API char *gls_problem_view(const gls_problem *problem);

#ifdef __cplusplus
}
#endif
#endif
