/* What a file of weights says about the model in it, so that prediction needs nothing else: the note "glissade". */
#ifndef GLS_PREDICT_TRAINED_H
#define GLS_PREDICT_TRAINED_H

#include <glissade/data.h>

#define GLS_TRAINED_NOTE "glissade"
#define GLS_TRAINED_TRANSFORMS "transform/" /* prefix of the fitted arrays */

/* To write: everything is borrowed. To read: gls_trained_read owns it, and gls_trained_clear frees it. */
typedef struct gls_trained {
    const gls_value *model;      /* the model section with its defaults */
    const gls_value *transforms; /* the list, or NULL */
    const gls_value *options;    /* of the data format, or NULL */
    const char *format;          /* of the training file */
    gls_data_info file, input;   /* the training set before and after its transforms */
    uint64_t seed;
    int64_t span;     /* of a coupled problem's statistics */
    gls_arena *arena; /* of what was read; else NULL */
} gls_trained;

/* The note's text, from gls_alloc: one JSON object. */
gls_status gls_trained_text(gls_context *ctx, const gls_trained *trained, char **text);
/* Back from a text; what: the file's name, for messages. GLS_ERR_INPUT for one that lacks something. */
gls_status gls_trained_read(gls_context *ctx, const char *what, const char *text, gls_trained *out);
void gls_trained_clear(gls_context *ctx, gls_trained *trained);

#endif
