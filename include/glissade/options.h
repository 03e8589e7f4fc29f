/* glissade/options.h: for authors: options as data, and what every member of a table begins with. */
#ifndef GLISSADE_OPTIONS_H
#define GLISSADE_OPTIONS_H

#include <glissade/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum gls_option_type {
    GLS_OPTION_REAL,   /* double */
    GLS_OPTION_INT,    /* int64_t; 1e6, 64k, 4M and 1G (powers of 1000), 64Ki, 4MiB and 1GiB are read too */
    GLS_OPTION_BOOL,   /* bool */
    GLS_OPTION_ENUM,   /* int: index into choices */
    GLS_OPTION_STRING, /* const char *, owned by the options; NULL where absent */
    GLS_OPTION_PATH,   /* const char *, made relative to the file that names it */
    GLS_OPTION_LENGTH, /* gls_length: "10" epochs, "500s" steps */
    GLS_OPTION_SIZE,   /* int64_t number of examples; "all" is -1, further words of `choices` -2, -3 */
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
    GLS_OPTION_WHOLE = 32,      /* of a method: belongs to all parameters, so a parameter group may not set it */
    GLS_OPTION_AUTO = 64        /* `auto` is taken as well, by who reads it before: messages and lists say so */
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
    const char *choices; /* of an enum: "mean|sum"; of a size: "all|rank", NULL: "all"; of a value or a list of values:
                            what it holds, where that has options of its own ("schedule", "average", "transforms",
                            "layers", "sources") */
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

/* ---- tables of members: methods, problems, formats, ... ---- */

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
    GLS_KIND_EXCHANGE,   /* ways of adding gradients up over ranks */
    GLS_KIND_BATCH_RULE, /* what sets the batch size from measurements */
    GLS_KIND_COUNT
} gls_kind;

#ifdef __cplusplus
}
#endif
#endif
