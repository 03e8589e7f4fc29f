/* The parts of a run as a table for people: blocks, shapes, data and plan. */
#include <stdarg.h>
#include <stdio.h>

#include "run/loop/run.h"

typedef struct text {
    gls_context *ctx;
    char *at;
} text;

static void GLS_PRINTF(2, 3) add(text *t, const char *format, ...) {
    if (!t->at) return;
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    char *longer = gls_sprintf(t->ctx, "%s%s", t->at, line);
    gls_free(t->ctx, t->at);
    t->at = longer;
}

static void add_set(text *t, const char *name, const gls_source *source) {
    if (!source) return;
    const gls_data_info *info = &source->info;
    add(t, "%-12s %lld examples", name, (long long)info->examples);
    if (info->dims > 1) {
        add(t, " of ");
        for (int i = 0; i < info->dims; i++) add(t, "%s%lld", i ? " x " : "", (long long)info->shape[i]);
    } else if (info->features) {
        add(t, " of %lld %sfeatures", (long long)info->features, info->sparse ? "sparse " : "");
    }
    if (info->target == GLS_TARGET_CLASS) add(t, ", %lld classes", (long long)info->classes);
    add(t, "\n");
}

static void add_layout(text *t, const char *title, const gls_layout *layout) {
    if (!gls_layout_count(layout)) return;
    add(t, "%s\n", title);
    for (int64_t i = 0; i < gls_layout_count(layout); i++) {
        const gls_block *b = gls_layout_block(layout, i);
        char shape[128] = "";
        int used = 0;
        for (int k = 0; k < b->dims; k++)
            used +=
                snprintf(shape + used, sizeof shape - (size_t)used, "%s%lld", k ? " x " : "", (long long)b->shape[k]);
        add(t, "  %-36s %-24s %12lld\n", b->name, shape, (long long)b->size);
    }
    add(t, "  %-36s %-24s %12lld\n", "all", "", (long long)gls_layout_size(layout));
}

/* What a step sends over the wires, beside some dozens of numbers. */
static void add_exchange(text *t, const gls_run *run) {
    const gls_comm_exchange *exchange = run->training->exchange;
    double ranks = run->ranks > 1 ? run->ranks : 2;
    double dense = 2 * (ranks - 1) / ranks * (double)gls_problem_size(run->training->problem) * sizeof(gls_real);
    const char *name = exchange ? gls_comm_exchange_name(exchange) : "dense";
    double bytes = exchange ? gls_comm_exchange_cost(exchange, ranks).bytes : dense;
    if (run->ranks == 1 && !exchange) return;
    add(t, "%-12s %s, %.0f bytes a step from each of %.0f ranks (dense: %.0f)%s\n", "exchange", name, bytes, ranks,
        dense, run->ranks == 1 ? "; one process sends nothing" : "");
}

char *gls_run_summary(gls_run *run) {
    if (!run) return NULL;
    const gls_training *r = run->training;
    text t = {run->ctx, gls_strdup(run->ctx, "")};
    add_set(&t, "training", r->set.train);
    add_set(&t, "validation", r->set.validation);
    add_set(&t, "test", r->set.test);
    for (int64_t i = 0; i < r->set.named_count; i++) add_set(&t, r->set.named[i].name, r->set.named[i].source);
    add(&t, "%-12s %s\n", "method", gls_method_name(r->method));
    if (r->total_steps > 0) add(&t, "%-12s %.0f, %.0f per epoch\n", "steps", r->total_steps, r->steps_per_epoch);
    add(&t, "%-12s slices of %lld rows in %lld lanes, waves of %lld rows, %s precision\n", "plan",
        (long long)r->plan.slice, (long long)r->plan.lanes, (long long)r->plan.wave, gls_training_precision(r));
    add_exchange(&t, run);
    add_layout(&t, "parameters", gls_problem_layout(r->problem));
    add_layout(&t, "state", r->problem->state_layout);
    return t.at;
}
