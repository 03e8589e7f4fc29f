/* glissade/base.h: context, status, allocation, options as data, records, threads, random numbers, files.
 * Every other header includes this one.
 *
 * In every header what users need comes first, in order of need. What follows a line `for authors` is for those who add
 * members of their own: methods, problems, measures, formats.
 *
 * Ownership, the one rule for all headers:
 * - Who is given an object through `out`, or as a result that is not const, owns it. gls_x_create is undone by
 *   gls_x_destroy, a struct that a function fills by gls_x_clear, a `char *` by gls_free; NULL is legal for destroy and
 *   free. After a failure there is nothing to undo, unless the comment says so.
 * - `const` means borrowed. What is handed in must live until the call returns, and where it is handed to a create
 *   function by pointers in an options struct, as long as the object, unless the comment says that it is copied. What
 *   is handed out belongs to the object that it was asked of, and lives as long.
 * - A function that `takes` an argument owns it from then on.
 * An options struct with a `size` begins with it: `= {.size = sizeof options}`; all other fields may stay 0. */
#ifndef GLISSADE_BASE_H
#define GLISSADE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef GLS_DOUBLE
#include <glissade/names64.h> /* every exported function renamed gls64_... */
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GLS_API __attribute__((visibility("default")))
#define GLS_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define GLS_CHECKED __attribute__((warn_unused_result))
#define GLS_UNUSED __attribute__((unused))
#else
#define GLS_API
#define GLS_PRINTF(f, a)
#define GLS_CHECKED
#define GLS_UNUSED
#endif

#define GLS_VERSION_MAJOR 0
#define GLS_VERSION_MINOR 1
#define GLS_VERSION_PATCH 0
#define GLS_VERSION (GLS_VERSION_MAJOR * 10000 + GLS_VERSION_MINOR * 100 + GLS_VERSION_PATCH)

/* The type of vectors of length d, features and outputs. Losses, norms, weights of groups and options are double in
 * both builds. */
#ifdef GLS_DOUBLE
typedef double gls_real;
#else
typedef float gls_real;
#endif

/* ---- status ---- */

typedef enum gls_status {
    GLS_OK = 0,
    GLS_ERR_ARGUMENT,    /* a call or an option is wrong: exit code 2 */
    GLS_ERR_INPUT,       /* a file's content is wrong: exit code 2 */
    GLS_ERR_FILE,        /* a file cannot be opened, read or written: exit code 2 if it is an input, 1 if an output */
    GLS_ERR_MEMORY,      /* out of memory, or a size that overflows */
    GLS_ERR_UNSUPPORTED, /* a question that this problem cannot answer; the message says why */
    GLS_ERR_NONFINITE,   /* a NaN or an infinity was refused */
    GLS_ERR_CALLBACK,    /* a user's callback returned non-zero; see gls_context_callback_code */
    GLS_ERR_INTERRUPTED, /* gls_interrupt was called */
    GLS_ERR_COMM,        /* message passing failed, or another rank failed */
    GLS_ERR_INTERNAL     /* a bug in glissade */
} gls_status;

/* Short English name of a status, never NULL. */
GLS_API const char *gls_status_name(gls_status status);

/* ---- context ---- */

typedef struct gls_context gls_context;
typedef struct gls_comm gls_comm;

typedef enum gls_log_level { GLS_LOG_ERROR, GLS_LOG_WARNING, GLS_LOG_INFO, GLS_LOG_DEBUG } gls_log_level;

/* Memory for everything the library allocates. allocate returns NULL when there is none; alignment is a power of two.
 * Both may be called from several threads at once. */
typedef struct gls_allocator {
    void *(*allocate)(void *user, size_t size, size_t alignment);
    void (*release)(void *user, void *block, size_t size);
    void *user;
} gls_allocator;

typedef struct gls_context_options {
    size_t size; /* sizeof(gls_context_options) */
    int threads; /* 0: the processors this process may use */
    uint64_t seed;
    gls_comm *comm;                                                    /* borrowed; NULL: one process */
    const gls_allocator *allocator;                                    /* copied; NULL: the C library's */
    void (*log)(void *user, gls_log_level level, const char *message); /* NULL: silence */
    void *log_user;
    bool portable; /* use only the portable kernels (also: environment GLS_CPU=portable) */
} gls_context_options;

/* Makes a context. One thread at a time in a context; several contexts may work side by side. options may be NULL.
 * GLS_ERR_ARGUMENT if the header's precision or version does not fit the library's, or a size is wrong. */
#define gls_context_create(out, options) gls_context_create_checked((out), (options), sizeof(gls_real), GLS_VERSION)
GLS_API gls_status gls_context_create_checked(gls_context **out, const gls_context_options *options, size_t real_size,
                                              int version);
/* A context for one more thread beside parent: its allocator (which must then be thread-safe), seed and kernels; one
 * thread, one process, silent. */
GLS_API gls_status gls_context_create_child(const gls_context *parent, gls_context **out);
GLS_API void gls_context_destroy(gls_context *ctx);

/* What went wrong last, in a sentence naming file, field and expectation; "" if nothing did. */
GLS_API const char *gls_context_message(const gls_context *ctx);
/* What a user's callback returned when the status was GLS_ERR_CALLBACK. */
GLS_API int gls_context_callback_code(const gls_context *ctx);
GLS_API int gls_context_threads(const gls_context *ctx);
GLS_API uint64_t gls_context_seed(const gls_context *ctx);
GLS_API gls_comm *gls_context_comm(const gls_context *ctx);
GLS_API bool gls_context_portable(const gls_context *ctx);
/* The libraries that multiply matrices, and the core they run on: "oneDNN 2.6.3, OpenBLAS 0.3.21 (SkylakeX, openmp)";
 * "portable" in a portable context. The first call logs a warning where they are known to be slow. Owned by ctx. */
GLS_API const char *gls_gemm_describe(gls_context *ctx);

/* The processor core whose kernels OpenBLAS runs, as OpenBLAS names it ("Haswell", "SkylakeX", ...), never NULL.
 * "Prescott" is what it falls back to where it does not know the processor, and is several times slower: then set
 * OPENBLAS_CORETYPE before the program starts (a library cannot any more; the command does). */
GLS_API const char *gls_blas_core(void);

/* Requests that the work in this context stop after the current step. Async-signal-safe. */
GLS_API void gls_interrupt(gls_context *ctx);
GLS_API bool gls_interrupted(const gls_context *ctx);
GLS_API void gls_interrupt_clear(gls_context *ctx);

/* Sets the context's message and returns status: `return gls_fail(ctx, GLS_ERR_INPUT, "%s:%d: ...", ...)`.
 * May be called by the workers of gls_parallel. */
GLS_API gls_status gls_fail(gls_context *ctx, gls_status status, const char *format, ...) GLS_PRINTF(3, 4);
/* Records what a user's callback returned; returns GLS_ERR_CALLBACK. */
GLS_API gls_status gls_fail_callback(gls_context *ctx, int code, const char *what);
GLS_API void gls_log(gls_context *ctx, gls_log_level level, const char *format, ...) GLS_PRINTF(3, 4);

#define GLS_TRY(call)                                        \
    do {                                                     \
        gls_status gls_try_status = (call);                  \
        if (gls_try_status != GLS_OK) return gls_try_status; \
    } while (0)

/* The first line of functions with a status: a pointer that must not be NULL is GLS_ERR_ARGUMENT with its name. ctx may
 * be NULL: then there is no message, only the status. */
#define GLS_GIVEN(ctx, ...)                                                                    \
    do {                                                                                       \
        const void *const gls_given[] = {__VA_ARGS__};                                         \
        for (int gls_i = 0; gls_i < (int)(sizeof gls_given / sizeof *gls_given); gls_i++)      \
            if (!gls_given[gls_i]) return gls_fail_null((ctx), __func__, #__VA_ARGS__, gls_i); \
    } while (0)
/* GLS_ERR_ARGUMENT: argument number `which` (from 0) of those listed in names, separated by commas, is NULL. */
GLS_API gls_status gls_fail_null(gls_context *ctx, const char *function, const char *names, int which);

/* ---- memory ---- */

/* count * size zeroed bytes aligned to 64; NULL with a message set when there is no memory or the product overflows.
 * count 0 gives a valid pointer. */
GLS_API void *gls_alloc(gls_context *ctx, int64_t count, size_t size);
/* Grows or shrinks a block from gls_alloc; new bytes are zero. On failure returns NULL and leaves the block. */
GLS_API void *gls_resize(gls_context *ctx, void *block, int64_t count, size_t size);
GLS_API void gls_free(gls_context *ctx, void *block); /* NULL is legal */
GLS_API char *gls_strdup(gls_context *ctx, const char *text);
/* A formatted string from gls_alloc. */
GLS_API char *gls_sprintf(gls_context *ctx, const char *format, ...) GLS_PRINTF(2, 3);

/* ---- values: what configuration files, --set and callers say, before a table gives it a type ---- */

typedef enum gls_value_kind { GLS_VALUE_NULL, GLS_VALUE_TEXT, GLS_VALUE_LIST, GLS_VALUE_MAP } gls_value_kind;

/* A tree of scalars (kept as text), lists and maps, each knowing where it came from. */
typedef struct gls_value {
    gls_value_kind kind;
    const char *key;  /* in a map, else NULL */
    const char *text; /* of a scalar, else NULL */
    bool quoted;      /* a scalar written in quotes: never a number, bool or null */
    const char *file; /* "--set" and the like where there is no file; values that the library made point at a name
                         that the context keeps as long as it lives */
    int line;         /* 0: none */
    struct gls_value **items;
    int64_t count;
} gls_value;

GLS_API gls_value *gls_value_create(gls_context *ctx, gls_value_kind kind, const char *key, const char *text);
GLS_API void gls_value_destroy(gls_context *ctx, gls_value *value);
GLS_API gls_status gls_value_append(gls_context *ctx, gls_value *parent, gls_value *child); /* takes child */
GLS_API gls_value *gls_value_clone(gls_context *ctx, const gls_value *value);
/* The value gets the file and line of `from`. */
GLS_API gls_status gls_value_set_origin(gls_context *ctx, gls_value *value, const gls_value *from);
GLS_API const gls_value *gls_value_get(const gls_value *map, const char *key); /* NULL if absent */

/* ---- layout: named blocks of a flat vector ---- */

enum {
    GLS_BLOCK_NO_DECAY = 1, /* biases and norm scales: weight decay leaves them alone */
    GLS_BLOCK_TILED = 2,    /* its gradient is formed over tiles of the wave, not by slices (problem.h) */
    GLS_BLOCK_BY_SLOT = 4   /* of a state: shape[0] runs over slots; each rank holds the successors of its own */
};

enum { GLS_MAX_DIMS = 6 }; /* weights of convolutions have 4 */
typedef struct gls_block {
    const char *name;
    int64_t offset, size; /* in elements; size is the product of shape */
    int dims;
    int64_t shape[GLS_MAX_DIMS];
    unsigned flags;
} gls_block;

typedef struct gls_layout gls_layout;
GLS_API gls_status gls_layout_create(gls_context *ctx, gls_layout **out);
GLS_API void gls_layout_destroy(gls_layout *layout);
/* Appends a block; the name is copied. GLS_ERR_ARGUMENT for a name already there or a negative extent, GLS_ERR_MEMORY
 * for a size that overflows. */
GLS_API gls_status gls_layout_add(gls_layout *layout, const char *name, int dims, const int64_t *shape, unsigned flags);
GLS_API int64_t gls_layout_size(const gls_layout *layout); /* d */
GLS_API int64_t gls_layout_count(const gls_layout *layout);
GLS_API const gls_block *gls_layout_block(const gls_layout *layout, int64_t i);
GLS_API const gls_block *gls_layout_find(const gls_layout *layout, const char *name); /* NULL if absent */
/* Its blocks for people: name, size, shape, flags, a line each. Like every gls_..._view but gls_batch_view, a text from
 * gls_alloc (NULL without memory), so that it can be logged, shown in a window or handed to another language: a FILE *
 * can not. */
GLS_API char *gls_layout_view(const gls_layout *layout);

/* ---- records: what a step did, as named doubles ---- */

enum { GLS_RECORD_CAPACITY = 64 }; /* more than all parts of one step report together; a record lives on stacks */
typedef struct gls_record {
    int count;
    const char *name[GLS_RECORD_CAPACITY + 1]; /* constant texts */
    double value[GLS_RECORD_CAPACITY + 1];
} gls_record;

GLS_API void gls_record_clear(gls_record *record);
/* Sets a figure; a name already there is overwritten. Beyond the capacity, a last figure "figures_dropped" counts what
 * was not kept, so that whoever reads the record sees that something is missing. */
GLS_API void gls_record_set(gls_record *record, const char *name, double value);
GLS_API double gls_record_get(const gls_record *record, const char *name); /* NaN if absent */

/* ---- named arrays: the one list that a checkpoint holds ---- */

typedef enum gls_dtype { GLS_F32, GLS_F64, GLS_I32, GLS_I64, GLS_U8 } gls_dtype;

/* One array of an object's state. data points into the object: saving reads it, restoring fills it. */
typedef struct gls_array {
    char name[160];
    gls_dtype dtype;
    int dims;
    int64_t shape[GLS_MAX_DIMS];
    void *data;
    bool optional; /* a file without it leaves the data as they are */
    /* Where the file's shape differs from this one: makes room for `shape` and sets array->data, or fails with a
     * sentence. NULL: another shape is refused. */
    gls_status (*resize)(void *owner, struct gls_array *array, const int64_t *shape);
    void *owner;
} gls_array;

typedef struct gls_arrays {
    gls_array *item;
    int64_t count, capacity;
} gls_arrays;

GLS_API gls_status gls_arrays_add(gls_context *ctx, gls_arrays *arrays, const char *name, gls_dtype dtype, int dims,
                                  const int64_t *shape, void *data);
GLS_API gls_status gls_arrays_add_vector(gls_context *ctx, gls_arrays *arrays, const char *name, gls_dtype dtype,
                                         int64_t size, void *data);
/* The same under prefix and name together: what an object's own ..._arrays(object, prefix, arrays) is made of. */
GLS_API gls_status gls_arrays_add_state(gls_context *ctx, gls_arrays *arrays, const char *prefix, const char *name,
                                        gls_dtype dtype, int64_t size, void *data);
/* Every block of a layout as an array, named prefix and the block's name; data [gls_layout_size]. GLS_ERR_UNSUPPORTED
 * for a name that does not fit. */
GLS_API gls_status gls_arrays_add_layout(gls_context *ctx, gls_arrays *arrays, const gls_layout *layout,
                                         const char *prefix, gls_real *data);
/* Of the array added last: it may be absent from a file, its present data are then the default. */
GLS_API void gls_arrays_optional(gls_arrays *arrays);
/* Of the array added last: its extents (not their number) are those found in the file; see gls_array. */
GLS_API void gls_arrays_resizable(gls_arrays *arrays,
                                  gls_status (*resize)(void *owner, gls_array *array, const int64_t *shape),
                                  void *owner);
GLS_API void gls_arrays_clear(gls_context *ctx, gls_arrays *arrays); /* frees the list, not the data */
GLS_API size_t gls_dtype_size(gls_dtype dtype);
#ifdef GLS_DOUBLE
#define GLS_DTYPE_REAL GLS_F64
#else
#define GLS_DTYPE_REAL GLS_F32
#endif

/* ---- random numbers: counter based, Philox4x32-10 ---- */

/* The same key and counters give the same numbers, on any thread or rank, in any order. purpose is a short constant
 * text ("dropout", "shuffle"), one for each use. draw, slot and element say which numbers of that use are meant, by
 * what the configuration and the place in the run determine: the number of a mini-batch, step or epoch, an example's
 * index, a row's slot, a coordinate or a chunk of fixed size. Never by what execution decides: a thread, worker, rank,
 * wave, slice, lane or address, the time, or how many numbers others have drawn before. */
typedef struct gls_random {
    uint32_t key[2];
    uint64_t draw;
    uint32_t slot;
    uint32_t element; /* next block of four 32-bit numbers */
    uint32_t buffer[4];
    int left;
} gls_random;

GLS_API gls_random gls_random_create(uint64_t seed, const char *purpose, uint64_t draw, uint32_t slot);
/* Four 32-bit numbers of a block, without moving the stream. */
GLS_API void gls_random_block(const gls_random *random, uint32_t block, uint32_t out[4]);
GLS_API uint32_t gls_random_u32(gls_random *random);
GLS_API double gls_random_uniform(gls_random *random);               /* [0, 1), 53 bits */
GLS_API double gls_random_normal(gls_random *random);                /* mean 0, variance 1 */
GLS_API int64_t gls_random_below(gls_random *random, int64_t bound); /* uniform on [0, bound), without bias */

/* ---- files ---- */

/* Writes a whole text file into a temporary sibling, which takes the file's name once everything has reached the disk:
 * whatever happens, the path holds either the old content or the new. GLS_ERR_FILE with the system's reason. */
GLS_API gls_status gls_write_text(gls_context *ctx, const char *path, const char *text);
/* Makes a folder and its parents; one that is there already is fine. GLS_ERR_FILE with the system's reason. */
GLS_API gls_status gls_make_directory(gls_context *ctx, const char *path);

/* ======== for authors: options as data ======== */

typedef enum gls_option_type {
    GLS_OPTION_REAL,   /* double */
    GLS_OPTION_INT,    /* int64_t; 1e6, 64k, 4M and 1G (powers of 1000) are read too */
    GLS_OPTION_BOOL,   /* bool */
    GLS_OPTION_ENUM,   /* int: index into choices */
    GLS_OPTION_STRING, /* const char *, owned by the options; NULL where absent */
    GLS_OPTION_PATH,   /* const char *, made relative to the file that names it */
    GLS_OPTION_LENGTH, /* gls_length: "10" epochs, "500s" steps */
    GLS_OPTION_SIZE,   /* int64_t number of examples; "all" is -1 */
    GLS_OPTION_TIME,   /* double seconds: "90", "90s", "2m", "1h" */
    GLS_OPTION_VALUE,  /* const gls_value *: any tree, read by its owner */
    GLS_OPTION_LIST,   /* gls_list, or gls_reals and so on: items as the row `inner` says. A single item that is not a
                          list is read as a list of one */
    GLS_OPTION_MAP     /* const T *: a struct of inner_size bytes filled from the table `inner`; NULL where absent */
} gls_option_type;

typedef struct gls_length {
    double amount;
    bool steps; /* else epochs */
} gls_length;

/* What a list option's field may be: the number of items (0 where the list is absent or empty) and the items, borrowed
 * from the options. Items of maps are whole structs in an array. */
typedef struct gls_list {
    int64_t count;
    const void *item;
} gls_list;
typedef struct gls_reals { /* items of type real or time */
    int64_t count;
    const double *item;
} gls_reals;
typedef struct gls_ints { /* int or size */
    int64_t count;
    const int64_t *item;
} gls_ints;
typedef struct gls_texts { /* string or path */
    int64_t count;
    const char *const *item;
} gls_texts;
typedef struct gls_lengths {
    int64_t count;
    const gls_length *item;
} gls_lengths;
typedef struct gls_values {
    int64_t count;
    const gls_value *const *item;
} gls_values;

enum {
    GLS_OPTION_REQUIRED = 1,
    GLS_OPTION_ABOVE_MIN = 2,   /* minimum itself is excluded */
    GLS_OPTION_BELOW_MAX = 4,   /* maximum itself is excluded */
    GLS_OPTION_SCHEDULABLE = 8, /* a real that also takes {from: x, name: poly, ...} */
    GLS_OPTION_HIDDEN = 16,     /* not in help */
    GLS_OPTION_WHOLE = 32       /* of a method: belongs to all parameters, so a parameter group may not set it */
};

/* One option of a member. A table ends with key NULL. offset is into the member's own options struct. minimum and
 * maximum bound numbers, and the number of a list's items; where both are 0 there is no bound; use INFINITY for
 * one-sided bounds. */
typedef struct gls_option {
    const char *key;
    gls_option_type type;
    size_t offset;
    const char *initial; /* default as text; NULL: none (strings and values stay NULL) */
    double minimum, maximum;
    unsigned flags;
    const char *choices; /* of an enum: "mean|sum"; of a value or a list of values: what it holds, where that has
                            options of its own ("schedule", "average", "transforms", "layers", "sources") */
    const char *help;    /* one line */
    const struct gls_option *inner; /* of a list: the row of its items, key and offset unused; of a map: its table */
    size_t inner_size;              /* of a map: sizeof its struct */
} gls_option;

/* Rows of a table for the struct T:
 *     static const gls_option table[] = {
 *         GLS_REAL("lr", my_options, lr, "0.1", 0, INFINITY, "learning rate", .flags = GLS_OPTION_ABOVE_MIN),
 *         GLS_LIST("betas", my_options, betas, "[0.9, 0.99]", 1, 8,
 *                  GLS_ITEM(.type = GLS_OPTION_REAL, .maximum = 1, .flags = GLS_OPTION_BELOW_MAX), "decay rates"),
 *         {0}};
 * start is the default as text or NULL, low and high are the bounds. The help is last, and any further fields of the
 * row may follow it. (C only: C++ has no such initialisers.) */
#define GLS_REAL(name, T, field, start, low, high, ...) \
    GLS_BOUNDED_ROW(GLS_OPTION_REAL, name, T, field, start, low, high, __VA_ARGS__)
#define GLS_INT(name, T, field, start, low, high, ...) \
    GLS_BOUNDED_ROW(GLS_OPTION_INT, name, T, field, start, low, high, __VA_ARGS__)
#define GLS_SIZE(name, T, field, start, low, high, ...) \
    GLS_BOUNDED_ROW(GLS_OPTION_SIZE, name, T, field, start, low, high, __VA_ARGS__)
#define GLS_TIME(name, T, field, start, ...) GLS_ROW(GLS_OPTION_TIME, name, T, field, start, __VA_ARGS__)
#define GLS_LENGTH(name, T, field, start, ...) GLS_ROW(GLS_OPTION_LENGTH, name, T, field, start, __VA_ARGS__)
#define GLS_BOOL(name, T, field, start, ...) GLS_ROW(GLS_OPTION_BOOL, name, T, field, start, __VA_ARGS__)
#define GLS_ENUM(name, T, field, start, words, ...)                                                                   \
    {                                                                                                                 \
        .key = (name), .type = GLS_OPTION_ENUM, .offset = offsetof(T, field), .initial = (start), .choices = (words), \
        .help = __VA_ARGS__                                                                                           \
    }
#define GLS_STRING(name, T, field, start, ...) GLS_ROW(GLS_OPTION_STRING, name, T, field, start, __VA_ARGS__)
#define GLS_PATH(name, T, field, start, ...) GLS_ROW(GLS_OPTION_PATH, name, T, field, start, __VA_ARGS__)
#define GLS_VALUE(name, T, field, ...) GLS_ROW(GLS_OPTION_VALUE, name, T, field, NULL, __VA_ARGS__)
#define GLS_LIST(name, T, field, start, least, most, row, ...)                                                        \
    {                                                                                                                 \
        .key = (name), .type = GLS_OPTION_LIST, .offset = offsetof(T, field), .initial = (start), .minimum = (least), \
        .maximum = (most), .inner = (row), .help = __VA_ARGS__                                                        \
    }
#define GLS_MAP(name, T, field, table, S, ...)                                                 \
    {                                                                                          \
        .key = (name), .type = GLS_OPTION_MAP, .offset = offsetof(T, field), .inner = (table), \
        .inner_size = sizeof(S), .help = __VA_ARGS__                                           \
    }
/* The items of a list: GLS_ITEM(.type = GLS_OPTION_INT, .minimum = 1, .maximum = 64). In a table inside of a function:
 * the address of a static row instead. */
#define GLS_ITEM(...) (&(const gls_option){__VA_ARGS__})
/* What those rows are made of. */
#define GLS_ROW(kind, name, T, field, start, ...) \
    { .key = (name), .type = (kind), .offset = offsetof(T, field), .initial = (start), .help = __VA_ARGS__ }
#define GLS_BOUNDED_ROW(kind, name, T, field, start, low, high, ...)                                       \
    {                                                                                                      \
        .key = (name), .type = (kind), .offset = offsetof(T, field), .initial = (start), .minimum = (low), \
        .maximum = (high), .help = __VA_ARGS__                                                             \
    }

/* What a value of this option must be, in words: "a number above 0 and at most 1". Cut where size is short. */
GLS_API void gls_option_describe(const gls_option *option, char *text, size_t size);

/* Typed values of one table, with their defaults set. */
typedef struct gls_options gls_options;
GLS_API gls_status gls_options_create(gls_context *ctx, const char *owner, const gls_option *table, size_t struct_size,
                                      gls_options **out);
GLS_API void gls_options_destroy(gls_options *options);
/* Sets from text, as in `--set lr=0.1` or `--set hidden=[64, 32]`: for options that take lists or maps, text that
 * begins with [ or { is YAML. GLS_ERR_ARGUMENT for an unknown key (the nearest known one is named), text that is not of
 * the type, or a value out of bounds: the option then keeps its value. */
GLS_API gls_status gls_options_set(gls_options *options, const char *key, const char *text);
GLS_API gls_status gls_options_set_real(gls_options *options, const char *key, double value);
GLS_API gls_status gls_options_set_int(gls_options *options, const char *key, int64_t value);
GLS_API gls_status gls_options_set_value(gls_options *options, const gls_value *value); /* its key is the option's */
/* Sets every key of a map but those named in except (NULL-terminated, may be NULL); then checks that required ones are
 * there. */
GLS_API gls_status gls_options_apply(gls_options *options, const gls_value *map, const char *const *except);
/* The filled struct: a borrowed pointer to the member's own options type. */
GLS_API const void *gls_options_struct(const gls_options *options);
GLS_API const gls_option *gls_options_table(const gls_options *options);
GLS_API bool gls_options_given(const gls_options *options, const char *key); /* set by someone, not by default */
/* The schedule given to a schedulable option, or NULL. */
GLS_API const gls_value *gls_options_schedule(const gls_options *options, const char *key);
/* The present value of an option as text that gls_options_set reads back to the same bits; of a schedule, the number it
 * starts from. From gls_alloc. NULL for an unknown key, what is absent, and for values and maps. */
GLS_API char *gls_options_text(const gls_options *options, const char *key);
/* The present value as a tree under its key, defaults inside of maps filled in; of a schedule, the number it starts
 * from. *out is NULL for an unknown key and for what is absent. */
GLS_API gls_status gls_options_value(const gls_options *options, const char *key, gls_value **out);
GLS_API gls_options *gls_options_clone(const gls_options *options);

/* The known name nearest to a mistyped one by edit distance, or NULL if none is near. next(user, i) gives name i or
 * NULL at the end. */
GLS_API const char *gls_nearest(const char *name, const char *(*next)(const void *user, int64_t i), const void *user);

/* ======== for authors: tables of members: methods, problems, formats, ... ======== */

/* A room's gls_register_... adds a member of its kind to a context, which the member must outlive. GLS_ERR_ARGUMENT if
 * the name is that of another member, built-in or registered. */

/* Every descriptor begins with these. */
typedef struct gls_member {
    const char *name;          /* as written in a configuration */
    const char *help;          /* one line */
    const char *source;        /* paper and equation, or "" */
    const gls_option *options; /* NULL: none */
    size_t options_size;       /* sizeof the options struct */
} gls_member;

typedef enum gls_kind {
    GLS_KIND_PROBLEM,
    GLS_KIND_FAMILY, /* model families */
    GLS_KIND_OP,
    GLS_KIND_USE,
    GLS_KIND_ESTIMATOR,
    GLS_KIND_METHOD,
    GLS_KIND_SCHEDULE,
    GLS_KIND_MEASURE,
    GLS_KIND_FORMAT, /* file formats and generators */
    GLS_KIND_TRANSFORM,
    GLS_KIND_NOISE,
    GLS_KIND_COUNT
} gls_kind;

/* ======== for authors: threads, and memory that lives and dies together ======== */

typedef gls_status (*gls_task_fn)(void *user, int64_t task, int worker);

/* Runs fn for task = 0 .. tasks-1 on the context's team; tasks are dealt dynamically, worker is in [0, threads).
 * Each worker sets its own OpenMP thread count to 1, so libraries called inside stay on one thread. All started tasks
 * finish; the status and message are those of the lowest failing task. Not nested: a call from inside a task runs in
 * that worker. */
GLS_API gls_status gls_parallel(gls_context *ctx, int64_t tasks, gls_task_fn fn, void *user);

/* A bump allocator whose blocks live and die together. They are not zeroed: debug builds fill fresh ones with NaN. */
typedef struct gls_arena gls_arena;
GLS_API gls_status gls_arena_create(gls_context *ctx, gls_arena **out);
GLS_API void gls_arena_destroy(gls_arena *arena);
GLS_API void *gls_arena_alloc(gls_arena *arena, int64_t count, size_t size); /* aligned to 64; NULL as gls_alloc */
GLS_API void gls_arena_reset(gls_arena *arena); /* invalidates all blocks; the memory is reused */

#ifdef __cplusplus
}
#endif
#endif
