/* Experiments from text, in folders that vanish. */
#ifndef TEST_EXPERIMENT_SUPPORT_H
#define TEST_EXPERIMENT_SUPPORT_H

#include "run/support.h"

#include <glissade/experiment.h>
#include <jansson.h>

/* FOLDER/NAME/experiment.yaml; its folder is path. */
static inline void write_experiment(gls_context *ctx, const char *folder, const char *name, const char *text,
                                    char path[160]) {
    char file[200];
    snprintf(path, 160, "%s/%s", folder, name);
    assert_ok(ctx, gls_make_directory(ctx, path));
    snprintf(file, sizeof file, "%s/experiment.yaml", path);
    assert_ok(ctx, gls_write_text(ctx, file, text));
}

#endif
