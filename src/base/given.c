/* The message about a pointer that was not given. */
#include "base/given.h"

#include <string.h>

gls_status gls_given_refuse(gls_context *ctx, const char *function, const char *names, int which) {
    for (; which > 0 && strchr(names, ','); which--) names = strchr(names, ',') + 1;
    names += strspn(names, " ");
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "%s: %.*s is NULL", function, (int)strcspn(names, ","), names);
}
