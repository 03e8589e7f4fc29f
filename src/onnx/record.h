/* What was recorded, for the one file that writes it. */
#ifndef GLS_ONNX_RECORD_H
#define GLS_ONNX_RECORD_H

#include "onnx/onnx.h"

typedef struct gls_onnx_tensor {
    const char *name;
    gls_onnx_kind kind;
    int dims;
    int64_t shape[GLS_MAX_DIMS];
    int64_t size;
    const void *data; /* [size] floats or 64-bit whole numbers */
} gls_onnx_tensor;

typedef struct gls_onnx_port { /* an input or output: [batch, shape] */
    const char *name, *value;
    gls_onnx_kind kind;
    int dims;
    int64_t shape[GLS_MAX_DIMS];
} gls_onnx_port;

typedef struct gls_onnx_operator {
    const char *type, *name;         /* name: of what comes out, and of the node */
    int inputs, attributes, outputs; /* outputs: behind the first */
    const char *input[GLS_ONNX_INPUTS], *output[GLS_ONNX_MORE];
    gls_onnx_attribute attribute[GLS_ONNX_ATTRIBUTES];
} gls_onnx_operator;

typedef struct gls_onnx_text {
    const char *key, *text;
} gls_onnx_text;

/* A list that grows; item is an array of what the list holds. */
typedef struct gls_onnx_list {
    void *item;
    int64_t count, room;
} gls_onnx_list;

struct gls_onnx {
    gls_context *ctx;
    gls_arena *arena;
    gls_status status;
    gls_onnx_list tensor, operator, input, output, note;
};

#endif
