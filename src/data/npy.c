/* NumPy's .npy files. The header, a Python dictionary, is read with the few forms that NumPy itself writes; anything
 * else is refused. */
#include "data/npy.h"
#include "data/source.h"
#include "base/io.h"
#include "base/arith.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- the header: a Python dictionary with three keys ---- */

typedef struct header {
    char descr[16];
    bool fortran, has_descr, has_order, has_shape;
    int dims;
    int64_t shape[GLS_MAX_DIMS], bytes; /* bytes: of the header itself, where the data begin */
} header;

static void skip_space(const char **p) {
    while (**p == ' ' || **p == '\t') (*p)++;
}

static bool take(const char **p, const char *text) {
    skip_space(p);
    size_t n = strlen(text);
    if (strncmp(*p, text, n) != 0) return false;
    *p += n;
    return true;
}

static bool quoted(const char **p, char *to, size_t size) {
    skip_space(p);
    char quote = **p;
    if (quote != '\'' && quote != '"') return false;
    const char *begin = ++*p;
    while (**p && **p != quote) (*p)++;
    size_t n = (size_t)(*p - begin);
    if (**p != quote || n >= size) return false;
    memcpy(to, begin, n);
    to[n] = 0;
    (*p)++;
    return true;
}

static bool shape_tuple(const char **p, header *h) {
    if (!take(p, "(")) return false;
    while (!take(p, ")")) {
        int64_t extent = 0;
        int digits = 0;
        skip_space(p);
        for (; **p >= '0' && **p <= '9'; (*p)++, digits++)
            if (__builtin_mul_overflow(extent, (int64_t)10, &extent) ||
                __builtin_add_overflow(extent, (int64_t)(**p - '0'), &extent))
                return false;
        if (!digits || h->dims == GLS_MAX_DIMS) return false;
        h->shape[h->dims++] = extent;
        if (!take(p, ",")) {
            if (!take(p, ")")) return false;
            return true;
        }
    }
    return true;
}

static bool header_item(const char **p, header *h) {
    char key[32];
    if (!quoted(p, key, sizeof key) || !take(p, ":")) return false;
    if (strcmp(key, "descr") == 0 && !h->has_descr) return h->has_descr = quoted(p, h->descr, sizeof h->descr);
    if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
        h->has_order = true;
        h->fortran = take(p, "True");
        return h->fortran || take(p, "False");
    }
    if (strcmp(key, "shape") == 0 && !h->has_shape) return h->has_shape = shape_tuple(p, h);
    return false;
}

static bool parse_header(const char *text, header *h) {
    const char *p = text;
    if (!take(&p, "{")) return false;
    while (!take(&p, "}")) {
        if (!header_item(&p, h)) return false;
        if (!take(&p, ",")) {
            if (!take(&p, "}")) return false;
            break;
        }
    }
    skip_space(&p);
    return (*p == '\n' || *p == 0) && h->has_descr && h->has_order && h->has_shape;
}

static gls_status read_header(gls_context *ctx, gls_reader *reader, header *h) {
    const char *path = gls_reader_path(reader);
    unsigned char start[12];
    GLS_TRY(gls_reader_exact(reader, start, 8, "the npy magic"));
    if (memcmp(start, "\x93NUMPY", 6) != 0) return gls_fail(ctx, GLS_ERR_INPUT, "%s: no .npy file (wrong magic)", path);
    if (start[6] < 1 || start[6] > 3 || start[7] != 0)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: npy version %d.%d, expected 1.0 to 3.0", path, start[6], start[7]);
    int wide = start[6] > 1;
    GLS_TRY(gls_reader_exact(reader, start + 8, wide ? 4 : 2, "the npy header length"));
    int64_t length = start[8] | start[9] << 8;
    if (wide) length |= (int64_t)start[10] << 16 | (int64_t)start[11] << 24;
    /* A dictionary of three keys is never that long. */
    if (length > 65536) return gls_fail(ctx, GLS_ERR_INPUT, "%s: npy header of %lld bytes", path, (long long)length);
    char *text = gls_alloc(ctx, length + 1, 1);
    if (!text) return GLS_ERR_MEMORY;
    h->bytes = 8 + (wide ? 4 : 2) + length;
    gls_status status = gls_reader_exact(reader, text, length, "the npy header");
    while (length && strchr(" \n", text[length - 1])) text[--length] = 0; /* it is filled up with blanks */
    if (status == GLS_OK && !parse_header(text, h))
        status = gls_fail(ctx, GLS_ERR_INPUT,
                          "%s: the npy header cannot be read (expected descr, fortran_order and a shape of at most %d "
                          "extents): %.120s",
                          path, GLS_MAX_DIMS, text);
    gls_free(ctx, text);
    return status;
}

/* ---- the array ---- */

/* From Fortran to C order. */
static gls_status transpose(gls_context *ctx, size_t size, gls_npy *array) {
    char *to = gls_alloc(ctx, array->count, size);
    if (!to) return GLS_ERR_MEMORY;
    int64_t stride[GLS_MAX_DIMS], at[GLS_MAX_DIMS] = {0}, from = 0;
    for (int i = 0; i < array->dims; i++) stride[i] = i ? stride[i - 1] * array->shape[i - 1] : 1;
    for (int64_t k = 0; k < array->count; k++) {
        memcpy(to + (size_t)k * size, (const char *)array->data + (size_t)from * size, size);
        for (int i = array->dims - 1; i >= 0; i--) {
            from += stride[i];
            if (++at[i] < array->shape[i]) break;
            from -= at[i] * stride[i];
            at[i] = 0;
        }
    }
    gls_free(ctx, array->data);
    array->data = to;
    return GLS_OK;
}

static gls_status read_array(gls_context *ctx, gls_reader *reader, gls_npy *out, const char ***texts) {
    const char *path = gls_reader_path(reader);
    header h = {0};
    gls_npy_type type;
    int64_t bytes;
    GLS_TRY(read_header(ctx, reader, &h));
    GLS_TRY(gls_npy_type_of(ctx, path, h.descr, &type));
    bool is_text = type.kind == 'U' || type.kind == 'S';
    if (is_text && !texts)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: npy type '%s' is texts, expected numbers", path, h.descr);
    GLS_TRY(gls_source_check_extents(ctx, path, h.dims, h.shape, type.size, &bytes));
    out->dims = h.dims;
    memcpy(out->shape, h.shape, sizeof out->shape);
    out->count = bytes / type.size;
    GLS_TRY(gls_source_read_block(ctx, reader, bytes, "the array", &out->data));
    char more;
    int64_t got;
    GLS_TRY(gls_reader_read(reader, &more, 1, &got));
    if (got)
        return gls_fail(ctx, GLS_ERR_INPUT, "%s: more bytes follow the array of %lld values", path,
                        (long long)out->count);
    if (h.fortran && h.dims > 1) GLS_TRY(transpose(ctx, (size_t)type.size, out));
    if (!is_text) return gls_npy_widen(ctx, path, &type, out);
    GLS_TRY(gls_npy_texts(ctx, path, &type, out, texts));
    gls_free(ctx, out->data);
    out->data = NULL;
    return GLS_OK;
}

gls_status gls_npy_read_layout(gls_context *ctx, gls_reader *reader, gls_npy_layout *out) {
    header h = {0};
    *out = (gls_npy_layout){0};
    GLS_TRY(read_header(ctx, reader, &h));
    GLS_TRY(gls_npy_type_of(ctx, gls_reader_path(reader), h.descr, &out->type));
    out->fortran = h.fortran && h.dims > 1;
    out->dims = h.dims;
    memcpy(out->shape, h.shape, sizeof out->shape);
    out->offset = h.bytes;
    return gls_source_check_extents(ctx, gls_reader_path(reader), h.dims, h.shape, out->type.size, &out->bytes);
}

gls_status gls_npy_read_from(gls_context *ctx, gls_reader *reader, gls_npy *out, const char ***texts) {
    *out = (gls_npy){0};
    if (texts) *texts = NULL;
    gls_status status = read_array(ctx, reader, out, texts);
    if (status != GLS_OK) gls_npy_clear(ctx, out);
    return status;
}

gls_status gls_npy_read(gls_context *ctx, const char *path, gls_npy *out) {
    GLS_GIVEN(ctx, ctx, path, out);
    *out = (gls_npy){0};
    gls_reader *reader;
    GLS_TRY(gls_reader_open(ctx, path, &reader));
    gls_status status = gls_npy_read_from(ctx, reader, out, NULL);
    gls_reader_close(reader);
    return status;
}

void gls_npy_clear(gls_context *ctx, gls_npy *array) {
    if (!ctx || !array) return;
    gls_free(ctx, array->data);
    *array = (gls_npy){0};
}

static double value_at(const gls_npy *array, int64_t i) {
    switch (array->dtype) {
    case GLS_F32:
        return ((const float *)array->data)[i];
    case GLS_F64:
        return ((const double *)array->data)[i];
    case GLS_I32:
        return ((const int32_t *)array->data)[i];
    case GLS_I64:
        return (double)((const int64_t *)array->data)[i];
    case GLS_U8:
        return ((const uint8_t *)array->data)[i];
    case GLS_BF16: /* no type of the format */
        break;
    }
    return NAN;
}

/* "row 5, column 7" of a matrix, "[1, 5, 7]" otherwise. */
static const char *place_of(const gls_npy *array, int64_t i, char text[160]) {
    if (array->dims == 2) {
        snprintf(text, 160, "row %lld, column %lld", (long long)(i / array->shape[1]),
                 (long long)(i % array->shape[1]));
        return text;
    }
    int n = snprintf(text, 160, "[");
    for (int k = 0; k < array->dims && n < 130; k++) {
        int64_t inner = 1;
        for (int l = k + 1; l < array->dims; l++) inner *= array->shape[l];
        n += snprintf(text + n, 160 - (size_t)n, "%s%lld", k ? ", " : "", (long long)(i / inner % array->shape[k]));
    }
    snprintf(text + n, 160 - (size_t)n, "]");
    return text;
}

/* To float or double. A value that single precision cannot hold is refused, not made infinite. */
gls_status gls_npy_convert(gls_context *ctx, const char *path, gls_dtype dtype, gls_npy *array) {
    void *to = gls_alloc(ctx, array->count, gls_dtype_size(dtype));
    if (!to) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < array->count; i++) {
        double value = value_at(array, i);
        if (!isfinite(value) || (dtype == GLS_F32 && !isfinite((float)value))) {
            char place[160];
            gls_free(ctx, to);
            return gls_fail(ctx, GLS_ERR_INPUT, "%s: the value at %s is %g, %s", path, place_of(array, i, place), value,
                            isfinite(value) ? "beyond single precision" : "which is not finite");
        }
        if (dtype == GLS_F32)
            ((float *)to)[i] = (float)value;
        else
            ((double *)to)[i] = value;
    }
    gls_free(ctx, array->data);
    array->data = to;
    array->dtype = dtype;
    return GLS_OK;
}

static gls_status read_as(gls_context *ctx, const char *path, gls_dtype dtype, gls_npy *out) {
    GLS_TRY(gls_npy_read(ctx, path, out));
    gls_status status = gls_npy_convert(ctx, path, dtype, out);
    if (status != GLS_OK) gls_npy_clear(ctx, out);
    return status;
}

gls_status gls_npy_read_double(gls_context *ctx, const char *path, gls_npy *out) {
    return read_as(ctx, path, GLS_F64, out);
}

gls_status gls_npy_read_real(gls_context *ctx, const char *path, gls_npy *out) {
    GLS_GIVEN(ctx, ctx, path, out);
    return read_as(ctx, path, GLS_DTYPE_REAL, out);
}

/* ---- writing ---- */

/* Magic, version and length take 10 bytes; blanks fill up to a multiple of 64 bytes, where the data begin, as the
 * format asks. */
gls_status gls_npy_write_header(struct gls_writer *writer, gls_dtype dtype, int dims, const int64_t *shape) {
    char text[256];
    static const char *const codes[] = {
        [GLS_F32] = "f4", [GLS_F64] = "f8", [GLS_I32] = "i4", [GLS_I64] = "i8", [GLS_U8] = "u1"};
    int n = snprintf(text, sizeof text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                     dtype == GLS_U8 ? '|' : '<', codes[dtype]);
    for (int i = 0; i < dims; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%lld%s", (long long)shape[i],
                      dims == 1      ? ","
                      : i + 1 < dims ? ", "
                                     : "");
    n += snprintf(text + n, sizeof text - (size_t)n, "), }");
    int total = (int)gls_align64(10 + n + 1);
    unsigned char start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0, 0};
    start[8] = (unsigned char)((total - 10) & 255);
    start[9] = (unsigned char)((total - 10) >> 8);
    GLS_TRY(gls_writer_write(writer, start, sizeof start));
    return gls_writer_printf(writer, "%-*s\n", total - 11, text);
}

gls_status gls_npy_write(gls_context *ctx, const char *path, gls_dtype dtype, int dims, const int64_t *shape,
                         const void *data) {
    GLS_GIVEN(ctx, ctx, path, data);
    if (dims > 0) GLS_GIVEN(ctx, shape);
    int64_t bytes;
    GLS_TRY(gls_source_check_extents(ctx, path, dims, shape, (int64_t)gls_dtype_size(dtype), &bytes));
    gls_writer *writer;
    GLS_TRY(gls_writer_open(ctx, path, &writer));
    gls_status status = gls_npy_write_header(writer, dtype, dims, shape);
    if (status == GLS_OK) status = gls_writer_write(writer, data, bytes);
    if (status == GLS_OK) return gls_writer_commit(writer);
    gls_writer_abort(writer);
    return status;
}
