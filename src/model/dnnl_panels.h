/* Weights [out, in] rounded to bf16 in the layout that oneDNN's kernels for matrix products read (its AB8b<panel>a2b):
 * [out / panel, in / 16, 8, panel, 2], rounded up and filled up with zeros, neighbouring inputs side by side. The
 * library's own reorder takes as long as a product of a hundred rows. */
#ifndef GLS_MODEL_DNNL_PANELS_H
#define GLS_MODEL_DNNL_PANELS_H

#include <glissade/base.h>

/* panel: a multiple of 16. Only where gls_gemm_bf16_here; numbers below 2^-126 become zero. */
void gls_dnnl_panels(uint16_t *to, const gls_real *w, int64_t out, int64_t in, int64_t panel);

#endif
