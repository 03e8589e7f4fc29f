/* What oneDNN is told of a layer: where its numbers lie, and a product with them in one direction. */
#include "model/dnnl_form.h"

#if defined(GLS_HAVE_DNNL) && !defined(GLS_DOUBLE)

/* All channels together may be one block: blocks of 8 have kernels in float alone. */
static dnnl_format_tag_t tag_of(gls_extent e, int64_t inner, dnnl_data_type_t type) {
    bool block = inner == 16 || (inner == 8 && type == dnnl_f32);
    if (inner == e.c && !block) return dnnl_nhwc;
    return inner == 16 ? dnnl_nChw16c : inner == 8 ? dnnl_nChw8c : dnnl_nchw;
}

dnnl_status_t gls_dnnl_form_input(layout *l, const gls_dnnl_form *f, direction way, int64_t rows) {
    const gls_conv_shape *s = &f->shape;
    const dnnl_dims_t dims = {rows, s->in.c, s->in.h, s->in.w};
    dnnl_data_type_t type = way == BACKWARD && f->full_input_gradient ? dnnl_f32 : f->type;
    return s->matrix ? layout_make(l, 2, dims, type, dnnl_ab)
                     : layout_make(l, 4, dims, type, tag_of(s->in, s->in_inner, f->type));
}

dnnl_status_t gls_dnnl_form_output(layout *l, const gls_dnnl_form *f, direction way, int64_t rows) {
    const gls_conv_shape *s = &f->shape;
    const dnnl_dims_t dims = {rows, s->out.c, s->out.h, s->out.w};
    dnnl_data_type_t type = way == FORWARD && s->full_output ? dnnl_f32 : f->type;
    return s->matrix ? layout_make(l, 2, dims, type, dnnl_ab)
                     : layout_make(l, 4, dims, type, tag_of(s->out, s->out_inner, f->type));
}

dnnl_status_t gls_dnnl_form_bias(layout *l, const gls_conv_shape *s) {
    const dnnl_dims_t channels = {s->out.c};
    return layout_make(l, 1, channels, dnnl_f32, dnnl_x);
}

static dnnl_status_t weight_layout(layout *l, const gls_conv_shape *s, dnnl_data_type_t type, bool any) {
    int64_t g = s->groups;
    if (s->matrix) {
        const dnnl_dims_t dims = {s->out.c, s->in.c};
        return layout_make(l, 2, dims, type, any ? dnnl_format_tag_any : s->transposed ? dnnl_ba : dnnl_ab);
    }
    if (g == 1) {
        const dnnl_dims_t dims = {s->out.c, s->in.c, s->kernel, s->kernel};
        return layout_make(l, 4, dims, type, any ? dnnl_format_tag_any : dnnl_oihw);
    }
    const dnnl_dims_t dims = {g, s->out.c / g, s->in.c / g, s->kernel, s->kernel};
    return layout_make(l, 5, dims, type, any ? dnnl_format_tag_any : dnnl_goihw);
}

dnnl_status_t gls_dnnl_form_plain(layout *l, const gls_conv_shape *s) {
    return weight_layout(l, s, dnnl_f32, false);
}

dnnl_status_t gls_dnnl_form_weights(layout *l, const gls_dnnl_form *f, direction way) {
    return weight_layout(l, &f->shape, way == WEIGHTS ? dnnl_f32 : f->type, true);
}

static dnnl_status_t attributes(const gls_conv_shape *s, direction way, dnnl_primitive_attr_t *out) {
    dnnl_status_t status = dnnl_primitive_attr_create(out);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user);
    if (status != dnnl_success || way != FORWARD || !s->relu) return status;
    dnnl_post_ops_t post;
    status = dnnl_post_ops_create(&post);
    if (status != dnnl_success) return status;
    status = append_relu(post, (float)s->slope);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(*out, post);
    dnnl_post_ops_destroy(post);
    return status;
}

/* Backward descriptors need the forward one as a hint. */
static dnnl_status_t forward_hint(dnnl_engine_t engine, const gls_dnnl_form *f, int64_t rows,
                                  dnnl_primitive_desc_t *out) {
    layout any = {0};
    dnnl_status_t status = gls_dnnl_form_weights(&any, f, FORWARD);
    if (status == dnnl_success) status = gls_dnnl_form_desc(engine, f, rows, FORWARD, &any, out);
    layout_free(&any);
    return status;
}

dnnl_status_t gls_dnnl_form_desc(dnnl_engine_t engine, const gls_dnnl_form *f, int64_t rows, direction way,
                                 const layout *w, dnnl_primitive_desc_t *out) {
    const gls_conv_shape *s = &f->shape;
    layout x = {0}, y = {0}, bias = {0};
    convolution c = {
        .x = &x,
        .w = w,
        .y = &y,
        .bias = s->bias && way == FORWARD ? &bias : NULL,
        .strides = {s->stride, s->stride},
        .before = {s->pad, s->pad},
        /* With a stride the last kernel may end before the padding does, or before the input: less padding then, or
         * negative. */
        .after = {(s->out.h - 1) * s->stride + s->kernel - s->in.h - s->pad,
                  (s->out.w - 1) * s->stride + s->kernel - s->in.w - s->pad},
    };
    *out = NULL;
    dnnl_status_t status = gls_dnnl_form_input(&x, f, way, rows);
    if (status == dnnl_success) status = gls_dnnl_form_output(&y, f, way, rows);
    if (status == dnnl_success) status = gls_dnnl_form_bias(&bias, s);
    if (status == dnnl_success && way != FORWARD) status = forward_hint(engine, f, rows, &c.hint);
    if (status == dnnl_success) status = attributes(s, way, &c.attr);
    if (status == dnnl_success) status = (s->matrix ? matrix_desc : convolution_desc)(engine, way, &c, out);
    if (c.attr) dnnl_primitive_attr_destroy(c.attr);
    if (c.hint) dnnl_primitive_desc_destroy(c.hint);
    layout_free(&x);
    layout_free(&y);
    layout_free(&bias);
    return status;
}

bool gls_dnnl_form_has(const gls_conv_shape *s, direction way) {
    return way == FORWARD || (way == BACKWARD ? s->input_gradient : !s->matrix);
}

#endif
