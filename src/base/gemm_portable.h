/* The portable matrix product, in double inside for both precisions. */
#ifndef GLS_BASE_GEMM_PORTABLE_H
#define GLS_BASE_GEMM_PORTABLE_H

#include <glissade/base.h>

/* One operand of a product: element (i, j) of op(X) is at data[i * row + j * column]. wide: double, else float. */
typedef struct gls_operand {
    const void *data;
    int64_t row, column;
    bool wide;
} gls_operand;

/* C [m, n] = alpha A [m, k] B [k, n] + beta C; c is float or double as wide says. */
void gls_gemm_portable(int64_t m, int64_t n, int64_t k, double alpha, gls_operand a, gls_operand b, double beta,
                       void *c, int64_t ldc, bool wide);

#endif
