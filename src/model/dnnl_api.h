/* All that differs between oneDNN 2 and 3, behind one face: in 2 a memory descriptor is a struct, in 3 a handle that
 * its maker frees; in 2 a convolution goes through an operation descriptor, in 3 its arguments are those of the
 * primitive descriptor. The rest of the C interface that dnnl.c uses is the same in both. */
#ifndef GLS_MODEL_DNNL_API_H
#define GLS_MODEL_DNNL_API_H

#include <oneapi/dnnl/dnnl.h>

typedef enum direction { FORWARD, BACKWARD, WEIGHTS, DIRECTIONS } direction;

/* A layout that is owned starts as zeros and is freed by layout_free; layout_md lends it to a call. */
typedef dnnl_memory_desc_t layout;

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t layout_ref;

static inline layout_ref layout_md(const layout *l) {
    return *l;
}

static inline dnnl_status_t layout_make(layout *l, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                                        dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(l, rank, dims, type, tag);
}

static inline dnnl_status_t layout_copy(layout *l, layout_ref from) {
    return dnnl_memory_desc_clone(l, from);
}

static inline void layout_free(layout *l) {
    if (*l) dnnl_memory_desc_destroy(*l);
    *l = NULL;
}

static inline dnnl_status_t append_relu(dnnl_post_ops_t post, float slope) {
    return dnnl_post_ops_append_eltwise(post, dnnl_eltwise_relu, slope, 0.0f);
}
#else
typedef const dnnl_memory_desc_t *layout_ref;

static inline layout_ref layout_md(const layout *l) {
    return l;
}

static inline dnnl_status_t layout_make(layout *l, int rank, const dnnl_dims_t dims, dnnl_data_type_t type,
                                        dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(l, rank, dims, type, tag);
}

static inline dnnl_status_t layout_copy(layout *l, layout_ref from) {
    *l = *from;
    return dnnl_success;
}

static inline void layout_free(layout *l) {
    (void)l;
}

static inline dnnl_status_t append_relu(dnnl_post_ops_t post, float slope) {
    return dnnl_post_ops_append_eltwise(post, 1.0f, dnnl_eltwise_relu, slope, 0.0f);
}
#endif

/* A direct convolution, or a matrix product, of which the dimensions are not read. bias: NULL for none; hint: the
 * forward one's, for the two backward ways. */
typedef struct convolution {
    const layout *x, *w, *bias, *y;
    dnnl_dims_t strides, before, after;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t hint;
} convolution;

#if DNNL_VERSION_MAJOR >= 3
static inline dnnl_status_t convolution_desc(dnnl_engine_t engine, direction way, const convolution *c,
                                             dnnl_primitive_desc_t *out) {
    static const dnnl_dims_t dense = {0};
    layout_ref x = layout_md(c->x), w = layout_md(c->w), bias = c->bias ? layout_md(c->bias) : NULL,
               y = layout_md(c->y);
    switch (way) {
    case FORWARD:
        return dnnl_convolution_forward_primitive_desc_create(out, engine, dnnl_forward_training,
                                                              dnnl_convolution_direct, x, w, bias, y, c->strides, dense,
                                                              c->before, c->after, c->attr);
    case BACKWARD:
        return dnnl_convolution_backward_data_primitive_desc_create(
            out, engine, dnnl_convolution_direct, x, w, y, c->strides, dense, c->before, c->after, c->hint, c->attr);
    default:
        return dnnl_convolution_backward_weights_primitive_desc_create(out, engine, dnnl_convolution_direct, x, w, NULL,
                                                                       y, c->strides, dense, c->before, c->after,
                                                                       c->hint, c->attr);
    }
}

static inline dnnl_status_t matrix_desc(dnnl_engine_t engine, direction way, const convolution *c,
                                        dnnl_primitive_desc_t *out) {
    layout_ref x = layout_md(c->x), w = layout_md(c->w), bias = c->bias ? layout_md(c->bias) : NULL,
               y = layout_md(c->y);
    if (way == FORWARD)
        return dnnl_inner_product_forward_primitive_desc_create(out, engine, dnnl_forward_training, x, w, bias, y,
                                                                c->attr);
    return dnnl_inner_product_backward_data_primitive_desc_create(out, engine, x, w, y, c->hint, c->attr);
}
#else
static inline dnnl_status_t convolution_desc(dnnl_engine_t engine, direction way, const convolution *c,
                                             dnnl_primitive_desc_t *out) {
    dnnl_convolution_desc_t d;
    dnnl_status_t status;
    switch (way) {
    case FORWARD:
        status = dnnl_convolution_forward_desc_init(&d, dnnl_forward_training, dnnl_convolution_direct, c->x, c->w,
                                                    c->bias, c->y, c->strides, c->before, c->after);
        break;
    case BACKWARD:
        status = dnnl_convolution_backward_data_desc_init(&d, dnnl_convolution_direct, c->x, c->w, c->y, c->strides,
                                                          c->before, c->after);
        break;
    default:
        status = dnnl_convolution_backward_weights_desc_init(&d, dnnl_convolution_direct, c->x, c->w, NULL, c->y,
                                                             c->strides, c->before, c->after);
    }
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &d, c->attr, engine, c->hint) : status;
}

static inline dnnl_status_t matrix_desc(dnnl_engine_t engine, direction way, const convolution *c,
                                        dnnl_primitive_desc_t *out) {
    dnnl_inner_product_desc_t d;
    dnnl_status_t status =
        way == FORWARD ? dnnl_inner_product_forward_desc_init(&d, dnnl_forward_training, c->x, c->w, c->bias, c->y)
                       : dnnl_inner_product_backward_data_desc_init(&d, c->x, c->w, c->y);
    return status == dnnl_success ? dnnl_primitive_desc_create(out, &d, c->attr, engine, c->hint) : status;
}
#endif

#endif
