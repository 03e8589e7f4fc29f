/* The files checkpoints/step-NUMBER.safetensors: numbers of twelve digits, so that their names sort by step. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "run/loop/checkpoints.h"

static int descending(const void *a, const void *b) {
    return strcmp(*(char *const *)b, *(char *const *)a);
}

void gls_checkpoints_free(gls_context *ctx, char **names, int64_t count) {
    for (int64_t i = 0; i < count; i++) gls_free(ctx, names[i]);
    gls_free(ctx, names);
}

/* A file of another name in the folder is ignored: "step-" and ".safetensors" are 5 and 12 characters. */
gls_status gls_checkpoints_list(gls_context *ctx, const char *folder, char ***names, int64_t *count) {
    *names = NULL;
    *count = 0;
    DIR *dir = opendir(folder);
    gls_status status = GLS_OK;
    for (struct dirent *e; dir && status == GLS_OK && (e = readdir(dir));) {
        size_t length = strlen(e->d_name);
        if (strncmp(e->d_name, "step-", 5) != 0 || length < 17 || strcmp(e->d_name + length - 12, ".safetensors") != 0)
            continue;
        char **grown = gls_resize(ctx, *names, *count + 1, sizeof **names);
        if (grown) *names = grown;
        char *path = grown ? gls_sprintf(ctx, "%s/%s", folder, e->d_name) : NULL;
        if (path)
            (*names)[(*count)++] = path;
        else
            status = GLS_ERR_MEMORY;
    }
    if (dir) closedir(dir);
    if (*count) qsort(*names, (size_t)*count, sizeof **names, descending);
    return status;
}

gls_status gls_checkpoints_newest(gls_context *ctx, const char *folder, gls_tensors **out) {
    char **names;
    int64_t count;
    *out = NULL;
    gls_status status = gls_checkpoints_list(ctx, folder, &names, &count), last = status;
    for (int64_t i = 0; i < count && status == GLS_OK && !*out; i++) {
        last = gls_tensors_open(ctx, names[i], out);
        if (last == GLS_ERR_MEMORY)
            status = last;
        else if (last != GLS_OK)
            gls_log(ctx, GLS_LOG_WARNING, "%s; trying an older checkpoint", gls_context_message(ctx));
    }
    gls_checkpoints_free(ctx, names, count);
    if (status == GLS_OK && count && !*out)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: none of its %lld checkpoints can be read", folder, (long long)count);
    return status;
}
