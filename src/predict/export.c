/* A trained model as an ONNX file: what its rows go through, the problem, what its outputs mean. */
#include "predict/predictor.h"

#include <jansson.h>
#include <stdlib.h>

#include "data/source.h"
#include "onnx/onnx.h"

typedef struct export {
    gls_predictor *p;
    gls_onnx *to;
    gls_prediction prediction;
    int dims; /* of outputs, without the batch: [positions, k] or [k] */
    int64_t shape[2];
}
export;

static const char *begin(const export *e) {
    const gls_data_info *info = &e->p->trained.file;
    if (info->vocabulary) return gls_onnx_input(e->to, "tokens", GLS_ONNX_WHOLE, 1, &info->length);
    if (!info->dims) return gls_onnx_input(e->to, "input", GLS_ONNX_FLOAT, 1, &info->features);
    return gls_onnx_input(e->to, "input", GLS_ONNX_FLOAT, info->dims, info->shape);
}

/* Of one number z a prediction: class 1 where z > 0, with probability 1 / (1 + e^-z). */
static void one_number(const export *e, const char *z) {
    gls_onnx *to = e->to;
    int64_t wide[2] = {e->shape[0], 2};
    if (e->p->problem->link == GLS_LINK_LOGISTIC) {
        const char *p = gls_onnx_node(to, "Sigmoid", "second", GLS_ONNX_ARGS(z), NULL);
        const char *rest = gls_onnx_node(to, "Sub", "first", GLS_ONNX_ARGS(gls_onnx_real(to, "one", 1), p), NULL);
        const char *both =
            gls_onnx_node(to, "Concat", "both", GLS_ONNX_ARGS(rest, p), GLS_ONNX_WITH(GLS_ONNX_INT("axis", -1)));
        gls_onnx_output(to, "probabilities", both, GLS_ONNX_FLOAT, e->dims, e->dims == 2 ? wide : wide + 1);
    }
    const char *above = gls_onnx_node(to, "Greater", "above", GLS_ONNX_ARGS(z, gls_onnx_real(to, "zero", 0)), NULL);
    enum { INT64 = 7 }; /* ONNX's number of that type */
    const char *label =
        gls_onnx_node(to, "Cast", "whole", GLS_ONNX_ARGS(above), GLS_ONNX_WITH(GLS_ONNX_INT("to", INT64)));
    const int64_t last = -1;
    label = gls_onnx_node(to, "Squeeze", "class", GLS_ONNX_ARGS(label, gls_onnx_ints(to, "last", 1, &last)), NULL);
    gls_onnx_output(to, "label", label, GLS_ONNX_WHOLE, e->dims - 1, e->shape);
}

static void a_number_a_class(const export *e, const char *z) {
    gls_onnx *to = e->to;
    gls_link link = e->p->problem->link;
    if (link == GLS_LINK_SOFTMAX || link == GLS_LINK_SEQUENCE) {
        const char *shares =
            gls_onnx_node(to, "Softmax", "shares", GLS_ONNX_ARGS(z), GLS_ONNX_WITH(GLS_ONNX_INT("axis", -1)));
        gls_onnx_output(to, "probabilities", shares, GLS_ONNX_FLOAT, e->dims, e->shape);
    }
    if (link == GLS_LINK_SEQUENCE) return; /* which frames make one label is the reader's to say */
    const char *label = gls_onnx_node(to, "ArgMax", "class", GLS_ONNX_ARGS(z),
                                      GLS_ONNX_WITH(GLS_ONNX_INT("axis", -1), GLS_ONNX_INT("keepdims", 0)));
    gls_onnx_output(to, "label", label, GLS_ONNX_WHOLE, e->dims - 1, e->shape);
}

static void end(const export *e, const char *z) {
    gls_link link = e->p->problem->link;
    gls_onnx_output(e->to, "output", z, GLS_ONNX_FLOAT, e->dims, e->shape);
    if (link == GLS_LINK_LOGISTIC || link == GLS_LINK_SIGN) one_number(e, z);
    if (link == GLS_LINK_SOFTMAX || link == GLS_LINK_LARGEST || link == GLS_LINK_SEQUENCE) a_number_a_class(e, z);
}

static void note_json(const export *e, const char *key, json_t *list) {
    char *text = json_dumps(list, JSON_COMPACT);
    if (text) gls_onnx_note(e->to, key, text);
    free(text);
    json_decref(list);
}

static void note_list(const export *e, const char *key, const char *const *name, int64_t count) {
    json_t *list = json_array();
    for (int64_t k = 0; k < count; k++) json_array_append_new(list, json_string(name[k]));
    note_json(e, key, list);
}

/* A table's columns as inputs in order, "city=Rome" being 1 where the text is that, and what stands for a missing
 * value. */
static void note_table(const export *e) {
    const gls_data_info *info = &e->p->trained.file;
    if (!info->feature_names) return;
    note_list(e, "features", info->feature_names, info->features);
    if (!info->feature_fill) return;
    json_t *list = json_array();
    for (int64_t k = 0; k < info->features; k++) json_array_append_new(list, json_real((double)info->feature_fill[k]));
    note_json(e, "fill", list);
}

/* Names of classes, and of tokens where these are others, as JSON lists. */
static void note(const export *e) {
    const gls_data_info *info = &e->p->trained.input;
    note_table(e);
    gls_onnx_note(e->to, "model", e->p->problem->type->member.name);
    if (info->class_names && e->prediction.classes) note_list(e, "classes", info->class_names, info->classes);
    if (info->token_names) note_list(e, "tokens", info->token_names, info->vocabulary);
}

static gls_status write(export *e, const char *path) {
    gls_predictor *p = e->p;
    const char *value = begin(e), *output = NULL;
    if (!p->problem->type->onnx)
        return gls_fail(p->ctx, GLS_ERR_UNSUPPORTED, "model '%s' has no form in ONNX", p->problem->type->member.name);
    GLS_TRY(gls_onnx_status(e->to));
    GLS_TRY(gls_transforms_onnx(p->ctx, p->trained.transforms, &p->trained.file, p->fitted, e->to, &value));
    GLS_TRY(p->problem->type->onnx(p->problem, p->w, e->to, value, &output));
    end(e, output);
    note(e);
    return gls_onnx_write(e->to, path);
}

gls_status gls_predictor_export(gls_predictor *p, const char *path) {
    GLS_GIVEN(p ? p->ctx : NULL, p, path);
    export e = {.p = p, .prediction = gls_problem_prediction(p->problem)};
    int64_t positions = e.prediction.positions, width = p->problem->outputs / positions;
    gls_target_kind target = p->problem->data.target;
    e.dims = gls_target_by_position(target) || target == GLS_TARGET_SPAN ? 2 : 1;
    e.shape[0] = e.dims == 2 ? positions : width;
    e.shape[1] = width;
    GLS_TRY(gls_onnx_create(p->ctx, &e.to));
    gls_status status = write(&e, path);
    gls_onnx_destroy(e.to);
    return status;
}
