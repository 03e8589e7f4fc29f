/* Blocks that are not trained (train: false in a group). Passes over w leave them out; a method that makes the whole
 * step itself sees a gradient of 0 there, and finds w put back afterwards, to the bit. */
#include <math.h>
#include <string.h>

#include "method/method.h"

static bool is_frozen(const gls_method *method, const gls_method_piece *piece) {
    return method->group[piece->group].frozen;
}

gls_status gls_method_frozen_create(gls_method *method) {
    for (int64_t i = 0; i < method->pieces; i++)
        if (is_frozen(method, &method->piece[i])) method->frozen += method->piece[i].size;
    if (!method->frozen) return GLS_OK;
    if (method->frozen == method->parameters)
        return gls_fail(method->ctx, GLS_ERR_ARGUMENT,
                        "method %s: groups: no block is trained; expected one without train: false",
                        method->type->member.name);
    if (!method->type->tell) return GLS_OK;
    method->trained = gls_alloc(method->ctx, method->parameters, sizeof *method->trained);
    method->kept = gls_alloc(method->ctx, method->frozen, sizeof *method->kept);
    return method->trained && method->kept ? GLS_OK : GLS_ERR_MEMORY;
}

void gls_method_frozen_destroy(gls_method *method) {
    gls_free(method->ctx, method->trained);
    gls_free(method->ctx, method->kept);
}

/* The norm that came with the answer is of all blocks: it is left to the method. */
gls_answer gls_method_frozen_begin(gls_method *method, const gls_answer *answer, const gls_real *w) {
    gls_answer seen = *answer;
    gls_real *kept = method->kept;
    for (int64_t i = 0; i < method->pieces; i++) {
        const gls_method_piece *piece = &method->piece[i];
        bool frozen = is_frozen(method, piece);
        if (answer->g && !frozen)
            memcpy(method->trained + piece->offset, answer->g + piece->offset, (size_t)piece->size * sizeof *kept);
        if (!frozen) continue;
        gls_fill(method->trained + piece->offset, 0, piece->size);
        memcpy(kept, w + piece->offset, (size_t)piece->size * sizeof *kept);
        kept += piece->size;
    }
    if (!answer->g) return seen;
    seen.g = method->trained;
    seen.norm2 = NAN;
    return seen;
}

void gls_method_frozen_end(const gls_method *method, gls_real *w) {
    const gls_real *kept = method->kept;
    for (int64_t i = 0; i < method->pieces; i++) {
        const gls_method_piece *piece = &method->piece[i];
        if (!is_frozen(method, piece)) continue;
        memcpy(w + piece->offset, kept, (size_t)piece->size * sizeof *kept);
        kept += piece->size;
    }
}
