/* The tables of all rooms side by side, so that names are looked up, listed and corrected in one way. This room is
 * above all of them; none of them knows it. */
#include "run/config/batch_rules.h"
#include "run/config/members.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <glissade/measure.h>
#include <glissade/model.h>

#include "base/table.h"
#include "base/value.h"
#include "comm/exchange.h"
#include "data/table.h"
#include "estimator/estimator.h"
#include "measure/members.h"
#include "method/table.h"
#include "model/network.h"
#include "model/op.h"
#include "problem/analytic/oracle_noise.h"
#include "problem/evaluation.h"

const char *gls_kind_name(gls_kind kind) {
    static const char *const name[GLS_KIND_COUNT] = {
        [GLS_KIND_PROBLEM] = "problems",
        [GLS_KIND_FAMILY] = "models",
        [GLS_KIND_OP] = "ops",
        [GLS_KIND_USE] = "uses",
        [GLS_KIND_ESTIMATOR] = "estimators",
        [GLS_KIND_METHOD] = "methods",
        [GLS_KIND_SCHEDULE] = "schedules",
        [GLS_KIND_MEASURE] = "measures",
        [GLS_KIND_FORMAT] = "data",
        [GLS_KIND_TRANSFORM] = "transforms",
        [GLS_KIND_NOISE] = "noises",
        [GLS_KIND_EXCHANGE] = "exchanges",
        [GLS_KIND_BATCH_RULE] = "batch_rules",
    };
    return (int)kind >= 0 && kind < GLS_KIND_COUNT ? name[kind] : NULL;
}

const gls_member *gls_members_at(gls_context *ctx, gls_kind kind, int64_t i) {
    static const gls_member_kind *const kinds[GLS_KIND_COUNT] = {[GLS_KIND_PROBLEM] = &gls_problem_kind,
                                                                 [GLS_KIND_FAMILY] = &gls_family_kind,
                                                                 [GLS_KIND_OP] = &gls_op_kind,
                                                                 [GLS_KIND_ESTIMATOR] = &gls_estimator_kind,
                                                                 [GLS_KIND_METHOD] = &gls_method_kind,
                                                                 [GLS_KIND_SCHEDULE] = &gls_schedule_kind,
                                                                 [GLS_KIND_MEASURE] = &gls_measure_kind,
                                                                 [GLS_KIND_FORMAT] = &gls_format_kind,
                                                                 [GLS_KIND_TRANSFORM] = &gls_transform_kind,
                                                                 [GLS_KIND_NOISE] = &gls_oracle_noise_kind,
                                                                 [GLS_KIND_EXCHANGE] = &gls_comm_exchange_kind,
                                                                 [GLS_KIND_BATCH_RULE] = &gls_batches_rule_kind};
    return (int)kind >= 0 && kind < GLS_KIND_COUNT && kinds[kind] ? gls_member_at(ctx, kinds[kind], i) : NULL;
}

const gls_member *gls_config_member_named(gls_context *ctx, gls_kind kind, const char *name) {
    const gls_member *member;
    for (int64_t i = 0; (member = gls_members_at(ctx, kind, i)); i++)
        if (strcmp(member->name, name) == 0) return member;
    return NULL;
}

/* Members of up to two kinds, one after the other. */
typedef struct searched {
    gls_context *ctx;
    gls_kind kind[2];
    int kinds;
} searched;

static const char *name_at(const void *user, int64_t i) {
    const searched *s = user;
    for (int k = 0; k < s->kinds; k++) {
        int64_t count = 0;
        const gls_member *member;
        while ((member = gls_members_at(s->ctx, s->kind[k], count)) && count < i) count++;
        if (member) return member->name;
        i -= count;
    }
    return NULL;
}

static const gls_member *wanted(const searched *s, const char *what, const char *name, const gls_value *from) {
    for (int k = 0; k < s->kinds; k++) {
        const gls_member *member = gls_config_member_named(s->ctx, s->kind[k], name);
        if (member) return member;
    }
    char place[GLS_ORIGIN_TEXT];
    gls_member_unknown(s->ctx, gls_value_origin(from, place), what, name, name_at, s);
    return NULL;
}

const gls_member *gls_config_member_wanted(gls_context *ctx, gls_kind kind, const char *what, const char *name,
                                           const gls_value *from) {
    return wanted(&(searched){ctx, {kind}, 1}, what, name, from);
}

const gls_member *gls_config_model_wanted(gls_context *ctx, const char *name, const gls_value *from) {
    return wanted(&(searched){ctx, {GLS_KIND_FAMILY, GLS_KIND_PROBLEM}, 2}, "model", name, from);
}

const gls_member *gls_config_batch_wanted(gls_context *ctx, const char *name, const gls_value *from) {
    return wanted(&(searched){ctx, {GLS_KIND_BATCH_RULE, GLS_KIND_SCHEDULE}, 2}, "batch rule or schedule", name, from);
}

/* A folder of CIFAR-10 has batches as files, packed or not. */
static bool holds_batches(const char *folder) {
    static const char *const ends[] = {"", ".gz", ".xz"};
    char path[4096];
    struct stat info;
    for (int i = 0; i < 3; i++) {
        int n = snprintf(path, sizeof path, "%s/data_batch_1.bin%s", folder, ends[i]);
        if (n < (int)sizeof path && stat(path, &info) == 0) return true;
    }
    return false;
}

/* What files are called. What is written is called so; what is read may also be libsvm under any other name. */
static const struct {
    const char *end, *format;
} file_names[] = {{".npy", "npy"},     {".npz", "npz"},    {".csv", "csv"},      {".tsv", "csv"},
                  {".tab", "csv"},     {".idx", "idx"},    {"ubyte", "idx"},     {".bin", "cifar10"},
                  {".tokens", "text"}, {".svm", "libsvm"}, {".libsvm", "libsvm"}};
enum { FILE_NAMES = sizeof file_names / sizeof *file_names };

static const char *format_of_name(const char *path, bool packed) {
    size_t n = strlen(path);
    if (packed && n > 3 && (strcmp(path + n - 3, ".gz") == 0 || strcmp(path + n - 3, ".xz") == 0)) n -= 3;
    for (int i = 0; i < FILE_NAMES; i++) {
        size_t m = strlen(file_names[i].end);
        if (n >= m && strncmp(path + n - m, file_names[i].end, m) == 0) return file_names[i].format;
    }
    return NULL;
}

const char *gls_format_guess(const char *path) {
    struct stat info;
    if (!path) return "glyphs";
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) return holds_batches(path) ? "cifar10" : "images";
    const char *format = format_of_name(path, true);
    return format ? format : "libsvm";
}

const char *gls_config_guess_format(gls_context *ctx, const gls_value *train) {
    if (!train || train->kind != GLS_VALUE_TEXT) return gls_format_guess(NULL);
    const char *slash = train->file && train->line > 0 && train->text[0] != '/' ? strrchr(train->file, '/') : NULL;
    char *path = slash ? gls_sprintf(ctx, "%.*s/%s", (int)(slash - train->file), train->file, train->text) : NULL;
    const char *format = gls_format_guess(path ? path : train->text);
    gls_free(ctx, path);
    return format;
}

/* Some formats are only read. */
static bool writes(gls_context *ctx, const char *format) {
    const gls_member *member = gls_config_member_named(ctx, GLS_KIND_FORMAT, format);
    return member && ((const gls_format *)member)->write;
}

gls_status gls_format_to_write(gls_context *ctx, const char *path, const char **format) {
    GLS_GIVEN(ctx, ctx, path, format);
    *format = format_of_name(path, false);
    if (*format && writes(ctx, *format)) return GLS_OK;
    char list[256] = "";
    size_t used = 0;
    for (int i = 0; i < FILE_NAMES; i++)
        if (writes(ctx, file_names[i].format))
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s (%s)", used ? ", " : "", file_names[i].end,
                                     file_names[i].format);
    if (*format)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: %s is only read; expected a name that ends with %s", path, *format,
                        list);
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: its name says no format to write; expected one that ends with %s", path,
                    list);
}

gls_status gls_format_guessed(gls_context *ctx, gls_status status, const char *format) {
    if (status != GLS_ERR_INPUT && status != GLS_ERR_UNSUPPORTED) return status;
    char *message = gls_strdup(ctx, gls_context_message(ctx));
    if (!message) return status;
    gls_fail(ctx, status, "%s (read as %s, which its name suggests; option format says otherwise)", message, format);
    gls_free(ctx, message);
    return status;
}
