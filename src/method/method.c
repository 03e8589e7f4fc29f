/* Methods as objects: created, set, queried and told. Memory is booked at creation (make_ready); in the two-call
 * interface, where options follow creation, at the first use. */
#include "method/method.h"
#include "method/table.h"

#include <math.h>
#include <string.h>

gls_status gls_register_method(gls_context *ctx, const gls_method_type *type) {
    GLS_GIVEN(ctx, ctx, type);
    if (!type->main && !type->tell)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "method %s: neither main nor tell", type->member.name);
    return gls_member_register(ctx, &gls_method_kind, &type->member);
}

const gls_method_type *gls_method_at(gls_context *ctx, int64_t i) {
    return (const gls_method_type *)gls_member_at(ctx, &gls_method_kind, i);
}

/* ---- creation ---- */

gls_method_setup gls_method_setup_of(const gls_method *method) {
    return (gls_method_setup){.ctx = method->ctx,
                              .layout = method->layout,
                              .parameters = method->parameters,
                              .options = gls_options_struct(method->group[method->groups - 1].options),
                              .seed = method->seed,
                              .total_steps = method->total_steps,
                              .steps_per_epoch = method->steps_per_epoch,
                              .state = method->state,
                              .method = method};
}

/* Books everything a step needs; the options may no longer change but for schedulable ones. */
static gls_status make_ready(gls_method *method) {
    if (method->ready) return GLS_OK;
    const gls_method_type *type = method->type;
    if (!method->piece) GLS_TRY(gls_method_pieces_create(method));
    GLS_TRY(gls_method_share_create(method));
    GLS_TRY(gls_method_state_create(method));
    if (!method->self) method->self = gls_alloc(method->ctx, 1, type->self_size);
    if (!method->self) return GLS_ERR_MEMORY;
    gls_method_setup setup = gls_method_setup_of(method);
    if (type->create) GLS_TRY(type->create(method->self, &setup));
    method->ready = true;
    return GLS_OK;
}

static gls_status create(gls_context *ctx, const char *name, const gls_method_options *options, gls_layout *own,
                         gls_method **out) {
    *out = NULL;
    const gls_member *member = gls_member_find(ctx, &gls_method_kind, name);
    gls_method *method = member ? gls_alloc(ctx, 1, sizeof *method) : NULL;
    if (!method) {
        gls_layout_destroy(own);
        return member ? GLS_ERR_MEMORY : GLS_ERR_ARGUMENT;
    }
    method->ctx = ctx;
    method->type = (const gls_method_type *)member;
    method->own_layout = own;
    method->layout = own ? own : options->layout;
    method->parameters = gls_layout_size(method->layout);
    method->steps_per_epoch = options->steps_per_epoch;
    method->total_steps = options->total_steps;
    method->seed = options->seed;
    if (options->share) method->share = *options->share;
    gls_status status = gls_method_groups_create(method, options->spec);
    if (status == GLS_OK && !own) status = make_ready(method);
    if (status == GLS_OK)
        *out = method;
    else
        gls_method_destroy(method);
    return status;
}

gls_status gls_method_create(gls_context *ctx, const gls_method_options *options, gls_method **out) {
    GLS_GIVEN(ctx, ctx, options, out);
    *out = NULL;
    if (!options || options->size != sizeof *options)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_method_create: options of %zu bytes expected", sizeof *options);
    if (!options->layout) return gls_fail(ctx, GLS_ERR_ARGUMENT, "gls_method_create: a layout is missing");
    const gls_value *spec = options->spec;
    const gls_value *name = spec && spec->kind == GLS_VALUE_MAP ? gls_value_get(spec, "name") : spec;
    if (!name || !name->text) return gls_fail(ctx, GLS_ERR_ARGUMENT, "method: name is missing");
    return create(ctx, name->text, options, NULL, out);
}

gls_status gls_method_create_named(gls_context *ctx, const char *name, int64_t parameters, gls_method **out) {
    GLS_GIVEN(ctx, ctx, name, out);
    *out = NULL;
    gls_layout *layout;
    GLS_TRY(gls_layout_create(ctx, &layout));
    gls_status status = gls_layout_add(layout, "w", 1, &parameters, 0);
    if (status != GLS_OK) {
        gls_layout_destroy(layout);
        return status;
    }
    gls_method_options options = {.size = sizeof options, .seed = gls_context_seed(ctx)};
    return create(ctx, name, &options, layout, out);
}

void gls_method_destroy(gls_method *method) {
    if (!method) return;
    gls_context *ctx = method->ctx;
    if (method->type->destroy && method->self) method->type->destroy(ctx, method->self);
    gls_free(ctx, method->self);
    gls_method_state_destroy(method);
    gls_method_groups_destroy(method);
    gls_method_frozen_destroy(method);
    gls_free(ctx, method->piece);
    gls_free(ctx, method->task);
    gls_free(ctx, method->cut);
    gls_free(ctx, method->at);
    gls_free(ctx, method->sums);
    gls_free(ctx, method->block_first);
    gls_free(ctx, method->g_norm2);
    gls_free(ctx, method->w_norm2);
    gls_free(ctx, method->chunk_norm2);
    gls_free(ctx, method->w_block);
    gls_free(ctx, method->at_block);
    gls_free(ctx, method->g_block);
    gls_layout_destroy(method->own_layout);
    gls_free(ctx, method);
}

/* ---- setting ---- */

/* Into the options, by the row's type. Integers up to 2^62 are sure to fit an int64. */
static gls_status set_number(gls_options *options, const gls_option *row, double value) {
    if (row->type == GLS_OPTION_BOOL) return gls_options_set(options, row->key, value != 0 ? "true" : "false");
    if (row->type == GLS_OPTION_INT && value == floor(value) && fabs(value) < 0x1p62)
        return gls_options_set_int(options, row->key, (int64_t)value);
    return gls_options_set_real(options, row->key, value);
}

static gls_status set(gls_method *method, gls_method_group *group, const char *key, const double *value,
                      const char *text) {
    gls_context *ctx = method->ctx;
    const gls_option *row = gls_options_table(group->options);
    while (row->key && strcmp(row->key, key) != 0) row++;
    if (!row->key) return gls_options_set(group->options, key, ""); /* says which key is nearest */
    if (row->type == GLS_OPTION_VALUE || row->type == GLS_OPTION_MAP)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "method %s: %s is given at creation", gls_method_name(method), key);
    if (method->ready && !(row->flags & GLS_OPTION_SCHEDULABLE))
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "method %s: %s cannot change after the first step",
                        gls_method_name(method), key);
    GLS_TRY(text ? gls_options_set(group->options, key, text) : set_number(group->options, row, *value));
    return gls_method_group_refresh(method, group, row);
}

gls_status gls_method_set(gls_method *method, const char *key, double value) {
    GLS_GIVEN(NULL, method, key);
    return set(method, &method->group[method->groups - 1], key, &value, NULL);
}

gls_status gls_method_set_group(gls_method *method, int64_t group, const char *key, double value) {
    GLS_GIVEN(NULL, method, key);
    if (group < 0 || group >= method->groups - 1)
        return gls_fail(method->ctx, GLS_ERR_ARGUMENT, "method %s: group %lld: expected one of its %lld groups",
                        gls_method_name(method), (long long)group, (long long)method->groups - 1);
    for (const gls_option *row = method->type->member.options; row->key; row++)
        if ((row->flags & GLS_OPTION_WHOLE) && strcmp(row->key, key) == 0)
            return gls_fail(method->ctx, GLS_ERR_ARGUMENT, "method %s: '%s' belongs to the whole method",
                            gls_method_name(method), key);
    if (method->group[group].frozen)
        return gls_fail(method->ctx, GLS_ERR_ARGUMENT,
                        "method %s: group %lld is not trained, so that '%s' has no meaning", gls_method_name(method),
                        (long long)group, key);
    return set(method, &method->group[group], key, &value, NULL);
}

gls_status gls_method_set_text(gls_method *method, const char *key, const char *text) {
    GLS_GIVEN(NULL, method, key, text);
    return set(method, &method->group[method->groups - 1], key, NULL, text);
}

gls_status gls_method_set_vector(gls_method *method, const char *key, const gls_real *values) {
    GLS_GIVEN(method ? method->ctx : NULL, method, key, values);
    GLS_TRY(make_ready(method));
    gls_method_setup setup = gls_method_setup_of(method);
    if (method->type->set_vector) return method->type->set_vector(method->self, &setup, key, values);
    return gls_fail(method->ctx, GLS_ERR_UNSUPPORTED, "method %s takes no vector '%s'", gls_method_name(method), key);
}

double gls_method_decay(const gls_method *method, const gls_real *w) {
    if (!method || !w) return NAN;
    double sum = 0;
    for (int64_t i = 0; i < method->pieces; i++) {
        const gls_method_piece *piece = &method->piece[i];
        const gls_method_common *now = method->group[piece->group].now;
        if (method->group[piece->group].frozen) continue;
        double decay = method->no_decay[piece->block] ? 0 : now->weight_decay;
        if (!method->no_decoupled[piece->block]) decay += now->decoupled_weight_decay;
        if (decay > 0) sum += decay / 2 * gls_sum_squares(w + piece->offset, piece->size);
    }
    return sum;
}

/* ---- the two verbs ---- */

gls_status gls_method_query(gls_method *method, const gls_real *w, gls_query *query) {
    GLS_GIVEN(NULL, method, w, query);
    GLS_TRY(make_ready(method));
    *query = (gls_query){.kind = GLS_QUERY_GRADIENT, .at = w};
    if (method->type->query) method->type->query(method->self, w, query);
    return GLS_OK;
}

/* By passes: the blocks lie one after another. */
static gls_status run_flat(gls_method *method, const gls_answer *answer, const gls_real *at, gls_real *w,
                           gls_step_report *report) {
    for (int64_t b = 0; b < gls_layout_count(method->layout); b++) {
        int64_t offset = gls_layout_block(method->layout, b)->offset;
        method->w_block[b] = w + offset;
        method->at_block[b] = at + offset;
        method->g_block[b] = answer->g + offset;
    }
    gls_method_blocks blocks = {method->w_block, method->at_block, method->g_block};
    return gls_update_run(method, answer, &blocks, w, report);
}

/* By the rule's own tell. */
static gls_status tell(gls_method *method, const gls_answer *answer, gls_real *w, gls_step_report *report) {
    *report = (gls_step_report){.factor = 1};
    gls_answer seen = method->frozen ? gls_method_frozen_begin(method, answer, w) : *answer;
    gls_status status = method->type->tell(method->self, &seen, w, report);
    if (method->frozen) gls_method_frozen_end(method, w);
    GLS_TRY(status);
    method->steps += !report->refused;
    method->refused += report->refused;
    return GLS_OK;
}

gls_status gls_method_tell(gls_method *method, const gls_answer *answer, gls_real *w, gls_step_report *report) {
    GLS_GIVEN(method ? method->ctx : NULL, method, answer, w);
    gls_step_report ignored;
    if (!report) report = &ignored;
    gls_query query;
    GLS_TRY(gls_method_query(method, w, &query));
    if (query.kind == GLS_QUERY_DONE)
        return gls_fail(method->ctx, GLS_ERR_ARGUMENT, "method %s has ended", gls_method_name(method));
    if (query.kind != GLS_QUERY_VALUE && !answer->g)
        return gls_fail(method->ctx, GLS_ERR_ARGUMENT, "method %s: the answer has no gradient",
                        gls_method_name(method));
    return method->type->tell ? tell(method, answer, w, report) : run_flat(method, answer, query.at, w, report);
}

bool gls_method_plain(const gls_method *method) {
    if (!method) return false;
    return !method->type->query;
}

static gls_status check_plain(const gls_method *method) {
    if (gls_method_plain(method)) return GLS_OK;
    return gls_fail(method->ctx, GLS_ERR_UNSUPPORTED,
                    "method %s asks for gradients elsewhere than at w: use query and tell", gls_method_name(method));
}

gls_status gls_method_step(gls_method *method, gls_real *w, const gls_real *g, gls_step_report *report) {
    GLS_GIVEN(method ? method->ctx : NULL, method, w, g);
    GLS_TRY(check_plain(method));
    gls_answer answer = {.value = NAN, .g = g, .norm2 = NAN, .epoch = NAN};
    return gls_method_tell(method, &answer, w, report);
}

gls_status gls_method_step_blocks(gls_method *method, gls_real *const *w, const gls_real *const *g, double norm2,
                                  gls_step_report *report) {
    GLS_GIVEN(method ? method->ctx : NULL, method, w, g);
    GLS_TRY(check_plain(method));
    if (method->type->tell)
        return gls_fail(method->ctx, GLS_ERR_UNSUPPORTED, "method %s moves w as one vector: use gls_method_step",
                        gls_method_name(method));
    if (norm2 < 0)
        return gls_fail(method->ctx, GLS_ERR_ARGUMENT, "gls_method_step_blocks: norm2 %g: expected a square, or NAN",
                        norm2);
    for (int64_t b = 0; b < gls_layout_count(method->layout); b++) {
        const gls_block *block = gls_layout_block(method->layout, b);
        if (block->size > 0 && (!w[b] || !g[b]))
            return gls_fail(method->ctx, GLS_ERR_ARGUMENT, "gls_method_step_blocks: block '%s' of %s is NULL",
                            block->name, w[b] ? "g" : "w");
    }
    GLS_TRY(make_ready(method));
    if (method->cut)
        return gls_fail(method->ctx, GLS_ERR_UNSUPPORTED,
                        "gls_method_step_blocks: the state is divided over processes, which exchange w as one vector");
    gls_step_report ignored;
    gls_answer answer = {.value = NAN, .norm2 = norm2, .epoch = NAN};
    gls_method_blocks blocks = {w, (const gls_real *const *)w, g};
    return gls_update_run(method, &answer, &blocks, NULL, report ? report : &ignored);
}

/* ---- looking inside ---- */

const char *gls_method_name(const gls_method *method) {
    if (!method) return NULL;
    return method->type->member.name;
}

int64_t gls_method_steps(const gls_method *method) {
    if (!method) return 0;
    return method->steps;
}

int64_t gls_method_refused(const gls_method *method) {
    if (!method) return 0;
    return method->refused;
}

gls_status gls_method_arrays(gls_method *method, const char *prefix, gls_arrays *arrays) {
    GLS_GIVEN(method ? method->ctx : NULL, method, prefix, arrays);
    GLS_TRY(make_ready(method));
    gls_context *ctx = method->ctx;
    GLS_TRY(gls_arrays_add_state(ctx, arrays, prefix, "steps", GLS_I64, 1, &method->steps));
    GLS_TRY(gls_arrays_add_state(ctx, arrays, prefix, "zero_gradients", GLS_I64, 1, &method->zero_gradients));
    GLS_TRY(gls_arrays_add_state(ctx, arrays, prefix, "refused", GLS_I64, 1, &method->refused));
    gls_arrays_optional(arrays); /* unknown to checkpoints of former versions */
    if (!method->apart) GLS_TRY(gls_method_state_arrays(method, prefix, arrays));
    GLS_TRY(gls_method_groups_arrays(method, prefix, arrays));
    gls_method_setup setup = gls_method_setup_of(method);
    return method->type->arrays ? method->type->arrays(method->self, &setup, prefix, arrays) : GLS_OK;
}

gls_status gls_method_rate(gls_method *method, gls_clock clock, double *lr) {
    GLS_GIVEN(NULL, method, lr);
    GLS_TRY(gls_method_groups_advance(method, clock));
    *lr = ((const gls_method_common *)method->group[method->groups - 1].now)->lr;
    return GLS_OK;
}

void gls_method_record(const gls_method *method, gls_record *record) {
    if (!method || !record) return;
    gls_method_setup setup = gls_method_setup_of(method);
    if (method->type->record && method->ready) method->type->record(method->self, &setup, record);
}

const gls_real *gls_method_output(const gls_method *method, const gls_real *w) {
    if (!method || !w) return NULL;
    return method->type->output && method->ready ? method->type->output(method->self, w) : w;
}

gls_status gls_method_certificate(const gls_method *method, gls_certificate *out) {
    GLS_GIVEN(method ? method->ctx : NULL, method, out);
    if (method->type->certificate && method->ready) return method->type->certificate(method->self, method->ctx, out);
    return gls_fail(method->ctx, GLS_ERR_UNSUPPORTED, "method %s gives no certificate", gls_method_name(method));
}
