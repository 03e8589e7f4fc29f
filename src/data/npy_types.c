/* What the values of a .npy file are on disk, and what they become in memory: one of the five types of gls_dtype, or
 * texts. */
#include "data/npy.h"
#include "data/source.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Narrow integers become the next type that holds all of them; 64-bit ones without a sign must fit into int64_t. */
static const struct {
    char kind;
    int size;
    gls_dtype dtype;
} known_types[] = {{'b', 1, GLS_U8},  {'u', 1, GLS_U8},  {'i', 1, GLS_I32}, {'i', 2, GLS_I32},
                   {'u', 2, GLS_I32}, {'i', 4, GLS_I32}, {'u', 4, GLS_I64}, {'i', 8, GLS_I64},
                   {'u', 8, GLS_I64}, {'f', 2, GLS_F32}, {'f', 4, GLS_F32}, {'f', 8, GLS_F64}};

gls_status gls_npy_type_of(gls_context *ctx, const char *what, const char *descr, gls_npy_type *type) {
    enum { LONGEST = 1 << 20 }; /* characters of a text */
    char *end = NULL;
    long size = *descr && strchr("<>|=", *descr) && descr[1] ? strtol(descr + 2, &end, 10) : 0;
    if (end && !*end && end > descr + 2 && size > 0 && size <= LONGEST) {
        *type = (gls_npy_type){.kind = descr[1], .swapped = *descr == '>', .size = size};
        if (type->kind == 'U') type->size *= 4;
        if (type->kind == 'U' || type->kind == 'S') return GLS_OK;
        for (size_t i = 0; i < sizeof known_types / sizeof *known_types; i++)
            if (known_types[i].kind == type->kind && known_types[i].size == size) {
                type->dtype = known_types[i].dtype;
                return GLS_OK;
            }
    }
    return gls_fail(ctx, GLS_ERR_INPUT,
                    "%s: npy type '%s', expected bool, an integer of 8 to 64 bits, a float of 16 to 64 bits, or texts "
                    "as labels",
                    what, descr);
}

/* ---- numbers ---- */

static uint64_t bits_of(const unsigned char *p, const gls_npy_type *type) {
    uint64_t bits = 0;
    for (int64_t k = 0; k < type->size; k++) bits |= (uint64_t)p[type->swapped ? type->size - 1 - k : k] << (8 * k);
    return bits;
}

static float half(uint64_t bits) {
    int exponent = (int)(bits >> 10 & 31);
    double mantissa = (double)(bits & 1023);
    double value = exponent == 0    ? ldexp(mantissa, -24)
                   : exponent == 31 ? (mantissa != 0 ? NAN : INFINITY)
                                    : ldexp(mantissa + 1024, exponent - 25);
    return (float)(bits >> 15 & 1 ? -value : value);
}

static void put_value(const gls_npy_type *type, uint64_t bits, void *to, int64_t i) {
    uint32_t low = (uint32_t)bits;
    int unused = 64 - 8 * (int)type->size;
    int64_t integer = type->kind == 'i' ? (int64_t)(bits << unused) >> unused : (int64_t)bits;
    if (type->kind == 'f' && type->size == 2)
        ((float *)to)[i] = half(bits);
    else if (type->dtype == GLS_F32)
        memcpy((float *)to + i, &low, sizeof low);
    else if (type->dtype == GLS_F64)
        memcpy((double *)to + i, &bits, sizeof bits);
    else if (type->dtype == GLS_I32)
        ((int32_t *)to)[i] = (int32_t)integer;
    else
        ((int64_t *)to)[i] = integer;
}

gls_status gls_npy_widen(gls_context *ctx, const char *what, const gls_npy_type *type, gls_npy *array) {
    array->dtype = type->dtype;
    bool same = type->size == (int64_t)gls_dtype_size(type->dtype);
    if (same && !type->swapped && !(type->kind == 'u' && type->size == 8)) return GLS_OK;
    if (type->dtype == GLS_U8) return GLS_OK;
    const unsigned char *from = array->data;
    void *to = same ? array->data : gls_alloc(ctx, array->count, gls_dtype_size(type->dtype));
    if (!to) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    for (int64_t i = 0; i < array->count && status == GLS_OK; i++) {
        uint64_t bits = bits_of(from + i * type->size, type);
        put_value(type, bits, to, i);
        if (type->kind == 'u' && bits > INT64_MAX)
            status = gls_fail(ctx, GLS_ERR_INPUT, "%s: value number %lld is %llu; integers from 2^63 on are not read",
                              what, (long long)i, (unsigned long long)bits);
    }
    if (!same) gls_free(ctx, array->data);
    array->data = to;
    return status;
}

/* ---- texts ---- */

/* A code point as UTF-8; 0 bytes if there is none of that number. */
static int put_utf8(char *to, uint32_t c) {
    if (c >= 0x110000 || (c >= 0xd800 && c < 0xe000)) return 0;
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char first[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(first[more] | c >> (6 * more));
    for (int k = 1; k <= more; k++) to[k] = (char)(0x80 | (c >> (6 * (more - k)) & 63));
    return more + 1;
}

/* One text of a fixed number of characters, the last of which are NUL where it is shorter; false if it is none. */
static bool put_text(const unsigned char *p, const gls_npy_type *type, char **to) {
    gls_npy_type unit = {.swapped = type->swapped, .size = type->kind == 'U' ? 4 : 1};
    int64_t count = type->size / unit.size;
    while (count && !bits_of(p + (count - 1) * unit.size, &unit)) count--;
    for (int64_t k = 0; k < count; k++) {
        uint32_t c = (uint32_t)bits_of(p + k * unit.size, &unit);
        int bytes = 1;
        if (type->kind == 'U')
            bytes = put_utf8(*to, c);
        else
            **to = (char)c;
        if (!c || !bytes) return false;
        *to += bytes;
    }
    *(*to)++ = 0;
    return true;
}

gls_status gls_npy_texts(gls_context *ctx, const char *what, const gls_npy_type *type, const gls_npy *array,
                         const char ***out) {
    int64_t room = 0;
    bool fits = !__builtin_mul_overflow(array->count, type->size + 1 + (int64_t)sizeof(char *), &room);
    const char **text = *out = fits ? gls_alloc(ctx, room + 1, 1) : NULL;
    if (!text) return GLS_ERR_MEMORY;
    char *to = (char *)(text + array->count);
    for (int64_t i = 0; i < array->count; i++) {
        text[i] = to;
        if (put_text((const unsigned char *)array->data + i * type->size, type, &to)) continue;
        gls_free(ctx, text);
        *out = NULL;
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: text number %lld holds a NUL, or what is no Unicode character", what,
                        (long long)i);
    }
    return GLS_OK;
}
