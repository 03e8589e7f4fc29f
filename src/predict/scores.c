/* Scores of a set: its outputs beside its targets, through every row of the table that applies. */
#include <math.h>
#include <string.h>

#include "data/source.h"
#include "estimator/streams.h"
#include "predict/predictor.h"
#include "predict/score_table.h"

const gls_score_type *gls_score_type_at(int64_t i) {
    int64_t count = 0;
    while (gls_score_rows[count].type.name) count++;
    return i >= 0 && i < count ? &gls_score_rows[i].type : NULL;
}

void gls_scores_clear(gls_context *ctx, gls_scores *scores) {
    if (!ctx || !scores) return;
    gls_free(ctx, scores->confusion);
    gls_free(ctx, scores->recall);
    *scores = (gls_scores){0};
}

/* Everything of a set side by side; what the task has not is NULL. */
typedef struct scoring {
    gls_predictor *p;
    gls_prediction prediction;
    int64_t predictions, width;
    gls_real *z, *y;
    int32_t *label, *predicted;
} scoring;

static gls_status allocate(scoring *s, int64_t examples) {
    gls_context *ctx = s->p->ctx;
    int64_t k = s->p->problem->outputs;
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
    int64_t positions = s->prediction.positions, k = s->p->problem->outputs;
    bool fits = s->label ? batch->label && (batch->next_tokens ? batch->length : 1) == positions
                         : batch->y && batch->targets == k;
    if (!fits)
        return gls_fail(s->p->ctx, GLS_ERR_INPUT,
                        "evaluate: the rows' targets are not of the kind that model '%s' predicts",
                        s->p->problem->type->member.name);
    if (s->label)
        memcpy(s->label + begin * positions, batch->label, (size_t)(batch->rows * positions) * sizeof *s->label);
    else
        memcpy(s->y + begin * k, batch->y, (size_t)(batch->rows * k) * sizeof *s->y);
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
    GLS_TRY(gls_predictor_run(s->p, rows, s->z));
    GLS_TRY(gls_source_scan(s->p->ctx, rows, take_targets, s));
    if (s->predicted) GLS_TRY(gls_problem_classify(s->p->problem, rows->info.examples, s->z, s->predicted));
    drop_unlabelled(s);
    return GLS_OK;
}

/* ---- tables by class ---- */

static gls_status count_classes(const scoring *s, gls_scores *out) {
    int64_t k = out->classes = s->prediction.classes;
    out->confusion = gls_alloc(s->p->ctx, k * k, sizeof *out->confusion);
    out->recall = gls_alloc(s->p->ctx, 3 * k, sizeof *out->recall);
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

/* ---- all of it ---- */

/* As the run computes its own test loss: the same pass over the same rows. */
static gls_status own_loss(gls_predictor *p, const gls_source *rows, double *loss) {
    gls_loader *loader = NULL;
    gls_pass_result result;
    gls_pass_request request = {.w = p->w, .mode = GLS_MODE_EVALUATE};
    gls_status status = gls_predictor_loader(p, rows, &loader);
    if (status == GLS_OK) status = gls_pass_run_whole(p->pass, &rows->info, loader, &request, &result);
    gls_loader_destroy(loader);
    if (status == GLS_OK) *loss = result.loss / result.mass;
    return status;
}

/* Those of the tokens that are predicted. */
static double characters(const scoring *s) {
    const gls_data_info *info = &s->p->trained.input;
    double sum = 0;
    if (info->target != GLS_TARGET_TOKENS || !info->class_names) return 0;
    for (int64_t i = 0; i < s->predictions; i++)
        sum += (double)gls_token_characters(gls_predictor_unit(s->p), info->class_names, s->label[i],
                                            i ? s->label[i - 1] : -1);
    return sum;
}

static gls_status fill(scoring *s, unsigned task, gls_scores *out) {
    gls_scored scored = {.ctx = s->p->ctx,
                         .link = s->p->problem->link,
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
        if (!(row->type.tasks & task)) continue;
        GLS_TRY(row->score(&scored, &value));
        if (isnan(value)) continue;
        out->name[out->count] = row->type.name;
        out->value[out->count++] = value;
    }
    return GLS_OK;
}

static unsigned task_of(const scoring *s, const gls_data_info *rows) {
    if (rows->target == GLS_TARGET_TOKENS) return GLS_TASK_TOKENS;
    if (rows->target == GLS_TARGET_FRAMES) return GLS_TASK_FRAMES;
    if (rows->target == GLS_TARGET_SEQUENCE) return GLS_TASK_SEQUENCES;
    return s->prediction.classes ? GLS_TASK_CLASSES : GLS_TASK_VALUES;
}

static gls_status score(scoring *s, const gls_source *rows, gls_scores *out) {
    gls_context *ctx = s->p->ctx;
    out->examples = rows->info.examples;
    if (out->examples < 1 || !gls_source_has_targets(rows))
        return gls_fail(ctx, GLS_ERR_INPUT, "evaluate: expected rows with targets, at least one");
    if (!s->prediction.classes && !s->prediction.values)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "evaluate: model '%s' does not say what its outputs mean",
                        s->p->problem->type->member.name);
    bool positions = gls_target_by_position(rows->info.target);
    GLS_TRY(collect(s, rows));
    GLS_TRY(own_loss(s->p, rows, &out->loss));
    if (s->predictions < 1) return gls_fail(ctx, GLS_ERR_INPUT, "evaluate: no row has a target");
    if (s->prediction.classes && !positions) GLS_TRY(count_classes(s, out));
    return fill(s, task_of(s, &rows->info), out);
}

gls_status gls_predictor_score(gls_predictor *p, const gls_source *rows, gls_scores *out) {
    GLS_GIVEN(p ? p->ctx : NULL, p, rows, out);
    scoring s = {.p = p, .prediction = gls_problem_prediction(p->problem)};
    *out = (gls_scores){0};
    s.width = p->problem->outputs / s.prediction.positions;
    gls_status status = score(&s, rows, out);
    gls_free(p->ctx, s.z);
    gls_free(p->ctx, s.y);
    gls_free(p->ctx, s.label);
    gls_free(p->ctx, s.predicted);
    if (status != GLS_OK) gls_scores_clear(p->ctx, out);
    return status;
}
