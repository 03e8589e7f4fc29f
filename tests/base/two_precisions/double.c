#include <glissade/glissade64.h>

#include "part.h"

int use_double(void) {
    gls_context *ctx;
    /* The float library would refuse sizeof(double). */
    if (sizeof(gls_real) != sizeof(double) || gls_context_create(&ctx, NULL) != GLS_OK) return 1;
    gls_arrays arrays = {0};
    double x = 0;
    int wrong = gls_arrays_add_vector(ctx, &arrays, "x", GLS_DTYPE_REAL, 1, &x) != GLS_OK ||
                gls_dtype_size(arrays.item[0].dtype) != sizeof(double);
    gls_arrays_clear(ctx, &arrays);
    gls_context_destroy(ctx);
    return wrong;
}
