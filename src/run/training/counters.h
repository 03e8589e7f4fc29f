/* Numbers of an object's state, declared once: an X-list of (C type, dtype, name) serves the struct and the checkpoint.
 *
 *     #define GLS_..._COUNTERS(X) X(int64_t, GLS_I64, steps) X(double, GLS_F64, loss)
 *     typedef struct counters { GLS_..._COUNTERS(GLS_COUNTER_FIELD) } counters;
 *     static const gls_counter rows[] = {
 *     #define ROW(type, dtype, name) GLS_COUNTER_ROW(counters, dtype, name)
 *         GLS_..._COUNTERS(ROW)
 *     }; */
#ifndef GLS_RUN_COUNTERS_H
#define GLS_RUN_COUNTERS_H

#include <glissade/base.h>
#include <stddef.h>

#define GLS_COUNTER_FIELD(type, dtype, name) type name;
#define GLS_COUNTER_ROW(owner, dtype, name) {#name, dtype, offsetof(owner, name)},

typedef struct gls_counter {
    const char *name;
    gls_dtype dtype;
    size_t offset;
} gls_counter;

gls_status gls_counters_arrays(gls_context *ctx, const gls_counter *row, size_t rows, void *owner, const char *prefix,
                               gls_arrays *arrays);

#endif
