/* What the parts of format csv share: options, columns and their roles, the reading, and the source that comes of it.
 */
#ifndef GLS_DATA_CSV_H
#define GLS_DATA_CSV_H

#include "data/delimited.h"
#include "data/stored.h"
#include "data/vocabulary.h"

typedef struct gls_csv_options {
    const char *target, *weight, *key, *delimiter, *quote;
    gls_texts features, ignore, categories, missing;
    int kind, fill, unknown;
    bool header;
    int64_t most_categories;
} gls_csv_options;
enum { GLS_CSV_AUTO, GLS_CSV_CLASS, GLS_CSV_REAL };  /* kind */
enum { GLS_CSV_REFUSE, GLS_CSV_ZERO, GLS_CSV_MEAN }; /* fill; unknown has the first two */
enum { GLS_CSV_MOST_COLUMNS = 65536 };

/* ---- the source: rows as they were read, in blocks, made features as they are fetched ---- */

/* One value of a row. A number is a feature; a text's number is the feature `place` of it, which becomes 1 (-1: none).
 * NaN is a missing value: `fill` of a number, feature `feature` of a text (-1: none). */
typedef struct gls_csv_cell {
    int64_t feature;
    gls_real fill;
    const int32_t *place;
} gls_csv_cell;

typedef struct gls_csv_source {
    gls_owned_source owned;
    gls_real **block; /* [blocks] each [rows, cells] */
    int64_t blocks, room, rows, cells;
    const gls_csv_cell *cell; /* [cells] */
    int32_t *label;
    gls_real *y;
    double *mass;
    const char *path; /* of the table, while it is read */
    gls_stored *file; /* rows that do not fit into memory, one block of which is there; NULL: all are */
    int64_t kept;     /* the first block that is in memory */
} gls_csv_source;

gls_status gls_csv_source_create(gls_context *ctx, gls_csv_source **out);
/* The cells of row number `row`, which follows the last one or is there; with a file, of the last block. */
gls_status gls_csv_source_row(gls_csv_source *source, int64_t row, gls_real **cells);
/* All `rows` are there. */
gls_status gls_csv_source_finish(gls_csv_source *source, int64_t rows);

/* ---- columns ---- */

typedef enum gls_csv_role {
    GLS_CSV_IGNORED,
    GLS_CSV_FEATURE,
    GLS_CSV_TARGET,
    GLS_CSV_WEIGHT,
    GLS_CSV_KEY
} gls_csv_role;

typedef struct gls_csv_column {
    const char *name;
    gls_csv_role role;
    bool given;            /* an option names it */
    bool unnamed;          /* the header leaves it empty: name is its number */
    bool decided, texts;   /* what its values are: by option, the training set or its first value */
    int64_t place;         /* of a feature: its cell; else its place among the row's other values */
    gls_vocabulary *words; /* of texts */
    int64_t *known;        /* [words of the training set] their features, or NULL */
    int64_t feature;       /* of a number in the training set, or of the missing text; -1: none */
    int64_t missing, missing_line, values;
    double sum;
} gls_csv_column;

typedef struct gls_csv_reading {
    gls_context *ctx;
    const char *path;
    const gls_csv_options *options;
    gls_part part;
    const gls_data_info *like;
    gls_delimited *file;
    gls_csv_source *source;
    gls_csv_column *column;
    int64_t columns, rows;
    int64_t line;    /* that is read next */
    gls_real *cells; /* of the current row; NULL between rows */
    double *side;    /* [rows, sides] target, weight and key, a text as its number */
    int64_t sides, side_room;
    char **first; /* [firsts] the first record's texts, until there are columns */
    int64_t firsts;
    /* By first byte, the lengths of the texts that stand for a missing value: bit k for k bytes, 31 for more. */
    uint32_t missing_lengths[256];
} gls_csv_reading;

/* Makes the columns from the first record and gives each its role; r->like decides what features there are. */
gls_status gls_csv_columns(gls_csv_reading *r);
const gls_csv_column *gls_csv_find_role(const gls_csv_reading *r, gls_csv_role role);
/* Reads the file's rows. */
gls_status gls_csv_read(gls_csv_reading *r);
/* The same once the file is open: chunk by chunk, several at a time on the context's threads. */
gls_status gls_csv_read_parts(gls_csv_reading *r);
/* One chunk behind all that was read: whoever finds a mistake says where it is. */
gls_status gls_csv_read_in_order(gls_csv_reading *r, gls_delimited_chunk *chunk);
bool gls_csv_is_missing(const gls_csv_reading *r, const char *text, int64_t length);
/* Room for that many rows more in r->side. */
gls_status gls_csv_side_room(gls_csv_reading *r, int64_t rows);
/* Features, their names and what missing values become, once all rows are there. */
gls_status gls_csv_features(gls_csv_reading *r);
/* Targets, weights and keys. */
gls_status gls_csv_targets(gls_csv_reading *r);

gls_status gls_csv_write(gls_context *ctx, const gls_source *source, const char *path, const gls_csv_options *options);

#endif
