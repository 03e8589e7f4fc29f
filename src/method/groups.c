/* Parameter groups: blocks matched by name, with options and schedules of their own; the last group takes every block
 * that no other matches. Also the cut of w into pieces: none crosses a block, so each has one group. */
#include "method/method.h"
#include "base/arith.h"
#include "method/narrow.h"
#include "method/table.h"

#include "base/option.h"
#include "base/value.h"
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one group ---- */

static gls_status add_schedule(gls_method *method, gls_method_group *group, const gls_option *row) {
    const gls_value *spec = gls_options_schedule(group->options, row->key);
    if (!spec) return GLS_OK;
    gls_method_scheduled *s = &group->scheduled[group->scheduled_count];
    char what[160];
    snprintf(what, sizeof what, "method %s: %s", method->type->member.name, row->key);
    double from = *(const double *)((const char *)gls_options_struct(group->options) + row->offset);
    s->option = row;
    GLS_TRY(
        gls_schedule_create(method->ctx, what, spec, from, method->steps_per_epoch, method->total_steps, &s->schedule));
    group->scheduled_count++;
    return GLS_OK;
}

static gls_status add_schedules(gls_method *method, gls_method_group *group) {
    const gls_option *table = method->type->member.options;
    int64_t rows = 0;
    while (table[rows].key) rows++;
    group->scheduled = gls_alloc(method->ctx, rows, sizeof *group->scheduled);
    if (!group->scheduled) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < rows; i++) GLS_TRY(add_schedule(method, group, &table[i]));
    return GLS_OK;
}

gls_status gls_method_group_refresh(gls_method *method, gls_method_group *group, const gls_option *row) {
    for (int64_t i = 0; i < group->scheduled_count; i++)
        if (group->scheduled[i].option == row) {
            gls_schedule_destroy(group->scheduled[i].schedule);
            group->scheduled[i] = group->scheduled[--group->scheduled_count];
        }
    memcpy((char *)group->now + row->offset, (const char *)gls_options_struct(group->options) + row->offset,
           gls_option_size(row));
    return add_schedule(method, group, row);
}

static gls_status book(gls_method *method, gls_method_group *group) {
    group->now = gls_alloc(method->ctx, 1, method->type->member.options_size);
    if (!group->now) return GLS_ERR_MEMORY;
    memcpy(group->now, gls_options_struct(group->options), method->type->member.options_size);
    return add_schedules(method, group);
}

/* Keys of a group that are no options of its method. */
typedef struct group_keys {
    bool train;
} group_keys;

static const gls_option group_table[] = {
    GLS_BOOL("train", group_keys, train, "true", "false: the blocks stay as they are"),
    {0},
};

static bool is_zero(const gls_value *value) {
    char *end = NULL;
    return value && value->text && *value->text && strtod(value->text, &end) == 0 && !*end;
}

/* `train: false`, or a learning rate of 0; other options then have no meaning. */
gls_status gls_method_read_frozen(gls_context *ctx, const gls_value *spec, bool *frozen) {
    const gls_value *train = gls_value_get(spec, "train"), *match = gls_value_get(spec, "match");
    gls_options *own = NULL;
    GLS_TRY(gls_options_create(ctx, "groups", group_table, sizeof(group_keys), &own));
    gls_status status = train ? gls_options_set_value(own, train) : GLS_OK;
    *frozen = status == GLS_OK &&
              (!((const group_keys *)gls_options_struct(own))->train || is_zero(gls_value_get(spec, "lr")));
    gls_options_destroy(own);
    for (int64_t i = 0; *frozen && status == GLS_OK && i < spec->count; i++) {
        const char *key = spec->items[i]->key;
        bool known = strcmp(key, "match") == 0 || strcmp(key, "train") == 0;
        if (!known && !(strcmp(key, "lr") == 0 && is_zero(spec->items[i])))
            return gls_fail(ctx, GLS_ERR_ARGUMENT,
                            "groups: match %s: its blocks are not trained, so that '%s' has no meaning",
                            match && match->text ? match->text : "?", key);
    }
    return status;
}

static gls_status create_group(gls_method *method, const gls_value *spec, const gls_options *base,
                               gls_method_group *group) {
    gls_context *ctx = method->ctx;
    const gls_value *match = gls_value_get(spec, "match");
    char where[GLS_ORIGIN_TEXT];
    if (spec->kind != GLS_VALUE_MAP || !match || !match->text)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "%sgroups: expected {match: \"block pattern\", option: value, ...}",
                        gls_value_origin(spec, where));
    for (const gls_option *row = method->type->member.options; row->key; row++)
        if ((row->flags & GLS_OPTION_WHOLE) && gls_value_get(spec, row->key))
            return gls_fail(ctx, GLS_ERR_ARGUMENT, "groups: match %s: '%s' belongs to the whole method", match->text,
                            row->key);
    group->match = gls_strdup(ctx, match->text);
    group->options = gls_options_clone(base);
    if (!group->match || !group->options) return GLS_ERR_MEMORY;
    group->decay_named = gls_value_get(spec, "weight_decay") != NULL;
    group->decoupled_named = gls_value_get(spec, "decoupled_weight_decay") != NULL;
    GLS_TRY(gls_method_read_frozen(ctx, spec, &group->frozen));
    if (!group->frozen) GLS_TRY(gls_options_apply(group->options, spec, (const char *const[]){"match", "train", NULL}));
    return book(method, group);
}

/* ---- all groups ---- */

static gls_status mark_decay(gls_method *method) {
    int64_t blocks = gls_layout_count(method->layout);
    method->no_decay = gls_alloc(method->ctx, blocks, sizeof *method->no_decay);
    method->no_decoupled = gls_alloc(method->ctx, blocks, sizeof *method->no_decoupled);
    return method->no_decay && method->no_decoupled ? GLS_OK : GLS_ERR_MEMORY;
}

/* A theorem's results become the options of the same names. Integers are cut at 2^62, as a theorem may give an infinite
 * number of steps. */
static gls_status apply_theory(gls_context *ctx, const gls_member *member, gls_options *options, const gls_value *given,
                               gls_record *theory) {
    GLS_TRY(gls_theory_values(ctx, given, theory));
    const gls_theorem *theorem = gls_theorem_named(gls_value_get(given, "theorem")->text);
    if (theorem->not_for && strcmp(theorem->not_for, member->name) == 0)
        return gls_fail(ctx, GLS_ERR_ARGUMENT,
                        "from_theory: theorem '%s' is not about method %s; `glissade list theorems` has those that are",
                        theorem->member.name, member->name);
    bool used = false;
    for (int i = 0; i < theory->count; i++)
        for (const gls_option *row = gls_options_table(options); row->key; row++)
            if (strcmp(row->key, theory->name[i]) == 0) {
                used = true;
                if (row->type == GLS_OPTION_REAL)
                    GLS_TRY(gls_options_set_real(options, row->key, theory->value[i]));
                else
                    GLS_TRY(gls_options_set_int(options, row->key, (int64_t)fmin(theory->value[i], 0x1p62)));
            }
    if (used) return GLS_OK;
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "from_theory: theorem '%s' gives no option of method %s",
                    gls_value_get(given, "theorem")->text, member->name);
}

gls_status gls_method_read_options(gls_context *ctx, const gls_member *member, const gls_value *spec,
                                   gls_record *theory, gls_options **out) {
    const gls_value *map = spec && spec->kind == GLS_VALUE_MAP ? spec : NULL,
                    *given = gls_value_get(map, "from_theory");
    char owner[96];
    snprintf(owner, sizeof owner, "method %s", member->name);
    gls_record_clear(theory);
    GLS_TRY(gls_options_create(ctx, owner, member->options, member->options_size, out));
    gls_status status = GLS_OK;
    if (given && given->kind != GLS_VALUE_NULL) status = apply_theory(ctx, member, *out, given, theory);
    if (status == GLS_OK && map) status = gls_options_apply(*out, map, (const char *const[]){"name", NULL});
    if (status == GLS_OK) return GLS_OK;
    gls_options_destroy(*out);
    *out = NULL;
    return status;
}

gls_status gls_method_groups_create(gls_method *method, const gls_value *spec) {
    gls_context *ctx = method->ctx;
    const gls_value *list = spec && spec->kind == GLS_VALUE_MAP ? gls_value_get(spec, "groups") : NULL;
    int64_t listed = list && list->kind == GLS_VALUE_LIST ? list->count : 0;
    method->group = gls_alloc(ctx, listed + 1, sizeof *method->group);
    if (!method->group) return GLS_ERR_MEMORY;
    method->groups = listed + 1;
    gls_method_group *last = &method->group[listed];
    GLS_TRY(gls_method_read_options(ctx, &method->type->member, spec, &method->theory, &last->options));
    const gls_options *base = last->options;
    if (list && list->kind != GLS_VALUE_LIST && list->kind != GLS_VALUE_NULL)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "method %s: groups: expected a list of maps", gls_method_name(method));
    const gls_method_common *common = gls_options_struct(base);
    GLS_TRY(gls_projection_read(method, common->project, &method->projection));
    GLS_TRY(mark_decay(method));
    for (int64_t i = 0; i < listed; i++) GLS_TRY(create_group(method, list->items[i], base, &method->group[i]));
    return book(method, last);
}

void gls_method_groups_destroy(gls_method *method) {
    for (int64_t i = 0; i < method->groups; i++) {
        gls_method_group *group = &method->group[i];
        for (int64_t j = 0; j < group->scheduled_count; j++) gls_schedule_destroy(group->scheduled[j].schedule);
        gls_free(method->ctx, group->scheduled);
        gls_free(method->ctx, group->now);
        gls_options_destroy(group->options);
        gls_free(method->ctx, group->match);
    }
    gls_free(method->ctx, method->group);
    gls_free(method->ctx, method->no_decay);
    gls_free(method->ctx, method->no_decoupled);
}

gls_status gls_method_scale_rate(gls_method *method, double factor) {
    if (method->type->tell)
        return gls_fail(method->ctx, GLS_ERR_UNSUPPORTED, "method %s has no learning rate that could follow the batch",
                        gls_method_name(method));
    method->rate = factor;
    return GLS_OK;
}

gls_status gls_method_groups_advance(gls_method *method, gls_clock clock) {
    for (int64_t i = 0; i < method->groups; i++) {
        gls_method_group *group = &method->group[i];
        gls_method_common *now = group->now;
        if (method->rate > 0) now->lr = ((const gls_method_common *)gls_options_struct(group->options))->lr;
        for (int64_t j = 0; j < group->scheduled_count; j++) {
            const gls_option *option = group->scheduled[j].option;
            double value = gls_schedule_value(group->scheduled[j].schedule, clock);
            /* An excluded bound is allowed here: schedules end at it (poly at 0), and the last step then moves nothing.
             */
            bool bounded = option->minimum != 0 || option->maximum != 0;
            if (!isfinite(value) || (bounded && !(value >= option->minimum && value <= option->maximum)))
                return gls_fail(method->ctx, GLS_ERR_ARGUMENT,
                                "method %s: the schedule of %s gives %g at step %.0f, outside [%g, %g]",
                                method->type->member.name, option->key, value, clock.step, option->minimum,
                                option->maximum);
            *(double *)((char *)group->now + option->offset) = value;
        }
        if (method->rate > 0) now->lr *= method->rate;
    }
    return GLS_OK;
}

/* The option's schedule in the first group that has one with such milestones: groups that say nothing share one. */
static void note_beyond(const gls_method *method, const gls_option *option) {
    char what[160];
    snprintf(what, sizeof what, "method.%s", option->key);
    for (int64_t i = method->groups - 1; i >= 0; i--)
        for (int64_t j = 0; j < method->group[i].scheduled_count; j++) {
            const gls_method_scheduled *s = &method->group[i].scheduled[j];
            if (s->option == option && gls_schedule_note_beyond(s->schedule, what)) return;
        }
}

void gls_method_note_beyond(const gls_method *method) {
    for (const gls_option *o = method->type->member.options; o->key; o++) note_beyond(method, o);
}

bool gls_method_watches(const gls_method *method) {
    if (!method) return false;
    for (int64_t i = 0; i < method->groups; i++)
        for (int64_t j = 0; j < method->group[i].scheduled_count; j++)
            if (gls_schedule_watches(method->group[i].scheduled[j].schedule)) return true;
    return false;
}

void gls_method_validated(gls_method *method, bool better) {
    if (!method) return;
    for (int64_t i = 0; i < method->groups; i++)
        for (int64_t j = 0; j < method->group[i].scheduled_count; j++)
            gls_schedule_validated(method->group[i].scheduled[j].schedule, better);
}

gls_status gls_method_groups_arrays(gls_method *method, const char *prefix, gls_arrays *arrays) {
    for (int64_t i = 0; i < method->groups; i++)
        for (int64_t j = 0; j < method->group[i].scheduled_count; j++) {
            const gls_method_scheduled *s = &method->group[i].scheduled[j];
            char own[128];
            snprintf(own, sizeof own, "%sschedule.%lld.%s.", prefix, (long long)i, s->option->key);
            GLS_TRY(gls_schedule_arrays(s->schedule, own, arrays));
        }
    return GLS_OK;
}

/* ---- pieces ---- */

static int64_t group_of(const gls_method *method, const char *block) {
    int64_t i = 0;
    while (i < method->groups - 1 && fnmatch(method->group[i].match, block, 0) != 0) i++;
    return i;
}

/* Coordinates of a task, at least: small blocks share one, so that starting it costs little beside its work. And tasks
 * a thread, about: where one ends, what its streams were asked for ahead is another thread's. Ours. */
enum { TASK = 4 * GLS_CHUNK, TASKS_EACH = 32 };

int64_t gls_method_task_size(const gls_method *method) {
    int ranks = method->share.ranks > 1 ? method->share.ranks : 1;
    int64_t size = method->parameters / ((int64_t)TASKS_EACH * gls_context_threads(method->ctx) * ranks);
    return size > TASK ? size : TASK;
}

/* A pattern that no block is left for is a slip. */
static gls_status check_matched(const gls_method *method, const int64_t *matched) {
    char known[300] = "";
    for (int64_t b = 0; b < gls_layout_count(method->layout) && strlen(known) < 200; b++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%.60s", b ? ", " : "",
                 gls_layout_block(method->layout, b)->name);
    for (int64_t i = 0; i + 1 < method->groups; i++) {
        bool any = false;
        for (int64_t b = 0; b < gls_layout_count(method->layout); b++)
            any |= fnmatch(method->group[i].match, gls_layout_block(method->layout, b)->name, 0) == 0;
        if (matched[i]) continue;
        return gls_fail(method->ctx, GLS_ERR_ARGUMENT, "method %s: groups: match '%s' %s; the blocks are %s",
                        gls_method_name(method), method->group[i].match,
                        any ? "comes after groups that have all of its blocks" : "is the name of no block", known);
    }
    return GLS_OK;
}

/* Fills pieces, tasks, and which blocks are exempt from decay (biases and the like, unless their group names a decay).
 */
static void cut(gls_method *method, int64_t *matched) {
    int64_t count = 0, task = gls_method_task_size(method), filled = task;
    for (int64_t b = 0; b < gls_layout_count(method->layout); b++) {
        const gls_block *block = gls_layout_block(method->layout, b);
        int64_t group = group_of(method, block->name);
        bool exempt = block->flags & GLS_BLOCK_NO_DECAY;
        matched[group]++;
        method->no_decay[b] = exempt && !method->group[group].decay_named;
        method->no_decoupled[b] = exempt && !method->group[group].decoupled_named;
        for (int64_t at = 0; at < block->size; at += GLS_CHUNK, count++) {
            int64_t size = gls_least(block->size - at, GLS_CHUNK);
            method->piece[count] = (gls_method_piece){.offset = block->offset + at,
                                                      .begin = at,
                                                      .size = size,
                                                      .block = b,
                                                      .group = group,
                                                      .scales = method->scales};
            method->scales += gls_parts(size, GLS_METHOD_SCALED);
            if (filled >= task) {
                method->task[method->tasks++] = count;
                filled = 0;
            }
            filled += size;
        }
    }
    method->task[method->tasks] = count;
}

gls_status gls_method_pieces_create(gls_method *method) {
    gls_context *ctx = method->ctx;
    int64_t blocks = gls_layout_count(method->layout);
    for (int64_t b = 0; b < blocks; b++)
        method->pieces += gls_parts(gls_layout_block(method->layout, b)->size, GLS_CHUNK);
    method->piece = gls_alloc(ctx, method->pieces, sizeof *method->piece);
    method->task = gls_alloc(ctx, method->pieces + 1, sizeof *method->task);
    method->sums = gls_alloc(ctx, method->pieces, sizeof *method->sums);
    method->block_first = gls_alloc(ctx, blocks, sizeof *method->block_first);
    method->g_norm2 = gls_alloc(ctx, blocks, sizeof *method->g_norm2);
    method->w_norm2 = gls_alloc(ctx, blocks, sizeof *method->w_norm2);
    method->chunk_norm2 = gls_alloc(ctx, gls_parts(method->parameters, GLS_CHUNK), sizeof *method->chunk_norm2);
    method->w_block = gls_alloc(ctx, blocks, sizeof *method->w_block);
    method->at_block = gls_alloc(ctx, blocks, sizeof *method->at_block);
    method->g_block = gls_alloc(ctx, blocks, sizeof *method->g_block);
    if (!method->piece || !method->task || !method->sums || !method->block_first || !method->g_norm2 ||
        !method->w_norm2 || !method->chunk_norm2 || !method->w_block || !method->at_block || !method->g_block)
        return GLS_ERR_MEMORY;
    int64_t *matched = gls_alloc(ctx, method->groups, sizeof *matched);
    if (!matched) return GLS_ERR_MEMORY;
    cut(method, matched);
    gls_status status = check_matched(method, matched);
    gls_free(ctx, matched);
    return status == GLS_OK ? gls_method_frozen_create(method) : status;
}
