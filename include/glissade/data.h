/* glissade/data.h: examples from files and generators, transforms over them, sampling, and batches of materialised
 * rows. */
#ifndef GLISSADE_DATA_H
#define GLISSADE_DATA_H

#include <glissade/options.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- sets of examples ---- */

typedef enum gls_target_kind {
    GLS_TARGET_NONE,
    GLS_TARGET_CLASS,
    GLS_TARGET_REAL,
    GLS_TARGET_TOKENS,  /* a token at every position of a token row */
    GLS_TARGET_SPAN,    /* a stretch of a token row: its first and its last position */
    GLS_TARGET_FRAMES,  /* a class at every position */
    GLS_TARGET_SEQUENCE /* a sequence of classes, in order, at no given positions */
} gls_target_kind;
/* Whether a row has as many labels as positions; negative ones are none. Those of a sequence stand in front. */
static inline bool gls_target_by_position(gls_target_kind kind) {
    return kind == GLS_TARGET_TOKENS || kind == GLS_TARGET_FRAMES || kind == GLS_TARGET_SEQUENCE;
}

/* What positions of a row see of each other (gls_batch.document). */
typedef enum gls_documents {
    GLS_DOCUMENTS_WHOLE,  /* a row is one document from its first position to its last */
    GLS_DOCUMENTS_PADDED, /* a row is one document, and padding behind it */
    GLS_DOCUMENTS_PACKED  /* a row holds several documents, and padding behind them */
} gls_documents;

/* What a set of examples looks like; problems and models are made to fit it. target is the main kind; where classes
 * are written as integers, class targets come with real ones beside them (targets 1: the integer itself). */
typedef struct gls_data_info {
    int64_t examples;
    int64_t features;
    int dims;
    int64_t
        shape[GLS_MAX_DIMS]; /* of one example: [features], [channels, height, width], or of frames [length, values] */
    bool sparse;
    gls_target_kind target;
    int64_t classes;                /* with class targets; the vocabulary where they are tokens, the length of spans */
    int64_t targets;                /* real targets: values a row, or 0 */
    int64_t length;                 /* tokens or frames a row, features / length values each; other rows: 0 */
    int64_t vocabulary;             /* token rows: tokens are in [0, vocabulary); other rows: 0 */
    gls_documents documents;        /* of rows with a length */
    int64_t separator;              /* token rows: the token that parts two texts of a row; 0: there is none */
    bool masked;                    /* targets that are tokens: those that a row hides, instead of the next ones */
    int64_t streams;                /* > 0: of token rows, example j goes on where example j - streams ends; else 0 */
    const char *const *class_names; /* [classes] or NULL; where the targets are tokens, the words */
    const char *const *token_names; /* of token rows with classes: [vocabulary], or NULL */
    const char *tokenizer;          /* where they are sub-words: the text of their tokenizer.json; else NULL */
    /* [features] or NULL: a column's name, or "column=value" of a category */
    const char *const *feature_names;
    const gls_real *feature_fill; /* [features] what a missing value becomes, or NULL: they are refused */
    bool mixed;                   /* rows fetched for training may be mixtures of two (gls_batch.other_label) */
} gls_data_info;

/* Random access to examples. Immutable after creation, so that several threads may fetch at once. The first members of
 * a concrete source. */
typedef struct gls_source gls_source;

/* What a set is opened for. */
typedef enum gls_part {
    GLS_PART_TRAIN,
    GLS_PART_TEST,
    GLS_PART_ROWS /* rows to be predicted: targets are neither needed nor read, info.target is GLS_TARGET_NONE */
} gls_part;
/* Opens by format name with options as a map (the data section; keys that the format's table does not know are errors
 * but for those in except). like: the training set's info (before transforms) when opening another part; GLS_ERR_INPUT
 * if they do not fit. */
GLS_API gls_status gls_source_open(gls_context *ctx, const char *format, const char *path, const gls_value *options,
                                   const char *const *except, gls_part part, const gls_data_info *like,
                                   gls_source **out);

/* What sources may hold of their rows in memory. */
typedef struct gls_bound {
    int64_t left;        /* bytes; sources take off what they hold */
    const char *scratch; /* folder of scratch files, without a name, for rows that cannot be read out of their own file;
                            NULL: $TMPDIR, else /tmp */
    bool lenient;        /* what cannot stay on disk is held in memory all the same, instead of GLS_ERR_INPUT */
} gls_bound;
/* Sources of this context that are opened from now on stay within a bound, borrowed until the next call: rows that do
 * not fit stay on disk, and give the same bits. NULL: there is none. */
GLS_API void gls_source_bound(gls_context *ctx, gls_bound *bound);

/* What a list of transforms has learned from training data (means, deviations, classes), as named vectors. Writing them
 * to a file and making another of them gives the same bits as the training run's own. */
typedef struct gls_fitted gls_fitted;
/* Applies a list of transforms ([{label_noise: 0.1}, {pad_crop: {pad: 4}}, flip]) in order; a scalar sets the first
 * option of a transform's table. list may be NULL. fitted: NULL for training data, from which is learned; for other
 * rows what the same list has learned there. Takes source, also when it fails: then the source is destroyed. */
GLS_API gls_status gls_transforms_apply(gls_context *ctx, gls_source *source, const gls_value *list, uint64_t seed,
                                        const gls_fitted *fitted, gls_source **out);
/* The same to rows that come from elsewhere, to be predicted or evaluated: none of them is left out by `subset`. */
GLS_API gls_status gls_transforms_apply_elsewhere(gls_context *ctx, gls_source *source, const gls_value *list,
                                                  uint64_t seed, const gls_fitted *fitted, gls_source **out);
/* Writes a source by format name; GLS_ERR_UNSUPPORTED if the format has no writer or cannot hold these data. */
GLS_API gls_status gls_source_write(gls_context *ctx, const gls_source *source, const char *format, const char *path,
                                    const gls_value *options, const char *const *except);

/* Examples of one source picked by index (train/validation split); borrows the source. */
GLS_API gls_status gls_source_subset(gls_context *ctx, const gls_source *source, const int64_t *index, int64_t count,
                                     gls_source **out);
/* A source over the caller's arrays, borrowed: x [examples, features] dense; label [examples] or NULL; y [examples,
 * targets] or NULL. */
GLS_API gls_status gls_source_from_dense(gls_context *ctx, const gls_real *x, const int32_t *label, const gls_real *y,
                                         const gls_data_info *info, gls_source **out);
/* The same over rows of tokens [examples, length], each in [0, vocabulary); label is [examples] with class targets, or
 * [examples, length] where the targets are tokens: a row's mass is then its share of labels that are not negative; of
 * spans it is [examples, 2] positions. */
GLS_API gls_status gls_source_from_tokens(gls_context *ctx, const int32_t *token, const int32_t *label,
                                          const gls_data_info *info, gls_source **out);
/* The same over rows that hold documents: document [examples, length] numbers each position's, from 0 upwards along a
 * row, and is negative where padding fills its end, whose labels are then negative too. */
GLS_API gls_status gls_source_from_documents(gls_context *ctx, const int32_t *token, const int32_t *label,
                                             const int32_t *document, const gls_data_info *info, gls_source **out);
/* The same as gls_source_from_dense over rows of frames: x [examples, length, values], of which a row's first frames[i]
 * count, at least 1 (NULL: all), and the rest is padding. info has length and features, length values of each frame.
 * label is [examples] with class targets, or [examples, length]: with GLS_TARGET_FRAMES a row's mass is then its share
 * of labels that are not negative, with GLS_TARGET_SEQUENCE the number of its labels, at least 1, over length. */
GLS_API gls_status gls_source_from_frames(gls_context *ctx, const gls_real *x, const int32_t *label,
                                          const int64_t *frames, const gls_data_info *info, gls_source **out);
/* The same as gls_source_from_dense over compressed sparse rows, row [examples + 1]. */
GLS_API gls_status gls_source_from_sparse(gls_context *ctx, const int64_t *row, const int32_t *column,
                                          const gls_real *value, const int32_t *label, const gls_real *y,
                                          const gls_data_info *info, gls_source **out);
/* Gives the examples masses, mass [examples] above 0, which multiply those they have. Takes source, also when it fails:
 * then the source is destroyed. GLS_ERR_INPUT names the first mass that is none. */
GLS_API gls_status gls_source_weigh(gls_context *ctx, gls_source *source, const double *mass, gls_source **out);
GLS_API const gls_data_info *gls_source_info(const gls_source *source);

/* A named integer per example: domain, user, marked draggers. */
typedef struct gls_column {
    const char *name;
    const int64_t *value; /* [examples] */
    const char *const
        *text; /* [texts] what the file has for the values 0 to texts - 1, or NULL: the values themselves */
    int64_t texts;
} gls_column;
/* A named column, [examples], or NULL. */
GLS_API const int64_t *gls_source_column(const gls_source *source, const char *name);
/* What the file has for a value of a column of texts (a table's key); NULL where values are the file's own numbers. */
GLS_API const char *gls_source_column_text(const gls_source *source, const char *name, int64_t value);
/* Whether its rows carry labels or values to learn from; without, they can be predicted only. */
GLS_API bool gls_source_has_targets(const gls_source *source);

/* All targets without features: label [examples] of class targets and y [examples, targets], either may be NULL. */
GLS_API gls_status gls_source_targets(const gls_source *source, gls_context *ctx, int32_t *label, gls_real *y);

GLS_API void gls_source_destroy(gls_source *source); /* NULL is legal */

/* ---- what transforms have learned from training data ---- */

/* Of the source that gls_transforms_apply has made of training data, which owns it; NULL for any other. */
GLS_API const gls_fitted *gls_source_fitted(const gls_source *source);
/* Its arrays, each named prefix, stage/transform/name. Borrowed: they live as long as it. */
GLS_API gls_status gls_fitted_arrays(const gls_fitted *fitted, const char *prefix, gls_arrays *arrays);
/* From the arrays of that prefix, which are copied. */
GLS_API gls_status gls_fitted_create(gls_context *ctx, const char *prefix, const gls_arrays *arrays, gls_fitted **out);
GLS_API void gls_fitted_destroy(gls_fitted *fitted);

/* ---- a look at a set ---- */

/* A column of a table: numbers, one feature, or texts, each a feature of 0 or 1. */
typedef struct gls_description_column {
    char *name;
    int64_t texts; /* different ones, a missing text included; 0: numbers */
    int64_t first; /* its first feature */
    double minimum, maximum, mean;
} gls_description_column;
/* What gls_source_describe found. Counts of trouble are 0 where there is none. */
typedef struct gls_description {
    gls_data_info info; /* borrows the source's class names */
    int64_t columns;    /* of a table that is not sparse, else 0 */
    gls_description_column *column;
    int64_t *class_count;          /* [classes], or NULL */
    double minimum, maximum, mean; /* over all finite feature values, zeros of sparse rows included */
    double density;                /* non-zero values over all */
    int64_t nonfinite;             /* NaN or infinite feature values */
    int64_t constant_features;
    int64_t empty_rows;       /* all zero */
    int64_t duplicate_rows;   /* equal in features to an earlier row, by 128-bit hash */
    int64_t conflicting_rows; /* duplicates of an earlier row with another class */
    int64_t missing_classes;  /* classes without an example */
    double imbalance;         /* largest class count over smallest non-zero one; 0 without classes */
    double target_minimum, target_maximum, target_mean; /* of real targets */
    char *text;                                         /* all of it for people, several lines */
} gls_description;
GLS_API gls_status gls_source_describe(gls_context *ctx, const gls_source *source, gls_description *out);
GLS_API void gls_description_clear(gls_context *ctx, gls_description *description);

/* ---- sub-words ---- */

/* Makes a tokenizer of byte pairs from a file of UTF-8 and writes it as tokenizer.json: `size` tokens, the special ones
 * (NULL-terminated) first, then 256 bytes, then merges of the commonest pairs inside words, fewer where the text has no
 * more. The same text gives the same file. */
GLS_API gls_status gls_tokenizer_make(gls_context *ctx, const char *text, int64_t size, const char *const *special,
                                      const char *out);

/* ---- arrays in NumPy's .npy files: recorded gradients, initial weights, results ---- */

/* One array in C order: dims extents in shape, count values of dtype in data. Filled by a reading function, and freed
 * by gls_npy_clear. */
typedef struct gls_npy {
    gls_dtype dtype;
    int dims;
    int64_t shape[GLS_MAX_DIMS];
    int64_t count; /* product of shape; 1 for a scalar */
    void *data;
} gls_npy;

/* Reads integers of 1 to 8 bytes, bool, and floats of 2 to 8 bytes, little- or big-endian, in C or Fortran order,
 * versions 1 to 3, plain, .gz or .xz. What gls_dtype lacks becomes the next type that holds it: i1, i2, u2 I32; u4, u8
 * (below 2^63) I64; f2 F32; bool U8.
 * GLS_ERR_FILE; GLS_ERR_INPUT naming the file and what was expected for any other content, and for bytes behind the
 * array. */
GLS_API gls_status gls_npy_read(gls_context *ctx, const char *path, gls_npy *out);
/* The same as gls_real values, whatever type the file holds. GLS_ERR_INPUT names the first value that is not finite. */
GLS_API gls_status gls_npy_read_real(gls_context *ctx, const char *path, gls_npy *out);
GLS_API void gls_npy_clear(gls_context *ctx, gls_npy *array);
/* Writes an array in C order, data holding the product of shape values of dtype, through a temporary file as
 * gls_write_text does. */
GLS_API gls_status gls_npy_write(gls_context *ctx, const char *path, gls_dtype dtype, int dims, const int64_t *shape,
                                 const void *data);

/* ---- batches ---- */

/* Rows of examples, materialised: fetched, augmented, standardised. Features are dense (x), compressed sparse rows
 * (row, column, value), or tokens. Arrays that a source does not have are NULL. A view borrows another batch's arrays;
 * row[] of a view keeps the absolute offsets into column and value. */
typedef struct gls_batch {
    int64_t rows;
    int64_t features;
    const gls_real *x;     /* [rows, features] dense, or NULL */
    const int64_t *row;    /* [rows + 1] offsets of sparse rows, or NULL */
    const int32_t *column; /* ascending inside a row, in [0, features) */
    const gls_real *value;
    const int32_t *token; /* [rows, length] tokens, or NULL */
    int64_t length;       /* of rows of tokens or frames */
    /* [rows, length] Positions of a row see each other where these are equal; negative: padding. NULL: all do. */
    const int32_t *document;
    /* [rows, gls_batch_labels]: by position (negative: ignored), of spans two, else a class a row; or NULL */
    const int32_t *label;
    gls_target_kind target; /* as in the set's info */
    const gls_real *y;      /* [rows, targets] real targets, or NULL */
    int64_t targets;
    const int64_t *index; /* [rows] the example's index in the set */
    const int64_t *slot;  /* [rows] its place in the global mini-batch */
    const double *mass;   /* [rows] masses m_i, or NULL: all 1 */
    const int64_t *key;   /* [rows] the key column (user, domain), or NULL */
    uint64_t draw;        /* one number for the mini-batch: randomness is keyed by it */
    /* [rows] Of mixed rows a second class, and the share of the first: f = share f(label) + (1 - share) f(other_label)
     * at the same features. NULL: label alone. */
    const int32_t *other_label;
    const double *label_share;
} gls_batch;

/* Labels a row: the length where they are by position, 2 of a span, else 1. */
GLS_API int64_t gls_batch_labels(const gls_batch *batch);
GLS_API int64_t gls_data_labels(const gls_data_info *info);
/* A view of rows [begin, begin + rows). */
GLS_API gls_batch gls_batch_view(const gls_batch *batch, int64_t begin, int64_t rows);
GLS_API double gls_batch_mass(const gls_batch *batch); /* sum of masses */

/* ---- sampling: which examples make mini-batch number k ---- */

typedef struct gls_sampler gls_sampler;
typedef struct gls_loader gls_loader;
typedef struct gls_sampler_options {
    size_t size;
    int64_t examples;
    bool
        replacement; /* independent draws; else epochs, each a fresh permutation, last mini-batch shorter unless drop */
    bool drop_last;
    bool shuffle; /* false: in order */
    uint64_t seed;
    /* [examples] or NULL, borrowed: with a window, of so many shuffled examples that follow each other, the order is by
     * length, and then that of its blocks is random; a block is what a mini-batch should be. */
    const int64_t *length;
    int64_t window, block;
    /* > 0: epochs in blocks of so many examples that follow each other: the blocks come in random order, and the
     * examples of `mixed` of them at a time are shuffled. loader, borrowed or NULL, is told which ones come next. */
    int64_t stretch, mixed;
    gls_loader *loader;
} gls_sampler_options;

GLS_API gls_status gls_sampler_create(gls_context *ctx, const gls_sampler_options *options, gls_sampler **out);
GLS_API void gls_sampler_destroy(gls_sampler *sampler);
/* The next mini-batch of `batch` examples (fewer at the end of an epoch): fills index[batch], and sets the count and
 * the draw number. */
GLS_API gls_status gls_sampler_next(gls_sampler *sampler, int64_t batch, int64_t *index, int64_t *count,
                                    uint64_t *draw);
GLS_API double gls_sampler_epoch(
    const gls_sampler *sampler); /* examples handed out over examples; a rest that drop_last leaves out counts */
/* Position, for checkpoints: epoch, place in the epoch, draws so far. */
GLS_API gls_status gls_sampler_arrays(gls_sampler *sampler, const char *prefix, gls_arrays *arrays);
GLS_API gls_status gls_sampler_restored(gls_sampler *sampler); /* call after its arrays were filled */

/* ---- rows as a stream: what a pass reads ---- */

/* The rows of a mini-batch (or of a whole set) that this rank owns, handed out in order, piece by piece. */
typedef struct gls_stream gls_stream;
typedef struct gls_stream_ops {
    /* Rows [begin, begin + count) of this rank; the batch is valid until the next call. */
    gls_status (*get)(gls_stream *stream, int64_t begin, int64_t count, gls_batch *out);
} gls_stream_ops;
struct gls_stream {
    const gls_stream_ops *ops;
    int64_t rows;        /* of this rank */
    int64_t first;       /* slot of this rank's first row */
    int64_t global_rows; /* of all ranks */
};

/* This rank's contiguous run of a global mini-batch of `rows`, aligned to `align` rows where that is possible. */
GLS_API void gls_rank_share(const gls_context *ctx, int64_t rows, int64_t align, int64_t *first, int64_t *count);

/* Serves mini-batches of a source, fetched ahead by `workers` threads (0: on demand). Bits do not depend on it. The
 * workers' contexts share the context's allocator, which must be thread-safe. */
typedef struct gls_loader_options {
    size_t size;
    int workers;
    int64_t wave;  /* rows materialised at a time */
    int64_t align; /* as in gls_rank_share */
    uint64_t seed;
    bool augment;
    /* NULL: none. With one, mini-batches come in the order of its values, and all rows of a value are with one rank. */
    const char *key_column;
} gls_loader_options;
GLS_API gls_status gls_loader_create(gls_context *ctx, const gls_source *source, const gls_loader_options *options,
                                     gls_loader **out);
GLS_API void gls_loader_destroy(gls_loader *loader);
/* Announces a mini-batch to come (global order); fetching ahead may begin. index is copied. */
GLS_API gls_status gls_loader_push(gls_loader *loader, const int64_t *index, int64_t count, uint64_t draw);
/* The oldest announced mini-batch as a stream; valid until gls_loader_pop. */
GLS_API gls_status gls_loader_front(gls_loader *loader, gls_stream **out);
GLS_API void gls_loader_pop(gls_loader *loader);

/* A stream over one batch already in memory. */
typedef struct gls_batch_stream {
    gls_stream stream;
    const gls_batch *batch;
} gls_batch_stream;
GLS_API void gls_batch_stream_init(gls_batch_stream *stream, const gls_batch *batch);

/* ======== for authors: sources, formats and transforms of your own; docs/howto-add-a-format.md ======== */

/* Rows being materialised: writable arrays with room for `capacity` rows; a source fills rows 0 .. count-1 of those
 * that are not NULL. Sparse rows are appended after row[0], which the caller has set; column and value grow by
 * gls_rows_reserve. Owned by a loader or by gls_rows_create's caller. */
typedef struct gls_rows {
    gls_context *ctx;
    int64_t capacity, nonzeros;
    gls_real *x, *value, *y;
    int64_t *row, *index, *slot, *key;
    int32_t *column, *token, *label, *document, *other_label;
    double *mass, *label_share;
} gls_rows;

GLS_API gls_status gls_rows_create(gls_context *ctx, const gls_data_info *info, int64_t capacity, gls_rows **out);
GLS_API void gls_rows_destroy(gls_rows *rows);
GLS_API gls_status gls_rows_reserve(gls_rows *rows, int64_t nonzeros); /* room for that many sparse values in all */
/* The sub-rows from `begin` on: shares the arrays, owns nothing. After a sparse fetch into it, gls_rows_merge hands
 * grown arrays back. */
GLS_API gls_rows gls_rows_from(const gls_rows *rows, const gls_data_info *info, int64_t begin);
GLS_API void gls_rows_merge(gls_rows *rows, const gls_rows *part);

/* Which examples to fetch, by index; their slots, the mini-batch's draw and the seed; augment is false in evaluation.
 */
typedef struct gls_fetch {
    int64_t count;
    const int64_t *index;
    const int64_t *slot;
    uint64_t draw, seed;
    bool augment;
} gls_fetch;
typedef struct gls_source_ops {
    /* Fills rows for fetch->count examples (x or sparse arrays or token, label, y, mass where the source has them, and
     * with info.mixed, where fetch->augment, other_label and label_share; not index, slot). A pure function of its
     * arguments. */
    gls_status (*fetch)(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows);
    void (*destroy)(gls_source *source);
    /* Rows [begin, end) will be fetched soon, or else for a long time not again. NULL: those of `inner`, or nothing is
     * to be done. */
    void (*expect)(const gls_source *source, int64_t begin, int64_t end, bool soon);
} gls_source_ops;
struct gls_source {
    const gls_source_ops *ops;
    gls_context *ctx;
    gls_data_info info;
    bool has_mass;
    gls_column *columns;       /* NULL-name terminated, or NULL; see gls_source_column */
    const gls_source *inner;   /* what a wrapper wraps, or NULL */
    struct gls_fitted *fitted; /* owned; see gls_source_fitted */
};
/* Fetches examples into rows and gives the batch that views them; slot NULL: 0 .. count-1. GLS_ERR_ARGUMENT for an
 * index outside the set or more rows than capacity. */
GLS_API gls_status gls_source_fetch(const gls_source *source, gls_context *ctx, const gls_fetch *fetch, gls_rows *rows,
                                    gls_batch *out);

/* A file format or a generator. open reads `path` (train or test file of the data section; NULL for generators) with
 * the member's own options. A generator or a folder gives its training part for GLS_PART_TRAIN, its test part for the
 * other two. With GLS_PART_ROWS it need not find targets; what it finds is dropped. like is the training set's info
 * when another part is opened, so that width and classes agree; else NULL. */
typedef struct gls_format {
    gls_member member;
    bool generator;
    bool bounded; /* open keeps what it holds in memory within the context's bound (data.memory) by itself */
    gls_status (*open)(gls_context *ctx, const char *path, const void *options, gls_part part,
                       const gls_data_info *like, gls_source **out);
    /* Writes a source in this format (for `data convert`, `data make`); NULL: cannot. */
    gls_status (*write)(gls_context *ctx, const gls_source *source, const char *path, const void *options);
} gls_format;

GLS_API gls_status gls_register_format(gls_context *ctx, const gls_format *format);

/* One transform's part of it, for those who write transforms. */
typedef struct gls_learned gls_learned;
/* A vector of zeros to fill; data is the address of a pointer to its elements. */
GLS_API gls_status gls_learned_add(gls_learned *learned, const char *name, gls_dtype dtype, int64_t size, void *data);
/* The vector of that name, dtype and *size (-1: of any, and *size becomes it); data is the address of a pointer to
 * const elements. GLS_ERR_INPUT with a sentence if there is none. */
GLS_API gls_status gls_learned_get(const gls_learned *learned, const char *name, gls_dtype dtype, int64_t *size,
                                   void *data);

/* A transform over any source: makes a new source around the old one. What it marked is a column of its name; where it
 * reorders, the column "original" holds the index before the first transform. */
struct gls_onnx;
typedef struct gls_transform {
    gls_member member;
    bool train_only;   /* leaves all but the training data alone */
    bool own_sets;     /* leaves rows alone that are no set of the run (gls_transforms_apply_elsewhere) */
    bool changes_rows; /* picks or adds examples: leaves rows without targets, which are to be predicted, alone */
    /* Learns from training data, before they are transformed. NULL: there is nothing to learn. */
    gls_status (*fit)(gls_context *ctx, const gls_source *source, const void *options, gls_learned *learned);
    /* Takes the source, except when it fails. seed is this transform's own; train: these are training data; learned:
     * what fit has left, here or in another process. */
    gls_status (*apply)(gls_context *ctx, gls_source *source, const void *options, uint64_t seed, bool train,
                        const gls_learned *learned, gls_source **out);
    /* The same for one value in an ONNX graph, [batch, shape of info]: returns the name of what it becomes. Of the
     * library's own; NULL: rows to be predicted must be left alone by it, or there is no ONNX graph. */
    const char *(*onnx)(struct gls_onnx *to, const gls_data_info *info, const void *options, const gls_learned *learned,
                        const char *value);
} gls_transform;
GLS_API gls_status gls_register_transform(gls_context *ctx, const gls_transform *transform);

#ifdef __cplusplus
}
#endif
#endif
