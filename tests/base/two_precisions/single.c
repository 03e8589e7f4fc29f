#include <glissade/base.h>

#include "part.h"

int use_single(void) {
    gls_context *ctx;
    if (sizeof(gls_real) != sizeof(float) || gls_context_create(&ctx, NULL) != GLS_OK) return 1;
    gls_arrays arrays = {0};
    float x = 0;
    int wrong = gls_arrays_add_vector(ctx, &arrays, "x", GLS_DTYPE_REAL, 1, &x) != GLS_OK ||
                gls_dtype_size(arrays.item[0].dtype) != sizeof(float);
    gls_arrays_clear(ctx, &arrays);
    gls_context_destroy(ctx);
    return wrong;
}
