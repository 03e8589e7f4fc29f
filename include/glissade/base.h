/* glissade/base.h: context, status, allocation, values, layouts, records, threads, random numbers, files.
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
    bool zeroed; /* blocks come as zeros: nothing is written to them that is 0, and what nobody uses needs no pages */
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
GLS_API int gls_processors(void); /* that this process may use: the threads of a context that asks for none */
GLS_API uint64_t gls_context_seed(const gls_context *ctx);
GLS_API gls_comm *gls_context_comm(const gls_context *ctx);
GLS_API bool gls_context_portable(const gls_context *ctx);
/* The libraries that multiply matrices, and the core they run on: "oneDNN 2.6.3, OpenBLAS 0.3.21 (SkylakeX, openmp)";
 * "portable" in a portable context. The first call logs a warning where they are known to be slow. Owned by ctx. */
GLS_API const char *gls_gemm_describe(gls_context *ctx);

/* The processor core whose kernels OpenBLAS runs, as OpenBLAS names it ("Haswell", "SkylakeX", ...), or "none".
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

/* ---- matrices that come in parts: gradients of examples, a row each, for gls_measure_matrix, gls_estimator_matrix
 * ---- */

typedef struct gls_matrix gls_matrix;
GLS_API gls_status gls_matrix_create(gls_context *ctx, int64_t columns, gls_matrix **out);
GLS_API void gls_matrix_destroy(gls_matrix *matrix);
/* Appends copies of x [rows, columns]. */
GLS_API gls_status gls_matrix_add(gls_matrix *matrix, int64_t rows, const gls_real *x);
/* The same from blocks: x[b] [rows, size of block b of the layout], whose size is the number of columns. */
GLS_API gls_status gls_matrix_add_blocks(gls_matrix *matrix, const gls_layout *layout, int64_t rows,
                                         const gls_real *const *x);
/* [rows, columns], row-major; valid until the next call that changes it. */
GLS_API const gls_real *gls_matrix_data(const gls_matrix *matrix);
GLS_API int64_t gls_matrix_rows(const gls_matrix *matrix);
GLS_API void gls_matrix_clear(gls_matrix *matrix); /* no rows; keeps its memory */

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

typedef enum gls_dtype { GLS_F32, GLS_F64, GLS_I32, GLS_I64, GLS_U8, GLS_BF16 } gls_dtype;

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
/* Makes a folder and its parents, and makes it the caller's own until the lock is released or its process ends: of two
 * that ask, one gets it and the other GLS_ERR_ARGUMENT, "in use". It keeps out nobody who does not ask. Where the file
 * system has no locks there is a warning, and GLS_OK. */
typedef struct gls_lock gls_lock;
GLS_API gls_status gls_lock_folder(gls_context *ctx, const char *path, gls_lock **out);
GLS_API void gls_lock_release(gls_lock *lock); /* takes away folders made for it that are still empty; NULL is legal */

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
