/* The files checkpoints/step-NUMBER.safetensors of a run folder. */
#ifndef GLS_RUN_CHECKPOINTS_H
#define GLS_RUN_CHECKPOINTS_H

#include "run/tensors.h"

/* Their paths, newest first. A folder that is not there has none. */
gls_status gls_checkpoints_list(gls_context *ctx, const char *folder, char ***names, int64_t *count);
void gls_checkpoints_free(gls_context *ctx, char **names, int64_t count);
/* The newest that can be read, NULL if there is none. For damaged ones there is a warning. */
gls_status gls_checkpoints_newest(gls_context *ctx, const char *folder, gls_tensors **out);

#endif
