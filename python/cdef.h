/* What the package uses of the public headers, for cffi; the compiler checks it against them. REAL: float or double. */
typedef REAL gls_real;
#define GLS_VERSION ...

typedef enum {
    GLS_OK,
    GLS_ERR_ARGUMENT,
    GLS_ERR_INPUT,
    GLS_ERR_FILE,
    GLS_ERR_MEMORY,
    GLS_ERR_UNSUPPORTED,
    GLS_ERR_NONFINITE,
    GLS_ERR_CALLBACK,
    GLS_ERR_INTERRUPTED,
    GLS_ERR_COMM,
    GLS_ERR_INTERNAL,
    ...
} gls_status;

/* ---- contexts, values, layouts, records, arrays ---- */

typedef... gls_context;
typedef struct {
    size_t size;
    int threads;
    uint64_t seed;
    ...;
} gls_context_options;
gls_status gls_context_create_checked(gls_context **out, const gls_context_options *options, size_t real_size,
                                      int version);
void gls_context_destroy(gls_context *ctx);
const char *gls_context_message(const gls_context *ctx);
int gls_context_threads(const gls_context *ctx);
const char *gls_gemm_describe(gls_context *ctx);
void gls_interrupt(gls_context *ctx);
void gls_free(gls_context *ctx, void *block);

typedef enum { GLS_VALUE_NULL, GLS_VALUE_TEXT, GLS_VALUE_LIST, GLS_VALUE_MAP, ... } gls_value_kind;
typedef struct gls_value gls_value;
struct gls_value {
    gls_value_kind kind;
    const char *key;
    const char *text;
    bool quoted;
    gls_value **items;
    int64_t count;
    ...;
};
gls_value *gls_value_create(gls_context *ctx, gls_value_kind kind, const char *key, const char *text);
void gls_value_destroy(gls_context *ctx, gls_value *value);
gls_status gls_value_append(gls_context *ctx, gls_value *parent, gls_value *child);

typedef struct {
    const char *name;
    int64_t offset, size;
    int dims;
    int64_t shape[...];
    unsigned flags;
    ...;
} gls_block;
typedef... gls_layout;
#define GLS_BLOCK_NO_DECAY ...
#define GLS_MAX_DIMS ...
gls_status gls_layout_create(gls_context *ctx, gls_layout **out);
void gls_layout_destroy(gls_layout *layout);
gls_status gls_layout_add(gls_layout *layout, const char *name, int dims, const int64_t *shape, unsigned flags);
int64_t gls_layout_size(const gls_layout *layout);
int64_t gls_layout_count(const gls_layout *layout);
const gls_block *gls_layout_block(const gls_layout *layout, int64_t i);

typedef struct {
    int count;
    const char *name[...];
    double value[...];
    ...;
} gls_record;

typedef enum { GLS_F32, GLS_F64, GLS_I32, GLS_I64, GLS_U8, GLS_BF16, ... } gls_dtype;
typedef struct gls_array gls_array;
struct gls_array {
    char name[...];
    gls_dtype dtype;
    int dims;
    int64_t shape[...];
    void *data;
    bool optional;
    gls_status (*resize)(void *owner, gls_array *array, const int64_t *shape);
    void *owner;
    ...;
};
typedef struct {
    gls_array *item;
    int64_t count;
    ...;
} gls_arrays;
void gls_arrays_clear(gls_context *ctx, gls_arrays *arrays);

/* ---- methods ---- */

typedef... gls_method;
typedef struct {
    size_t size;
    const gls_layout *layout;
    const gls_value *spec;
    double steps_per_epoch, total_steps;
    uint64_t seed;
    ...;
} gls_method_options;
typedef struct {
    bool moved, refused;
    double lr, gradient_norm, factor, clipped, update_norm;
    int64_t nonfinite, zero_gradients;
    ...;
} gls_step_report;
gls_status gls_method_create(gls_context *ctx, const gls_method_options *options, gls_method **out);
void gls_method_destroy(gls_method *method);
gls_status gls_method_set(gls_method *method, const char *key, double value);
gls_status gls_method_set_group(gls_method *method, int64_t group, const char *key, double value);
gls_status gls_method_set_text(gls_method *method, const char *key, const char *text);
gls_status gls_method_set_vector(gls_method *method, const char *key, const gls_real *values);
gls_status gls_method_step(gls_method *method, gls_real *w, const gls_real *g, gls_step_report *report);
gls_status gls_method_step_blocks(gls_method *method, gls_real *const *w, const gls_real *const *g, double norm2,
                                  gls_step_report *report);
const char *gls_method_name(const gls_method *method);
char *gls_method_view(const gls_method *method);
int64_t gls_method_steps(const gls_method *method);
int64_t gls_method_state_bytes(const gls_method *method);
double gls_method_decay(const gls_method *method, const gls_real *w);
void gls_method_record(const gls_method *method, gls_record *record);
const gls_real *gls_method_output(const gls_method *method, const gls_real *w);
bool gls_method_watches(const gls_method *method);
void gls_method_validated(gls_method *method, bool better);
gls_status gls_method_arrays(gls_method *method, const char *prefix, gls_arrays *arrays);
bool gls_method_plain(const gls_method *method);

typedef enum { GLS_QUERY_GRADIENT, GLS_QUERY_VALUE, GLS_QUERY_ORACLE, GLS_QUERY_DONE, ... } gls_query_kind;
typedef struct {
    gls_query_kind kind;
    const gls_real *at;
    const gls_real *direction;
    bool same_batch;
    ...;
} gls_query;
typedef struct {
    double value;
    const gls_real *g;
    double norm2;
    const double *block_norm2;
    double epoch;
    ...;
} gls_answer;
gls_status gls_method_query(gls_method *method, const gls_real *w, gls_query *query);
gls_status gls_method_tell(gls_method *method, const gls_answer *answer, gls_real *w, gls_step_report *report);

/* ---- gradients in memory ---- */

typedef struct {
    double loss, mass;
    int64_t rows;
    double norm2;
    ...;
} gls_estimate;
typedef struct {
    const gls_real *g;
    int64_t n, d;
    const double *mass;
    const int64_t *key;
    uint64_t draw;
    ...;
} gls_estimator_matrix;
gls_status gls_estimator_run_matrix(gls_context *ctx, const gls_value *spec, const gls_estimator_matrix *matrix,
                                    gls_real *g, gls_estimate *out, gls_record *record);

typedef struct {
    const char *name, *unit;
    int64_t count;
    double *value;
    bool array, headline;
    double low, high;
    const char *edges;
    ...;
} gls_figure;
typedef struct {
    const char *measure;
    gls_figure *figure;
    int64_t figures, sample, population;
    double seconds;
    char *meaningless, *note;
    ...;
} gls_measure_result;
typedef struct {
    const gls_real *g;
    int64_t n, d;
    bool sample;
    uint64_t seed;
    ...;
} gls_measure_matrix;
typedef struct {
    size_t size;
    const gls_value *config;
    const char *only;
    const char *sample;
    ...;
} gls_survey_options;
typedef struct {
    gls_measure_result *result;
    int64_t count;
    ...;
} gls_survey;
gls_status gls_survey_matrix(gls_context *ctx, const gls_measure_matrix *matrix, const gls_survey_options *options,
                             gls_survey *out);
void gls_survey_clear(gls_survey *survey);

/* ---- a monitor ---- */

typedef... gls_monitor;
typedef struct {
    size_t size;
    const gls_value *spec;
    const gls_layout *layout;
    int64_t examples;
    uint64_t seed;
    ...;
} gls_monitor_options;
gls_status gls_monitor_create(gls_context *ctx, const gls_monitor_options *options, gls_monitor **out);
void gls_monitor_destroy(gls_monitor *monitor);
gls_status gls_monitor_set(gls_monitor *monitor, const char *key, double value);
gls_status gls_monitor_step(gls_monitor *monitor, bool *due);
typedef struct {
    int64_t count, group;
    const double *norm2;
    double mean_norm2;
    const gls_real *const *g;
    const double *factor;
    const double *loss;
    const int64_t *index;
    ...;
} gls_monitor_batch;
gls_status gls_monitor_look(gls_monitor *monitor, const gls_monitor_batch *batch);
typedef struct {
    double step_norm2, change_norm2, gradient_norm2;
    int64_t examples;
    ...;
} gls_monitor_move;
gls_status gls_monitor_moved(gls_monitor *monitor, const gls_monitor_move *move);
void gls_monitor_record(const gls_monitor *monitor, gls_record *record);
typedef struct {
    gls_measure_result result[...];
    int64_t count;
    ...;
} gls_monitor_report;
gls_status gls_monitor_read(gls_monitor *monitor, gls_monitor_report *out);
void gls_monitor_report_clear(gls_monitor_report *report);
gls_status gls_monitor_arrays(gls_monitor *monitor, const char *prefix, gls_arrays *arrays);
gls_status gls_measure_results_json(gls_context *ctx, const gls_measure_result *results, int64_t count, char **json);

/* ---- members and theorems ---- */

typedef struct {
    const char *key;
    const char *initial;
    unsigned flags;
    const char *choices;
    const char *help;
    ...;
} gls_option;
#define GLS_OPTION_HIDDEN ...
#define GLS_OPTION_WHOLE ...
#define GLS_OPTION_SCHEDULABLE ...
void gls_option_describe(const gls_option *option, char *text, size_t size);
typedef struct {
    const char *name, *help, *source;
    const gls_option *options;
    ...;
} gls_member;
typedef enum { GLS_KIND_COUNT, ... } gls_kind;
const char *gls_kind_name(gls_kind kind);
const gls_member *gls_members_at(gls_context *ctx, gls_kind kind, int64_t i);
typedef struct {
    const char *name, *help, *text;
    ...;
} gls_preset;
const gls_preset *gls_preset_at(int64_t i);
typedef struct {
    const char *name, *kind, *help;
    ...;
} gls_theorem_output;
typedef struct {
    gls_member member;
    const gls_theorem_output *outputs;
    ...;
} gls_theorem;
const gls_theorem *gls_theorem_at(int64_t i);
gls_status gls_theory_values(gls_context *ctx, const gls_value *given, gls_record *out);

/* ---- runs ---- */

gls_status gls_config_read(gls_context *ctx, const char *path, gls_value **out);
gls_status gls_config_parse(gls_context *ctx, const char *name, const char *text, int64_t size, gls_value **out);
gls_status gls_config_preset(gls_context *ctx, const char *name, gls_value **out);
gls_status gls_config_set(gls_context *ctx, gls_value *config, const char *assignment);
gls_status gls_config_context(gls_context *ctx, const gls_value *config, gls_context_options *options);
gls_status gls_config_seeds(gls_context *ctx, const gls_value *config, int64_t *seeds);

typedef... gls_run;
typedef struct {
    int64_t step, total_steps;
    double epoch, epochs, loss, monitored, score;
    const char *score_name, *set;
    double seconds, examples_per_second, seconds_left;
    bool validated;
    ...;
} gls_progress;
typedef struct {
    size_t size;
    const gls_value *config;
    const char *folder;
    bool resume, stretch;
    const char *from;
    void (*progress)(void *user, const gls_progress *progress);
    void *user;
    ...;
} gls_run_options;
typedef int... gls_stop_reason;
#define GLS_STOP_OBSERVER ...
typedef struct {
    int64_t steps, refused;
    double epochs, train_loss, validation_loss, test_loss, train_score, validation_score, test_score;
    const char *score;
    double seconds, examples_per_second;
    gls_stop_reason stopped;
    ...;
} gls_run_result;
const char *gls_stop_reason_name(gls_stop_reason reason);
gls_status gls_run_create(gls_context *ctx, const gls_run_options *options, gls_run **out);
gls_status gls_run_train(gls_run *run, gls_run_result *result);
void gls_run_stop(gls_run *run, gls_stop_reason reason);
void gls_run_destroy(gls_run *run);
typedef... gls_problem;
gls_problem *gls_run_problem(const gls_run *run);
const gls_real *gls_run_output(const gls_run *run);
char *gls_run_config_text(gls_run *run);
const gls_layout *gls_problem_layout(const gls_problem *problem);
gls_status gls_run_saved_config(gls_context *ctx, const char *folder, gls_value **out);
gls_status gls_run_saved_weights(gls_context *ctx, const char *folder, const char *which, char **path, int64_t *step);
extern "Python" void glissade_progress(void *user, const gls_progress *progress);

/* ---- sweeps and advice ---- */

typedef struct {
    char *key;
    ...;
} gls_sweep_axis;
gls_status gls_sweep_axis_parse(gls_context *ctx, const char *text, gls_sweep_axis *axis);
void gls_sweep_axis_clear(gls_context *ctx, gls_sweep_axis *axis);
typedef struct {
    size_t size;
    const gls_value *config;
    const gls_sweep_axis *axis;
    int64_t axes, trials, seeds, first_seed;
    bool by_epochs, by_loss, by_score;
    const char *folder;
    const gls_context_options *context;
    void (*progress)(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result);
    void *user;
    ...;
} gls_sweep_options;
typedef struct {
    double mean, deviation;
    ...;
} gls_sweep_stat;
typedef struct {
    char folder[...];
    char **text;
    int64_t runs, failed, reached, missed;
    gls_sweep_stat selected, test_loss, test_score, train_loss, seconds, epochs;
    ...;
} gls_sweep_trial;
typedef struct {
    int64_t axes, trials;
    gls_sweep_axis *axis;
    gls_sweep_trial *trial;
    char *selected_by;
    bool greater_is_better, best, interrupted;
    bool *edge;
    ...;
} gls_sweep;
gls_status gls_sweep_run(gls_context *ctx, const gls_sweep_options *options, gls_sweep **out);
void gls_sweep_destroy(gls_sweep *sweep);
typedef struct {
    size_t size;
    const gls_value *config;
    const char *methods;
    double budget;
    void (*say)(void *user, const char *line);
    void *user;
    ...;
} gls_advise_options;
typedef struct {
    const char *what, *value, *numbers, *rule, *source;
    ...;
} gls_advice_line;
typedef struct {
    gls_value *config;
    gls_advice_line *line;
    int64_t lines;
    char *json;
    ...;
} gls_advice;
gls_status gls_advise(gls_context *ctx, const gls_advise_options *options, gls_advice **out);
void gls_advice_destroy(gls_advice *advice);
typedef struct {
    size_t size;
    const gls_value *config;
    const gls_advice *advice;
    const char *folder;
    const gls_context_options *context;
    void (*begin)(void *user, const char *name);
    void (*progress)(void *user, int64_t run, int64_t runs, const char *name, const gls_run_result *result);
    void *user;
    ...;
} gls_verify_options;
typedef struct {
    const char *name;
    char lr[...];
    double train_loss, test_loss, test_score, selected;
    char selected_by[...];
    bool edge;
    ...;
} gls_entrant;
#define GLS_ENTRANTS ...
typedef struct {
    gls_entrant entrant[...];
    double ratio;
    const char *outcome;
    bool interrupted;
    ...;
} gls_verdict;
gls_status gls_advice_verify(gls_context *ctx, const gls_verify_options *options, gls_verdict *out);
extern "Python" void glissade_say(void *user, const char *line);
extern "Python" void glissade_swept(void *user, int64_t run, int64_t runs, const char *name,
                                    const gls_run_result *result);

/* ---- rows in memory, and predictions ---- */

typedef enum { GLS_TARGET_NONE, GLS_TARGET_CLASS, GLS_TARGET_REAL, ... } gls_target_kind;
typedef enum { GLS_DOCUMENTS_WHOLE, ... } gls_documents;
typedef struct {
    int64_t examples, features;
    int dims;
    int64_t shape[...];
    bool sparse;
    gls_target_kind target;
    int64_t classes, targets, length, vocabulary;
    gls_documents documents;
    const char *const *class_names;
    ...;
} gls_data_info;
typedef... gls_source;
gls_status gls_source_from_dense(gls_context *ctx, const gls_real *x, const int32_t *label, const gls_real *y,
                                 const gls_data_info *info, gls_source **out);
gls_status gls_source_from_sparse(gls_context *ctx, const int64_t *row, const int32_t *column, const gls_real *value,
                                  const int32_t *label, const gls_real *y, const gls_data_info *info, gls_source **out);
gls_status gls_source_weigh(gls_context *ctx, gls_source *source, const double *mass, gls_source **out);
typedef int... gls_part;
typedef struct {
    gls_member member;
    gls_status (*open)(gls_context *ctx, const char *path, const void *options, gls_part part,
                       const gls_data_info *like, gls_source **out);
    ...;
} gls_format;
gls_status gls_register_format(gls_context *ctx, const gls_format *format);
extern "Python" gls_status glissade_open(gls_context *context, const char *path, const void *options, gls_part part,
                                         const gls_data_info *like, gls_source **out);
gls_status gls_source_from_tokens(gls_context *ctx, const int32_t *token, const int32_t *label,
                                  const gls_data_info *info, gls_source **out);
void gls_source_destroy(gls_source *source);
typedef... gls_predictor;
typedef struct {
    const char *link;
    int64_t positions, classes, values;
    ...;
} gls_prediction;
gls_status gls_predictor_open(gls_context *ctx, const char *path, gls_predictor **out);
void gls_predictor_destroy(gls_predictor *predictor);
const gls_problem *gls_predictor_problem(const gls_predictor *predictor);
int64_t gls_predictor_outputs(const gls_predictor *predictor);
const gls_data_info *gls_predictor_file_info(const gls_predictor *predictor);
const gls_data_info *gls_predictor_input_info(const gls_predictor *predictor);
gls_status gls_predictor_prepare(gls_predictor *predictor, gls_source *source, gls_source **out);
gls_status gls_predictor_run(gls_predictor *predictor, const gls_source *rows, gls_real *out);
gls_prediction gls_problem_prediction(const gls_problem *problem);
gls_status gls_problem_predict(const gls_problem *problem, int64_t rows, const gls_real *z, gls_real *out);
gls_status gls_problem_classify(const gls_problem *problem, int64_t rows, const gls_real *z, int32_t *out);
