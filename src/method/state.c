/* The state vectors of rules that step by passes: as gls_real, or narrower, and then widened range by range for the
 * rule and rounded again behind it. Ranges lie at multiples of GLS_METHOD_RANGE in their piece, so that no scale and no
 * pair of random bits is shared by two of them. */
#include "method/method.h"
#include "base/arith.h"
#include "method/narrow.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static gls_method_code code_of(const gls_method *method, int vector) {
    return method->type->not_negative >> vector & 1 ? GLS_METHOD_CODE_POSITIVE : GLS_METHOD_CODE_SIGNED;
}

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

/* Asks for the next range of a vector: one of the streams that a step waits for. */
static void ask_ahead(const char *narrow, int64_t bytes) {
    enum { LINE = 64 };
    for (int64_t k = 0; k < bytes; k += LINE) __builtin_prefetch(narrow + bytes + k);
}

/* The scales of a piece from coordinate `at` on. */
static gls_real *scale_at(const gls_method *method, int vector, const gls_method_piece *piece, int64_t at) {
    return method->scale[vector] + (piece->scales - method->first_scale) + at / GLS_METHOD_SCALED;
}

static void widen(const gls_method *method, int vector, const gls_method_piece *piece, int64_t at, int64_t n,
                  gls_real *out) {
    if (method->precision == GLS_STATE_BF16)
        gls_method_bf16_widen(out, (const uint16_t *)method->narrow[vector] + (piece->offset - method->first) + at, n);
    else
        gls_method_q8_widen(out, (const uint8_t *)method->narrow[vector] + (piece->offset - method->first) + at,
                            scale_at(method, vector, piece, at), code_of(method, vector), n);
}

void gls_method_state_halves(const gls_method *method, const gls_range *r, gls_method_halves *out) {
    out->first = (uint32_t)r->offset;
    memcpy(out->key, method->dither, sizeof out->key);
    for (int i = 0; i < method->vectors; i++)
        out->vector[i] = (uint16_t *)method->narrow[i] + (r->offset - method->first);
}

void gls_method_state_load(const gls_method *method, const gls_method_piece *piece, int64_t at, gls_range *r,
                           gls_real (*wide)[GLS_METHOD_RANGE]) {
    for (int i = 0; i < method->vectors; i++) {
        r->state[i] = method->precision == GLS_STATE_FLOAT ? method->state[i] + (r->offset - method->first) : wide[i];
        if (method->precision == GLS_STATE_FLOAT) continue;
        int64_t each = bytes_each(method);
        ask_ahead((const char *)method->narrow[i] + (r->offset - method->first) * each, r->size * each);
        widen(method, i, piece, at, r->size, wide[i]);
    }
}

/* Scales of all vectors before any codes, which wait for them. */
static void find_scales(const gls_method *method, const gls_method_piece *piece, int64_t at, const gls_range *r) {
    if (method->precision != GLS_STATE_Q8) return;
    for (int i = 0; i < method->vectors; i++)
        gls_method_q8_scale(scale_at(method, i, piece, at), r->state[i], code_of(method, i), r->size);
}

void gls_method_state_store(const gls_method *method, const gls_method_piece *piece, int64_t at, const gls_range *r) {
    if (method->precision == GLS_STATE_FLOAT) return;
    gls_method_bits bits;
    find_scales(method, piece, at, r);
    for (int i = 0; i < method->vectors; i++) {
        if (i % 2)
            gls_method_bits_turn(&bits, r->size);
        else
            gls_method_bits_draw(&bits, method->dither[i], (uint32_t)r->offset, r->size);
        if (method->precision == GLS_STATE_BF16)
            gls_method_bf16_narrow((uint16_t *)method->narrow[i] + (r->offset - method->first), r->state[i], &bits,
                                   r->size);
        else
            gls_method_q8_narrow((uint8_t *)method->narrow[i] + (r->offset - method->first),
                                 scale_at(method, i, piece, at), r->state[i], code_of(method, i), &bits, r->size);
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
    gls_real wide[GLS_METHOD_SCALED];
    for (int64_t i = gls_method_piece_at(method, offset), done = 0; done < n; i++) {
        const gls_method_piece *piece = &method->piece[i];
        for (int64_t at = offset + done - piece->offset; at < piece->size && done < n;) {
            int64_t skip = at % GLS_METHOD_SCALED, size = gls_least(piece->size - (at - skip), GLS_METHOD_SCALED);
            int64_t taken = gls_least(size - skip, n - done);
            widen(method, vector, piece, at - skip, size, wide);
            memcpy(out + done, wide + skip, (size_t)taken * sizeof *out);
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
