/* Transform flip: images mirrored left to right, every other one, when rows are augmented. */
#include "data/source.h"
#include "data/table.h"

static gls_status fetch_flip(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows) {
    GLS_TRY(gls_wrapper_fetch(source, ctx, fetch, rows));
    if (!fetch->augment || !rows->x) return GLS_OK;
    const gls_data_info *info = &source->info;
    int64_t width = info->shape[2], lines = info->features / width;
    for (int64_t i = 0; i < fetch->count; i++) {
        gls_random random = gls_random_create(fetch->seed, "flip", fetch->draw, (uint32_t)fetch->slot[i]);
        if (gls_random_u32(&random) & 1) continue;
        for (int64_t l = 0; l < lines; l++) {
            gls_real *line = rows->x + i * info->features + l * width;
            for (int64_t a = 0, b = width - 1; a < b; a++, b--) {
                gls_real kept = line[a];
                line[a] = line[b];
                line[b] = kept;
            }
        }
    }
    return GLS_OK;
}

static const gls_source_ops flip_ops = {fetch_flip, gls_wrapper_destroy};

static gls_status apply_flip(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                             const gls_learned *learned, gls_source **out) {
    if (source->info.dims != 3 || source->info.sparse)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "transform flip: the data are not images [channels, height, width]");
    return gls_wrapper_create(ctx, sizeof(gls_owned_source), &flip_ops, source, (void **)out);
}

const gls_transform gls_transform_flip = {
    .member = {"flip", "mirrors a training image left to right with probability 1/2 at every draw", "[N] 5.2", NULL, 0},
    .train_only = true,
    .apply = apply_flip,
};
