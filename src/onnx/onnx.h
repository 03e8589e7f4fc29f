/* A graph in ONNX's operators, written down node by node and then into a file. Recording is sticky: after the first
 * failure every call does nothing, and gls_onnx_write returns it. Names are copied; data are borrowed until it is
 * destroyed unless a comment says otherwise. */
#ifndef GLS_ONNX_ONNX_H
#define GLS_ONNX_ONNX_H

#include <glissade/base.h>

enum {
    GLS_ONNX_OPSET = 17, /* the first with LayerNormalization */
    GLS_ONNX_IR = 8,     /* the file format's version that goes with it */
    GLS_ONNX_INPUTS = 8, /* the most of a node */
    GLS_ONNX_MORE = 2,   /* the most outputs behind its first */
    GLS_ONNX_NAME = 256, /* bytes of a name */
    GLS_ONNX_ATTRIBUTES = 8
};

typedef struct gls_onnx gls_onnx;

/* A list of them ends with name NULL. */
typedef struct gls_onnx_attribute {
    const char *name;
    bool real;
    double number;       /* of a real one */
    int64_t count;       /* of whole numbers; 0: one, `whole` */
    const int64_t *list; /* [count] */
    int64_t whole;
} gls_onnx_attribute;
#define GLS_ONNX_REAL(key, value) \
    { .name = (key), .real = true, .number = (value) }
#define GLS_ONNX_INT(key, value) \
    { .name = (key), .whole = (value) }
#define GLS_ONNX_INTS(key, ...)                                     \
    {                                                               \
        .name = (key), .list = (const int64_t[]){__VA_ARGS__},      \
        .count = sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t) \
    }
#define GLS_ONNX_WITH(...) ((const gls_onnx_attribute[]){__VA_ARGS__, {0}})

typedef enum gls_onnx_kind { GLS_ONNX_FLOAT, GLS_ONNX_WHOLE } gls_onnx_kind;
/* ONNX's numbers of types, for Cast. */
enum { GLS_ONNX_TO_FLOAT = 1, GLS_ONNX_TO_INT32 = 6 };

gls_status gls_onnx_create(gls_context *ctx, gls_onnx **out);
void gls_onnx_destroy(gls_onnx *onnx);
/* Records the first failure. */
void gls_onnx_fail(gls_onnx *onnx, gls_status status, const char *format, ...) GLS_PRINTF(3, 4);
/* The same for a failure whose message the context has already. */
void gls_onnx_refused(gls_onnx *onnx, gls_status status);
gls_status gls_onnx_status(const gls_onnx *onnx);

/* An input or output of the whole graph, [batch, shape]. An output is the value of that name. */
const char *gls_onnx_input(gls_onnx *onnx, const char *name, gls_onnx_kind kind, int dims, const int64_t *shape);
void gls_onnx_output(gls_onnx *onnx, const char *name, const char *value, gls_onnx_kind kind, int dims,
                     const int64_t *shape);
/* A constant: as floats, copied; shape [dims]. A name already there is returned again if `shared`. */
const char *gls_onnx_reals(gls_onnx *onnx, const char *name, bool shared, int dims, const int64_t *shape,
                           const gls_real *data);
const char *gls_onnx_real(gls_onnx *onnx, const char *name, double value); /* a scalar */
/* A constant vector of whole numbers; data are copied. */
const char *gls_onnx_ints(gls_onnx *onnx, const char *name, int64_t count, const int64_t *data);
/* A node; names what comes out of it `name`, made unique. inputs end with NULL; one that is "" is left out. attributes
 * are copied, or NULL. */
const char *gls_onnx_node(gls_onnx *onnx, const char *type, const char *name, const char *const *inputs,
                          const gls_onnx_attribute *attributes);
/* The next output of the node that was added last, under a name of its own. */
const char *gls_onnx_more(gls_onnx *onnx, const char *name);
#define GLS_ONNX_ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
/* x in another shape: extents as ONNX's Reshape has them (0: as it is, -1: what is left), ended by -2. */
const char *gls_onnx_reshape(gls_onnx *onnx, const char *name, const char *x, const int64_t *extents);
#define GLS_ONNX_EXTENTS(...) ((const int64_t[]){__VA_ARGS__, -2})
/* x with its axes in another order; order as in numpy's transpose, `dims` of them. */
const char *gls_onnx_transpose(gls_onnx *onnx, const char *name, const char *x, int dims, const int64_t *order);

/* x from `from` up to but not `to` along an axis. */
const char *gls_onnx_slice(gls_onnx *onnx, const char *name, const char *x, int64_t axis, int64_t from, int64_t to);
/* Zeros to make a constant in, which live as long as the graph; NULL after a failure. */
void *gls_onnx_room(gls_onnx *onnx, int64_t count, size_t size);

/* A key and a text for whoever reads the file. */
void gls_onnx_note(gls_onnx *onnx, const char *key, const char *text);
/* Writes the file, whole or not at all. GLS_ERR_UNSUPPORTED where Glissade was built without ONNX, or for more than a
 * file of this format holds (2 GiB). */
gls_status gls_onnx_write(gls_onnx *onnx, const char *path);

#endif
