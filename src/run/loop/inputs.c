/* Data files are recognised again: data.json in the run folder says what was read from them, by size and a hash of the
 * bytes as the readers took them. A file may move; one that holds other bytes is another run's. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "run/loop/run.h"

enum { RECORD_LIMIT = 1 << 16 };

/* By gls_training_input: the key of the record, and where the configuration names the files. */
static const struct input {
    const char *key, *place;
} inputs[GLS_INPUTS] = {{"train", "data.train"}, {"validation", "data.validation"}, {"test", "data.test"},
                        {"tests", "data.tests"}, {"transforms", "data.transforms"}, {"method", "method.thresholds"}};

static gls_status digest_of(gls_run *run, const char *path, const json_t *record, const char *key,
                            gls_file_digest *out) {
    const json_t *one = json_object_get(record, key), *hash = json_object_get(one, "hash");
    int read = 0;
    unsigned long long bits = 0;
    *out = (gls_file_digest){0};
    if (!one) return GLS_OK;
    out->files = json_integer_value(json_object_get(one, "files"));
    out->bytes = json_integer_value(json_object_get(one, "bytes"));
    if (!json_is_string(hash) || sscanf(json_string_value(hash), "%16llx%n", &bits, &read) != 1 || read != 16)
        return gls_fail(run->ctx, GLS_ERR_INPUT, "%s: '%s' has no hash of 16 hexadecimal digits", path, key);
    out->hash = bits;
    return GLS_OK;
}

static gls_status compare(gls_run *run, const char *place, const gls_file_digest *then, const gls_file_digest *now) {
    if (then->files == now->files && then->bytes == now->bytes && then->hash == now->hash) return GLS_OK;
    return gls_fail(run->ctx, GLS_ERR_ARGUMENT,
                    "%s: %s: the run began with %lld bytes from %lld file%s and would go on with %lld from %lld "
                    "of %s content; a resumed run is the same run; begin another with --from %s",
                    run->folder, place, (long long)then->bytes, (long long)then->files, then->files == 1 ? "" : "s",
                    (long long)now->bytes, (long long)now->files, then->hash == now->hash ? "the same" : "other",
                    run->folder);
}

static gls_status check(gls_run *run, const char *path) {
    char *text = NULL;
    int64_t size;
    GLS_TRY(gls_read_file(run->ctx, path, RECORD_LIMIT, &text, &size));
    json_t *record = json_loads(text, 0, NULL);
    gls_free(run->ctx, text);
    gls_status status = json_is_object(record) ? GLS_OK : GLS_ERR_INPUT;
    if (status != GLS_OK) gls_fail(run->ctx, status, "%s: expected a JSON object", path);
    for (int i = 0; i < GLS_INPUTS && status == GLS_OK; i++) {
        gls_file_digest then;
        status = digest_of(run, path, record, inputs[i].key, &then);
        if (i == GLS_INPUT_METHOD && !then.files) continue; /* a record of before these were in it */
        if (status == GLS_OK) status = compare(run, inputs[i].place, &then, &run->training->set.input[i]);
    }
    json_decref(record);
    return status;
}

gls_status gls_inputs_check(gls_run *run) {
    char *path = NULL;
    GLS_TRY(gls_folder_path(run, "data.json", &path));
    run->recognised = gls_file_exists(path);
    gls_status status = run->recognised ? check(run, path) : GLS_OK;
    gls_free(run->ctx, path);
    return status;
}

static char *record_text(const gls_run *run) {
    json_t *record = json_object();
    for (int i = 0; i < GLS_INPUTS; i++) {
        const gls_file_digest *d = &run->training->set.input[i];
        char hash[17];
        snprintf(hash, sizeof hash, "%016llx", (unsigned long long)d->hash);
        if (d->files)
            json_object_set_new(record, inputs[i].key,
                                json_pack("{s:I, s:I, s:s}", "files", (json_int_t)d->files, "bytes",
                                          (json_int_t)d->bytes, "hash", hash));
    }
    char *text = record ? json_dumps(record, JSON_SORT_KEYS) : NULL;
    char *line = text ? gls_sprintf(run->ctx, "%s\n", text) : NULL;
    free(text);
    json_decref(record);
    return line;
}

gls_status gls_inputs_write(gls_run *run) {
    char *path = NULL, *text = NULL;
    GLS_TRY(gls_folder_path(run, "data.json", &path));
    gls_status status = GLS_OK;
    if (!gls_file_exists(path)) {
        text = record_text(run);
        status = text ? gls_write_text(run->ctx, path, text) : GLS_ERR_MEMORY;
    }
    gls_free(run->ctx, text);
    gls_free(run->ctx, path);
    return status;
}
