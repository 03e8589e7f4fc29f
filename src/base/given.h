/* What every public function does first: a pointer that must not be NULL is an error with its name, not a crash. */
#ifndef GLS_BASE_GIVEN_H
#define GLS_BASE_GIVEN_H

#include <glissade/base.h>

/* GLS_ERR_ARGUMENT; `names` lists what the function was given, separated by commas, of which number `which` is NULL.
 * Without a context there is no message, only the status. */
gls_status gls_given_refuse(gls_context *ctx, const char *function, const char *names, int which);

#define GLS_GIVEN(ctx, ...)                                                                       \
    do {                                                                                          \
        const void *const gls_given[] = {__VA_ARGS__};                                            \
        for (int gls_i = 0; gls_i < (int)(sizeof gls_given / sizeof *gls_given); gls_i++)         \
            if (!gls_given[gls_i]) return gls_given_refuse((ctx), __func__, #__VA_ARGS__, gls_i); \
    } while (0)

#endif
