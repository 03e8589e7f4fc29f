/* The state vectors of rules that step by passes: as gls_real, or narrower, and then widened and rounded again range by
 * range, or by the rule's own loop. Ranges lie at multiples of GLS_METHOD_RANGE in their piece, so that no scale and no
 * pair of random bits is shared by two of them. */
#include "method/method.h"
#include "base/arith.h"
#include "method/narrow.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int64_t bytes_each(const gls_method *method) {
    return method->precision == GLS_STATE_FLOAT  ? (int64_t)sizeof(gls_real)
           : method->precision == GLS_STATE_BF16 ? 2
                                                 : 1;
}

static gls_status book(gls_method *method, int vector) {
    gls_context *ctx = method->ctx;
    if (method->precision == GLS_STATE_FLOAT) {
        gls_real **wide = &method->state[vector];
        if (!*wide) *wide = gls_alloc(ctx, method->own, sizeof **wide);
        return *wide ? GLS_OK : GLS_ERR_MEMORY;
    }
    if (!method->narrow[vector]) method->narrow[vector] = gls_alloc(ctx, method->own, bytes_each(method));
    if (!method->narrow[vector]) return GLS_ERR_MEMORY;
    if (method->precision != GLS_STATE_Q8) return GLS_OK;
    gls_real **scale = &method->scale[vector];
    if (!*scale) *scale = gls_alloc(ctx, method->own_scales, sizeof **scale);
    return *scale ? GLS_OK : GLS_ERR_MEMORY;
}

gls_status gls_method_state_create(gls_method *method) {
    const char *const *name = method->type->vectors;
    method->precision = ((const gls_method_common *)method->group[method->groups - 1].now)->state;
    while (name && name[method->vectors]) GLS_TRY(book(method, method->vectors++));
    return GLS_OK;
}

void gls_method_state_destroy(gls_method *method) {
    for (int i = 0; i < GLS_METHOD_VECTORS; i++) {
        gls_free(method->ctx, method->state[i]);
        gls_free(method->ctx, method->narrow[i]);
        gls_free(method->ctx, method->scale[i]);
    }
}

gls_status gls_method_state_arrays(gls_method *method, const char *prefix, gls_arrays *arrays) {
    static const gls_dtype dtypes[] = {
        [GLS_STATE_FLOAT] = GLS_DTYPE_REAL, [GLS_STATE_BF16] = GLS_BF16, [GLS_STATE_Q8] = GLS_U8};
    for (int i = 0; i < method->vectors; i++) {
        const char *name = method->type->vectors[i];
        void *data = method->precision == GLS_STATE_FLOAT ? (void *)method->state[i] : method->narrow[i];
        GLS_TRY(gls_arrays_add_state(method->ctx, arrays, prefix, name, dtypes[method->precision], method->own, data));
        if (method->precision != GLS_STATE_Q8) continue;
        char scale[64];
        snprintf(scale, sizeof scale, "%s.scale", name);
        GLS_TRY(gls_arrays_add_state(method->ctx, arrays, prefix, scale, GLS_DTYPE_REAL, method->own_scales,
                                     method->scale[i]));
    }
    return GLS_OK;
}

int64_t gls_method_state_bytes(const gls_method *method) {
    if (!method) return 0;
    int64_t scales = method->precision == GLS_STATE_Q8 ? method->own_scales * (int64_t)sizeof(gls_real) : 0;
    return method->vectors * (method->own * bytes_each(method) + scales);
}

/* ---- the walk over ranges ---- */

void gls_method_state_begin(gls_method *method, int64_t step) {
    if (method->precision == GLS_STATE_FLOAT) return;
    for (int i = 0; i < method->vectors; i++) {
        uint32_t block[4];
        gls_random random = gls_random_create(method->seed, "state rounding", (uint64_t)step, (uint32_t)i);
        gls_random_block(&random, 0, block);
        memcpy(method->dither[i], block, sizeof method->dither[i]);
    }
}

void gls_method_state_narrow(const gls_method *method, const gls_method_piece *piece, int64_t at,
                             gls_method_narrow *out) {
    int64_t begin = piece->offset - method->first + at;
    out->vectors = method->vectors;
    out->precision = method->precision;
    out->not_negative = method->type->not_negative;
    out->first = (uint32_t)(piece->offset + at);
    memcpy(out->key, method->dither, sizeof out->key);
    for (int i = 0; i < method->vectors; i++) {
        out->vector[i] = (char *)method->narrow[i] + begin * bytes_each(method);
        if (method->precision == GLS_STATE_Q8)
            out->scale[i] = method->scale[i] + (piece->scales - method->first_scale) + at / GLS_METHOD_SCALED;
    }
}

/* ---- for those who look at it from outside a step ---- */

void gls_method_state_read(const gls_method_setup *setup, int vector, int64_t offset, int64_t n, gls_real *out) {
    const gls_method *method = setup ? setup->method : NULL;
    if (!method || !out) return;
    if (method->precision == GLS_STATE_FLOAT) {
        memcpy(out, method->state[vector] + offset, (size_t)n * sizeof *out);
        return;
    }
    gls_real wide[GLS_METHOD_VECTORS][GLS_METHOD_RANGE];
    for (int64_t i = gls_method_piece_at(method, offset), done = 0; done < n; i++) {
        const gls_method_piece *piece = &method->piece[i];
        for (int64_t at = offset + done - piece->offset; at < piece->size && done < n;) {
            int64_t skip = at % GLS_METHOD_RANGE, size = gls_least(piece->size - (at - skip), GLS_METHOD_RANGE);
            int64_t taken = gls_least(size - skip, n - done);
            gls_method_narrow narrow;
            gls_method_state_narrow(method, piece, at - skip, &narrow);
            gls_method_narrow_widen(&narrow, wide, 0, size);
            memcpy(out + done, wide[vector] + skip, (size_t)taken * sizeof *out);
            done += taken;
            at += taken;
        }
    }
}

double gls_method_state_squares(const gls_method_setup *setup, int vector) {
    if (!setup || !setup->method) return NAN;
    const gls_real *wide = setup->method->state[vector];
    if (wide) return gls_team_sum_squares(setup->ctx, wide, setup->parameters);
    gls_real range[GLS_METHOD_RANGE];
    double sum = 0;
    for (int64_t at = 0; at < setup->parameters; at += GLS_METHOD_RANGE) {
        int64_t n = gls_least(setup->parameters - at, GLS_METHOD_RANGE);
        gls_method_state_read(setup, vector, at, n, range);
        sum += gls_sum_squares(range, n);
    }
    return sum;
}
