/* The table of rules that set the batch size from what is measured. */
#include "run/config/batch_rules.h"

#include <math.h>
#include <stddef.h>

typedef struct norm_test_options {
    gls_batches_rule_common common;
    double theta;
} norm_test_options;

typedef struct goodput_options {
    gls_batches_rule_common common;
    double step_time, row_time;
} goodput_options;

#define COMMON                                                                                                   \
    GLS_SIZE("from", gls_batches_rule_common, from, "128", 1, INFINITY, "batch at the start, and the least"),    \
        GLS_SIZE("limit", gls_batches_rule_common, limit, "all", 1, INFINITY, "greatest batch"),                 \
        GLS_LENGTH("every", gls_batches_rule_common, every, "1", "epochs between measurements, or steps: 100s"), \
        GLS_ENUM("rate", gls_batches_rule_common, rate, "none", "none|linear|root",                              \
                 "the learning rate is multiplied by batch / from, by its root, or not"),                        \
        GLS_SIZE("sample", gls_batches_rule_common, sample, "2048", 2, INFINITY, "examples of a measurement"),   \
        GLS_REAL("smoothing", gls_batches_rule_common, smoothing, "0.9", 0, 1, "weight of the past in running means")
#define FRACTION(help) \
    GLS_REAL("fraction", gls_batches_rule_common, fraction, "1", 0, 1e6, help, .flags = GLS_OPTION_ABOVE_MIN)

static double share(const void *options, double found) {
    return ((const gls_batches_rule_common *)options)->fraction * found;
}

/* Throughput B / (a + b B) times what an example then gives, 1 / (1 + (B - 1) / B_S), as examples to a loss grow by [D]
 * theorems 4 to 7: greatest where a (B_S - 1) / B + b B is least. */
static double best_goodput(const void *options, double found) {
    const goodput_options *o = options;
    return o->common.fraction * sqrt(o->step_time * fmax(found - 1, 0) / o->row_time);
}

static const gls_option diversity_table[] = {COMMON, FRACTION("batch in units of the bound's lower end"), {0}};
static const gls_option norm_test_table[] = {COMMON,
                                             FRACTION("batch in units of the one that just passes"),
                                             GLS_REAL("theta", norm_test_options, theta, "0.9", 0, 1e6,
                                                      "noise allowed over the gradient's norm",
                                                      .flags = GLS_OPTION_ABOVE_MIN),
                                             {0}};
static const gls_option goodput_table[] = {
    COMMON,
    FRACTION("batch in units of the best one"),
    GLS_REAL("step_time", goodput_options, step_time, NULL, 0, INFINITY,
             "seconds of a step beside its rows (`glissade scale` measures both)",
             .flags = GLS_OPTION_ABOVE_MIN | GLS_OPTION_REQUIRED),
    GLS_REAL("row_time", goodput_options, row_time, NULL, 0, INFINITY,
             "seconds that one more row of a mini-batch takes", .flags = GLS_OPTION_ABOVE_MIN | GLS_OPTION_REQUIRED),
    {0}};

static const char *const theta[] = {"theta", NULL};
static const char bound[] = "smoothed_batch_size_bound";

static const gls_batches_rule_type diversity = {
    .member = {"diversity", "as large as the gradients are diverse: the lower end of the smoothed bound B_S",
               "[D] def. 5, thm. 4-7", diversity_table, sizeof(gls_batches_rule_common)},
    .measure = "gradient_diversity",
    .sample = "sample",
    .figure = bound,
    .low = true,
    .rows = share};
static const gls_batches_rule_type norm_test = {.member = {"norm_test", "as large as the norm test asks for",
                                                           "Byrd, Chin, Nocedal, Wu 2012, section 3", norm_test_table,
                                                           sizeof(norm_test_options)},
                                                .measure = "norm_test",
                                                .sample = "batch",
                                                .figure = "norm_test_batch",
                                                .options = theta,
                                                .rows = share};
static const gls_batches_rule_type goodput = {
    .member = {"goodput", "where examples a second times what each is worth is greatest",
               "Qiao et al., Pollux, 2021, with [D] thm. 4-7", goodput_table, sizeof(goodput_options)},
    .measure = "gradient_diversity",
    .sample = "sample",
    .figure = bound,
    .low = true,
    .rows = best_goodput};

static const gls_member *const members[] = {&diversity.member, &norm_test.member, &goodput.member, NULL};
const gls_member_kind gls_batches_rule_kind = {GLS_KIND_BATCH_RULE, "batch rule", members};
