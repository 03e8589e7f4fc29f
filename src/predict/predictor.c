/* A trained model from its file: the problem, its weights and state, the transforms of its rows. */
#include "predict/predictor.h"

#include <string.h>

#include "base/tensors.h"
#include "data/source.h"
#include "estimator/streams.h"

/* ---- reading ---- */

/* What transforms keep as gls_real the other build has kept in its own precision. */
static gls_status to_own_precision(gls_arena *arena, gls_array *array) {
    bool other = (array->dtype == GLS_F32 || array->dtype == GLS_F64) && array->dtype != GLS_DTYPE_REAL;
    if (!other || array->dims != 1) return GLS_OK;
    gls_real *own = gls_arena_alloc(arena, array->shape[0], sizeof *own);
    if (!own) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < array->shape[0]; i++)
        own[i] = array->dtype == GLS_F32 ? (gls_real)((float *)array->data)[i] : (gls_real)((double *)array->data)[i];
    array->data = own;
    array->dtype = GLS_DTYPE_REAL;
    return GLS_OK;
}

static gls_status read_fitted(gls_predictor *p, gls_tensors *file) {
    gls_arrays arrays = {0};
    gls_status status = gls_tensors_load(file, GLS_TRAINED_TRANSFORMS, p->trained.arena, &arrays);
    for (int64_t i = 0; status == GLS_OK && i < arrays.count; i++)
        status = to_own_precision(p->trained.arena, &arrays.item[i]);
    if (status == GLS_OK) status = gls_fitted_create(p->ctx, GLS_TRAINED_TRANSFORMS, &arrays, &p->fitted);
    gls_arrays_clear(p->ctx, &arrays);
    return status;
}

/* In a checkpoint the state has a prefix, in final.safetensors it has none. */
static gls_status read_weights(gls_predictor *p, gls_tensors *file) {
    p->w = gls_alloc(p->ctx, gls_problem_size(p->problem), sizeof *p->w);
    if (!p->w) return GLS_ERR_MEMORY;
    GLS_TRY(gls_tensors_read_layout(file, gls_problem_layout(p->problem), "", p->w));
    const gls_block *first = gls_layout_block(p->problem->state_layout, 0);
    if (!first) return GLS_OK;
    const char *prefix = gls_tensors_has(file, first->name) ? "" : "state/";
    return gls_tensors_read_layout(file, p->problem->state_layout, prefix, p->problem->state);
}

static gls_status read_model(gls_predictor *p, const char *path, gls_tensors *file) {
    const char *note = gls_tensors_note(file, GLS_TRAINED_NOTE);
    if (!note)
        return gls_fail(p->ctx, GLS_ERR_INPUT,
                        "%s: the file has weights, but does not say of what model: expected a file that a run of this "
                        "version wrote",
                        path);
    GLS_TRY(gls_trained_read(p->ctx, path, note, &p->trained));
    GLS_TRY(gls_model_create(p->ctx, gls_value_get(p->trained.model, "name")->text, p->trained.model, &p->trained.input,
                             &p->problem));
    GLS_TRY(read_weights(p, file));
    GLS_TRY(read_fitted(p, file));
    GLS_TRY(gls_token_language_create(p->ctx, path, p->trained.options, &p->trained.input, &p->language));
    gls_pass_options options = {.size = sizeof options, .span = p->trained.span};
    return gls_pass_create(p->problem, &options, &p->pass);
}

gls_status gls_predictor_open(gls_context *ctx, const char *path, gls_predictor **out) {
    GLS_GIVEN(ctx, ctx, path, out);
    *out = NULL;
    gls_predictor *p = gls_alloc(ctx, 1, sizeof *p);
    if (!p) return GLS_ERR_MEMORY;
    p->ctx = ctx;
    gls_tensors *file = NULL;
    gls_status status = gls_tensors_open(ctx, path, &file);
    if (status == GLS_OK) status = read_model(p, path, file);
    gls_tensors_close(file);
    if (status == GLS_OK)
        *out = p;
    else
        gls_predictor_destroy(p);
    return status;
}

void gls_predictor_destroy(gls_predictor *p) {
    if (!p) return;
    gls_context *ctx = p->ctx;
    gls_pass_destroy(p->pass);
    gls_problem_destroy(p->problem);
    gls_fitted_destroy(p->fitted);
    gls_token_language_clear(&p->language);
    gls_trained_clear(ctx, &p->trained);
    gls_free(ctx, p->w);
    gls_free(ctx, p);
}

/* ---- what it is ---- */

const gls_problem *gls_predictor_problem(const gls_predictor *predictor) {
    if (!predictor) return NULL;
    return predictor->problem;
}

int64_t gls_predictor_outputs(const gls_predictor *predictor) {
    if (!predictor) return 0;
    return predictor->problem->outputs;
}

const gls_data_info *gls_predictor_file_info(const gls_predictor *predictor) {
    if (!predictor) return NULL;
    return &predictor->trained.file;
}

const gls_data_info *gls_predictor_input_info(const gls_predictor *predictor) {
    if (!predictor) return NULL;
    return &predictor->trained.input;
}

const char *gls_predictor_format(const gls_predictor *predictor) {
    if (!predictor) return NULL;
    return predictor->trained.format;
}

/* ---- rows ---- */

gls_status gls_predictor_prepare(gls_predictor *p, gls_source *source, gls_source **out) {
    GLS_GIVEN(p ? p->ctx : NULL, p, source, out);
    const gls_data_info *info = &source->info, *input = &p->trained.file;
    *out = NULL;
    if (info->features != input->features || info->sparse != input->sparse || info->length != input->length) {
        gls_fail(p->ctx, GLS_ERR_INPUT, "rows of %lld %s features, but the model was trained on %lld %s",
                 (long long)info->features, info->sparse ? "sparse" : "dense", (long long)input->features,
                 input->sparse ? "sparse" : "dense");
        gls_source_destroy(source);
        return GLS_ERR_INPUT;
    }
    GLS_TRY(gls_transforms_apply_elsewhere(p->ctx, source, p->trained.transforms, p->trained.seed, p->fitted, out));
    gls_status status = gls_source_last_labels(p->ctx, p->problem->positions, out);
    if (status == GLS_OK) return GLS_OK;
    gls_source_destroy(*out);
    *out = NULL;
    return status;
}

gls_status gls_predictor_rows(gls_predictor *p, const char *format, const char *path, gls_part part, gls_source **out) {
    GLS_GIVEN(p ? p->ctx : NULL, p, path, out);
    const gls_trained *t = &p->trained;
    bool same = !format || strcmp(format, t->format) == 0;
    gls_source *source;
    *out = NULL;
    GLS_TRY(gls_source_open(p->ctx, same ? t->format : format, path, same ? t->options : NULL, NULL, part, &t->file,
                            &source));
    GLS_TRY(gls_predictor_prepare(p, source, out));
    gls_status status =
        part == GLS_PART_ROWS ? GLS_OK : gls_source_need_targets(p->ctx, path, *out, p->problem->positions);
    if (status == GLS_OK) return GLS_OK;
    gls_source_destroy(*out);
    *out = NULL;
    return status;
}

/* Widths are compared where batches are read; the number of a word is not, and rows need not be prepared ones. */
gls_status gls_predictor_loader(gls_predictor *p, const gls_source *rows, gls_loader **loader) {
    if (rows->info.vocabulary > p->trained.input.vocabulary)
        return gls_fail(p->ctx, GLS_ERR_INPUT, "rows of tokens out of %lld, but the model knows %lld",
                        (long long)rows->info.vocabulary, (long long)p->trained.input.vocabulary);
    gls_loader_options options = {.size = sizeof options,
                                  .wave = gls_pass_plan(p->pass, rows->info.examples).wave,
                                  .align = 1,
                                  .seed = p->trained.seed};
    return gls_loader_create(p->ctx, rows, &options, loader);
}

gls_status gls_predictor_run(gls_predictor *p, const gls_source *rows, gls_real *out) {
    GLS_GIVEN(NULL, p, rows, out);
    gls_loader *loader = NULL;
    if (rows->info.examples < 1) return GLS_OK;
    gls_status status = gls_predictor_loader(p, rows, &loader);
    if (status == GLS_OK) status = gls_pass_outputs_whole(p->pass, &rows->info, loader, p->w, out);
    gls_loader_destroy(loader);
    return status;
}
