/* A set's outputs beside its targets, through the rows of the table that apply. */
#include "predict/score_set.h"

#include <math.h>
#include <string.h>

#include "data/source.h"
#include "estimator/streams.h"
#include "predict/score_table.h"

const gls_score_type *gls_score_type_at(int64_t i) {
    int64_t count = 0;
    while (gls_score_rows[count].type.name) count++;
    return i >= 0 && i < count ? &gls_score_rows[i].type : NULL;
}

const gls_score_type *gls_score_type_find(const char *name) {
    const gls_score_type *type;
    for (int64_t i = 0; (type = gls_score_type_at(i)); i++)
        if (strcmp(type->name, name) == 0) return type;
    return NULL;
}

gls_status gls_score_task(const gls_problem *problem, const gls_data_info *info, unsigned *task) {
    gls_prediction prediction = gls_problem_prediction(problem);
    static const unsigned own[] = {[GLS_TARGET_TOKENS] = GLS_TASK_TOKENS,
                                   [GLS_TARGET_SPAN] = GLS_TASK_SPANS,
                                   [GLS_TARGET_FRAMES] = GLS_TASK_FRAMES,
                                   [GLS_TARGET_SEQUENCE] = GLS_TASK_SEQUENCES};
    *task = info->masked ? GLS_TASK_MASKED : own[info->target];
    if (!*task) *task = prediction.classes ? GLS_TASK_CLASSES : GLS_TASK_VALUES;
    if (prediction.classes || prediction.values) return GLS_OK;
    return gls_fail(problem->ctx, GLS_ERR_UNSUPPORTED, "model '%s' does not say what its outputs mean",
                    problem->type->member.name);
}

/* Everything of a set side by side; what the task has not is NULL. */
typedef struct scoring {
    const gls_score_set *set;
    gls_prediction prediction;
    int64_t predictions, width;
    gls_real *z, *y;
    int32_t *label, *predicted;
} scoring;

static gls_status allocate(scoring *s, int64_t examples) {
    gls_context *ctx = s->set->ctx;
    int64_t k = s->set->problem->outputs;
    s->predictions = examples * s->prediction.positions;
    s->z = gls_alloc(ctx, examples, (size_t)k * sizeof *s->z);
    if (s->prediction.classes) {
        s->label = gls_alloc(ctx, s->predictions, sizeof *s->label);
        s->predicted = gls_alloc(ctx, s->predictions, sizeof *s->predicted);
        return s->z && s->label && s->predicted ? GLS_OK : GLS_ERR_MEMORY;
    }
    s->y = gls_alloc(ctx, examples, (size_t)k * sizeof *s->y);
    return s->z && s->y ? GLS_OK : GLS_ERR_MEMORY;
}

static gls_status take_targets(void *user, const gls_batch *batch, int64_t begin) {
    scoring *s = user;
    int64_t positions = s->prediction.positions, k = s->set->problem->outputs;
    bool fits = s->label ? batch->label && gls_batch_labels(batch) >= positions : batch->y && batch->targets == k;
    if (!fits)
        return gls_fail(s->set->ctx, GLS_ERR_INPUT,
                        "evaluate: the rows' targets are not of the kind that model '%s' predicts",
                        s->set->problem->type->member.name);
    for (int64_t r = 0; s->label && r < batch->rows; r++) /* some models predict a row's last positions only */
        memcpy(s->label + (begin + r) * positions, batch->label + (r + 1) * gls_batch_labels(batch) - positions,
               (size_t)positions * sizeof *s->label);
    if (!s->label) memcpy(s->y + begin * k, batch->y, (size_t)(batch->rows * k) * sizeof *s->y);
    return GLS_OK;
}

/* Predictions without a target leave the arrays. */
static void drop_unlabelled(scoring *s) {
    int64_t kept = 0;
    if (!s->label || s->prediction.sequence) return;
    for (int64_t i = 0; i < s->predictions; i++) {
        if (s->label[i] < 0) continue;
        memmove(s->z + kept * s->width, s->z + i * s->width, (size_t)s->width * sizeof *s->z);
        s->predicted[kept] = s->predicted[i];
        s->label[kept++] = s->label[i];
    }
    s->predictions = kept;
}

static gls_status collect(scoring *s, const gls_source *rows) {
    GLS_TRY(allocate(s, rows->info.examples));
    GLS_TRY(gls_pass_outputs_whole(s->set->pass, &rows->info, s->set->loader, s->set->w, s->z));
    GLS_TRY(gls_source_scan(s->set->ctx, rows, take_targets, s));
    if (s->predicted) GLS_TRY(gls_problem_classify(s->set->problem, rows->info.examples, s->z, s->predicted));
    drop_unlabelled(s);
    return GLS_OK;
}

/* ---- tables by class ---- */

static gls_status count_classes(const scoring *s, gls_scores *out) {
    int64_t k = out->classes = s->prediction.classes;
    out->confusion = gls_alloc(s->set->ctx, k * k, sizeof *out->confusion);
    out->recall = gls_alloc(s->set->ctx, 3 * k, sizeof *out->recall);
    if (!out->confusion || !out->recall) return GLS_ERR_MEMORY;
    out->precision = out->recall + k;
    out->f1 = out->recall + 2 * k;
    for (int64_t i = 0; i < s->predictions; i++)
        if (s->predicted[i] >= 0) out->confusion[s->label[i] * k + s->predicted[i]]++;
    for (int64_t c = 0; c < k; c++) {
        double right = (double)out->confusion[c * k + c], named = 0, has = 0;
        for (int64_t i = 0; i < s->predictions; i++) has += s->label[i] == c;
        for (int64_t j = 0; j < k; j++) named += (double)out->confusion[j * k + c];
        out->recall[c] = has > 0 ? right / has : NAN;
        out->precision[c] = named > 0 ? right / named : NAN;
        out->f1[c] = has + named > 0 ? 2 * right / (has + named) : NAN;
    }
    return GLS_OK;
}

/* ---- scores ---- */

/* Those of the tokens that are predicted. */
static double characters(const scoring *s) {
    const gls_data_info *info = s->set->info;
    double sum = 0;
    if (info->target != GLS_TARGET_TOKENS || info->masked || !info->class_names) return 0;
    for (int64_t i = 0; i < s->predictions; i++)
        sum += (double)gls_token_characters(s->set->language, s->label[i], i ? s->label[i - 1] : -1);
    return sum;
}

static gls_status fill(scoring *s, unsigned task, const char *only, gls_scores *out) {
    gls_scored scored = {.ctx = s->set->ctx,
                         .link = s->set->problem->link,
                         .n = s->prediction.sequence ? out->examples : s->predictions,
                         .length = s->prediction.positions,
                         .width = s->width,
                         .classes = s->prediction.classes,
                         .z = s->z,
                         .y = s->y,
                         .label = s->label,
                         .predicted = s->predicted,
                         .confusion = out->confusion,
                         .recall = out->recall,
                         .f1 = out->f1,
                         .characters = characters(s)};
    for (const gls_score_row *row = gls_score_rows; row->type.name; row++) {
        double value;
        if (!(row->type.tasks & task) || (only && strcmp(only, row->type.name) != 0)) continue;
        GLS_TRY(row->score(&scored, &value));
        if (isnan(value)) continue;
        out->name[out->count] = row->type.name;
        out->value[out->count++] = value;
    }
    return GLS_OK;
}

gls_status gls_score_set_fill(const gls_score_set *set, const gls_source *rows, const char *only, gls_scores *out) {
    scoring s = {.set = set, .prediction = gls_problem_prediction(set->problem)};
    unsigned task;
    *out = (gls_scores){.examples = rows->info.examples};
    GLS_TRY(gls_score_task(set->problem, &rows->info, &task));
    s.width = set->problem->outputs / s.prediction.positions;
    gls_status status = collect(&s, rows);
    if (status == GLS_OK && s.predictions < 1)
        status = gls_fail(set->ctx, GLS_ERR_INPUT, "evaluate: no row has a target");
    if (status == GLS_OK && task == GLS_TASK_CLASSES) status = count_classes(&s, out);
    if (status == GLS_OK) status = fill(&s, task, only, out);
    gls_free(set->ctx, s.z);
    gls_free(set->ctx, s.y);
    gls_free(set->ctx, s.label);
    gls_free(set->ctx, s.predicted);
    return status;
}
