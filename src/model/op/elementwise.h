/* Element-wise ops: each is one line that says its formula and that of its gradient (op/elementwise.c). The loops are
 * compiled from them for every instruction set. */
#ifndef GLS_MODEL_OP_ELEMENTWISE_H
#define GLS_MODEL_OP_ELEMENTWISE_H

#include "base/kernels.h"
#include "model/elementary.h"
#include "model/op.h"

/* y = f(x), and d = e f'(x) from what was kept, x or y; y may be x, d may be e. slope: the op's option, or 0. */
typedef void gls_elementwise_values(gls_real *y, const gls_real *x, int64_t n, gls_real slope);
typedef void gls_elementwise_gradients(gls_real *d, const gls_real *e, const gls_real *kept, int64_t n, gls_real slope);

/* d += e f''(x) v, from what was kept. */
typedef void gls_elementwise_curvatures(gls_real *d, const gls_real *e, const gls_real *v, const gls_real *kept,
                                        int64_t n);

void gls_elementwise_forward(gls_exec *x, int node, gls_elementwise_values *values);
void gls_elementwise_backward(gls_exec *x, int node, gls_elementwise_gradients *gradients);
void gls_elementwise_forward_tangent(gls_exec *t, int node, gls_elementwise_gradients *gradients);
void gls_elementwise_backward_tangent(gls_exec *t, int node, gls_elementwise_gradients *gradients,
                                      gls_elementwise_curvatures *curvatures);

/* NAME is the op's. KEPT is x or y: what `gradient` and `curvature` read; `value` is an expression in x and s, the
 * slope, `gradient` one in e, KEPT and s, `curvature`, f''(x), one in KEPT. What follows are further fields of the
 * descriptor: help, formula, flags. An op that keeps y may write it over x. */
#define GLS_ELEMENTWISE(NAME, KEPT, value, gradient, curvature, ...)                                                \
    GLS_SIMD static void NAME##_values(gls_real *to, const gls_real *from, int64_t n, gls_real s) {                 \
        (void)s;                                                                                                    \
        GLS_LANE_LOOP                                                                                               \
        for (int64_t k = 0; k < n; k++) {                                                                           \
            gls_real x = from[k];                                                                                   \
            to[k] = (value);                                                                                        \
        }                                                                                                           \
    }                                                                                                               \
    GLS_SIMD static void NAME##_gradients(gls_real *d, const gls_real *in, const gls_real *kept, int64_t n,         \
                                          gls_real s) {                                                             \
        (void)s;                                                                                                    \
        GLS_LANE_LOOP                                                                                               \
        for (int64_t k = 0; k < n; k++) {                                                                           \
            gls_real e = in[k], KEPT = kept[k];                                                                     \
            d[k] = (gradient);                                                                                      \
        }                                                                                                           \
    }                                                                                                               \
    GLS_SIMD static void NAME##_curvatures(gls_real *d, const gls_real *e, const gls_real *v, const gls_real *kept, \
                                           int64_t n) {                                                             \
        GLS_LANE_LOOP                                                                                               \
        for (int64_t k = 0; k < n; k++) {                                                                           \
            gls_real KEPT = kept[k];                                                                                \
            (void)KEPT;                                                                                             \
            d[k] += e[k] * (curvature)*v[k];                                                                        \
        }                                                                                                           \
    }                                                                                                               \
    static gls_status NAME##_forward(gls_exec *x, int node) {                                                       \
        gls_elementwise_forward(x, node, NAME##_values);                                                            \
        return GLS_OK;                                                                                              \
    }                                                                                                               \
    static gls_status NAME##_backward(gls_exec *x, int node) {                                                      \
        gls_elementwise_backward(x, node, NAME##_gradients);                                                        \
        return GLS_OK;                                                                                              \
    }                                                                                                               \
    static gls_status NAME##_forward_tangent(gls_exec *t, int node) {                                               \
        gls_elementwise_forward_tangent(t, node, NAME##_gradients);                                                 \
        return GLS_OK;                                                                                              \
    }                                                                                                               \
    static gls_status NAME##_backward_tangent(gls_exec *t, int node) {                                              \
        gls_elementwise_backward_tangent(t, node, NAME##_gradients, NAME##_curvatures);                             \
        return GLS_OK;                                                                                              \
    }                                                                                                               \
    const gls_op gls_op_##NAME = {.member.name = #NAME,                                                             \
                                  .member.source = "",                                                              \
                                  GLS_OP_ONE_INPUT,                                                                 \
                                  .shapes = "[c, h, w] -> [c, h, w]",                                               \
                                  .parameters = "",                                                                 \
                                  .shape = gls_op_same_shape,                                                       \
                                  .impl = GLS_OP_PORTABLE(.forward = NAME##_forward, .backward = NAME##_backward,   \
                                                          .forward_tangent = NAME##_forward_tangent,                \
                                                          .backward_tangent = NAME##_backward_tangent),             \
                                  __VA_ARGS__}

/* As ONNX's operator of that type. */
#define GLS_ELEMENTWISE_ONNX(NAME, TYPE, ...)                                                                          \
    static void NAME##_onnx(gls_export *x, int i) {                                                                    \
        gls_form form = gls_export_form(x, i, 0);                                                                      \
        gls_export_out(x, i, form,                                                                                     \
                       gls_onnx_node(x->to, TYPE, x->graph->node[i].name, GLS_ONNX_ARGS(gls_export_in(x, i, 0, form)), \
                                     __VA_ARGS__));                                                                    \
    }

/* Flags by what is kept. */
#define GLS_KEEPS_X GLS_OP_BY_POSITION | GLS_OP_KEEPS_INPUT | GLS_OP_GRAD_IN_PLACE
#define GLS_KEEPS_Y GLS_OP_BY_POSITION | GLS_OP_KEEPS_OUTPUT | GLS_OP_IN_PLACE | GLS_OP_GRAD_IN_PLACE

#endif
