/* A layer in oneDNN's terms, for dnnl.c; only where there is the library. */
#ifndef GLS_MODEL_DNNL_FORM_H
#define GLS_MODEL_DNNL_FORM_H

#if defined(GLS_HAVE_DNNL) && !defined(GLS_DOUBLE)

#include "model/conv.h"
#include "model/dnnl_api.h"

/* A layer and how its numbers are stored. Weights are stored as activations are, their gradient as floats. */
typedef struct gls_dnnl_form {
    gls_conv_shape shape;
    dnnl_data_type_t type;
    bool full_input_gradient;
} gls_dnnl_form;

/* Whether there is a call in this direction at all. */
bool gls_dnnl_form_has(const gls_conv_shape *shape, direction way);
/* Layouts of `rows` images, or of their gradients; of the bias; of weights as the layout of parameters has them; and of
 * packed ones, or their gradient, in whatever way the library likes. The caller frees them. */
dnnl_status_t gls_dnnl_form_input(layout *l, const gls_dnnl_form *form, direction way, int64_t rows);
dnnl_status_t gls_dnnl_form_output(layout *l, const gls_dnnl_form *form, direction way, int64_t rows);
dnnl_status_t gls_dnnl_form_bias(layout *l, const gls_conv_shape *shape);
dnnl_status_t gls_dnnl_form_plain(layout *l, const gls_conv_shape *shape);
dnnl_status_t gls_dnnl_form_weights(layout *l, const gls_dnnl_form *form, direction way);
/* The product, with weights, or their gradient, in layout w. */
dnnl_status_t gls_dnnl_form_desc(dnnl_engine_t engine, const gls_dnnl_form *form, int64_t rows, direction way,
                                 const layout *w, dnnl_primitive_desc_t *out);

#endif

#endif
