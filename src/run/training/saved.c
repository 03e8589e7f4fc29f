/* What a file of weights says about the model in it, so that rows can be predicted without the run. */
#include <string.h>

#include "predict/trained.h"
#include "run/training/training.h"

static bool belongs_to_section(const char *key) {
    for (const char *const *own = gls_config_data_keys; *own; own++)
        if (strcmp(*own, key) == 0) return true;
    return false;
}

/* The data section's options of its format. */
static gls_status format_options(gls_training *t, gls_value **out) {
    const gls_value *section = gls_value_get(t->config, "data");
    gls_value *map = *out = gls_value_create(t->ctx, GLS_VALUE_MAP, "options", NULL);
    if (!map) return GLS_ERR_MEMORY;
    for (int64_t i = 0; section && i < section->count; i++) {
        if (belongs_to_section(section->items[i]->key)) continue;
        gls_value *copy = gls_value_clone(t->ctx, section->items[i]);
        GLS_TRY(copy ? gls_value_append(t->ctx, map, copy) : GLS_ERR_MEMORY);
    }
    return GLS_OK;
}

gls_status gls_training_describe(gls_training *t, gls_arrays *arrays, char **note) {
    gls_value *options = NULL;
    gls_trained trained = {.model = gls_value_get(t->config, "model"),
                           .transforms = t->set.transforms,
                           .format = gls_config_data_format(t->data),
                           .file = t->set.read,
                           .input = t->set.train->info,
                           .seed = (uint64_t)t->train->seed,
                           .span = t->train->bn_span};
    gls_status status = format_options(t, &options);
    trained.options = options && options->count ? options : NULL;
    const gls_fitted *fitted = gls_source_fitted(t->set.train);
    if (status == GLS_OK && fitted) status = gls_fitted_arrays(fitted, GLS_TRAINED_TRANSFORMS, arrays);
    if (status == GLS_OK) status = gls_trained_text(t->ctx, &trained, note);
    gls_value_destroy(t->ctx, options);
    return status;
}
