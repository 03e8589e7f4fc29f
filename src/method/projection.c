/* Reads the set that a step is projected onto, a ball or a box, from the options of a method. */
#include "method/method.h"

gls_status gls_projection_read(const gls_method *method, const gls_method_projection *given, gls_projection *out) {
    *out = (gls_projection){.low = -INFINITY, .high = INFINITY};
    if (!given) return GLS_OK;
    if ((given->ball > 0) == (given->box.count > 0))
        return gls_fail(method->ctx, GLS_ERR_ARGUMENT, "method %s: project: expected {ball: r} or {box: [lo, hi]}",
                        gls_method_name(method));
    out->ball = given->ball;
    if (given->ball > 0) return GLS_OK;
    out->low = given->box.item[0];
    out->high = given->box.item[1];
    if (out->low <= out->high) return GLS_OK;
    return gls_fail(method->ctx, GLS_ERR_ARGUMENT, "method %s: project: box: [%g, %g] is empty",
                    gls_method_name(method), out->low, out->high);
}
