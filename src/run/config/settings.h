/* The sections of a configuration that the trainer itself reads. */
#ifndef GLS_RUN_SETTINGS_H
#define GLS_RUN_SETTINGS_H

#include <glissade/options.h>

enum { GLS_REFUSED_STOP, GLS_REFUSED_SKIP };

/* Section `train`. */
typedef struct gls_config_train {
    double epochs; /* 0: until another end */
    int64_t steps; /* 0: until another end */
    int64_t batch; /* -1: the whole set */
    const gls_value *batch_schedule;
    int64_t seed, seeds, threads, workers;
    gls_length checkpoint_every, validate_every, log_every;
    int64_t keep;
    double validation;   /* below 1 a share, else a number of examples */
    const char *monitor; /* auto, train, validation, test, or a name of data.tests */
    int64_t patience;
    double target_loss, target_score;
    const char *score; /* auto, or one of gls_score_type_at */
    int best;
    double time;         /* seconds; 0: no limit */
    int64_t final_train; /* examples of the training set evaluated at the end; -1: all */
    int64_t bn_span;
    bool replacement, shuffle, drop_last, shard_state;
    int64_t bucket, shuffle_block, shuffle_window;
    int nonfinite;
    const gls_value *average;
    double watchdog;           /* seconds; 0: ranks are waited for as long as they are there */
    const gls_value *exchange; /* of gls_comm_exchange_create; NULL: dense */
    bool tensorboard;
    int64_t ledger_windows;
} gls_config_train;
enum { GLS_BEST_LOSS, GLS_BEST_SCORE }; /* best */
extern const gls_option gls_config_train_table[];

/* Section `data`, what is not the format's own. */
typedef struct gls_config_data {
    const char *format, *name, *train, *validation, *test;
    const gls_value *tests; /* {name: path}, or NULL */
    const gls_value *transforms;
    bool standardize;
    int64_t memory; /* bytes; 0: no bound */
    const char *scratch;
} gls_config_data;
extern const gls_option gls_config_data_table[];
/* The format or generator: named, or guessed from the training file. */
const char *gls_config_data_format(const gls_config_data *data);
extern const char *const gls_config_data_keys[]; /* the keys of that table, NULL-terminated */

/* Section `plan`: how a run computes: the precision, and what the static cost model chose, written into a run's
 * configuration and followed from then on. */
typedef struct gls_config_plan {
    int64_t slice, wave, lanes;
    const char *precision, *libraries, *version;
    bool emulate;
} gls_config_plan;
extern const gls_option gls_config_plan_table[];

/* paths.c: makes the paths in a section absolute, each from the file that names it. */
gls_status gls_config_absolute_path(gls_context *ctx, const gls_value *from, char **out); /* one, from gls_alloc */
gls_status gls_config_absolute_paths(gls_context *ctx, gls_value *value);

/* A section by name as a map; a bare name means {name: ...}. NULL where there is none. made: the map made for a bare
 * name, to be destroyed, else NULL. */
gls_status gls_config_section(gls_context *ctx, const gls_value *config, const char *name, const gls_value **section,
                              gls_value **made);
/* The options of one of the tables above, filled from its section. */
gls_status gls_config_section_options(gls_context *ctx, const gls_value *config, const char *name,
                                      const gls_option *table, size_t struct_size, const char *const *except,
                                      gls_options **out);
/* The data section's own options; those of the format are ignored. */
gls_status gls_config_data_options(gls_context *ctx, const gls_value *section, gls_options **out);
/* resolve.c: a new configuration in which members' tables have filled in what was not given. Names and options are
 * checked on the way. Values that were given keep their file and line, borrowed from config. */
gls_status gls_config_resolve(gls_context *ctx, const gls_value *config, gls_value **out);
/* renamed.c: GLS_ERR_ARGUMENT for a key of a former version, with its present name and what it means. */
gls_status gls_config_check_renamed(gls_context *ctx, const gls_value *config);
/* The same keys get their present names where a run wrote them: its folder can be resumed by this version. */
gls_status gls_config_rename(gls_context *ctx, gls_value *config);

#endif
