/* Counters as arrays of one element, by the lists that declare them: none can be left out of a checkpoint. */
#include "run/training/counters.h"

gls_status gls_counters_arrays(gls_context *ctx, const gls_counter *row, size_t rows, void *owner, const char *prefix,
                               gls_arrays *arrays) {
    for (size_t i = 0; i < rows; i++)
        GLS_TRY(gls_arrays_add_state(ctx, arrays, prefix, row[i].name, row[i].dtype, 1, (char *)owner + row[i].offset));
    return GLS_OK;
}
