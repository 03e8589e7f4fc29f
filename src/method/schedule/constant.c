/* constant: stays at `from`; alone it is the end of a warm-up. */
#include <glissade/method.h>

static double value(const void *self, const void *options, const gls_schedule_time *time) {
    return ((const gls_schedule_common *)options)->from;
}

static const gls_option table[] = {GLS_SCHEDULE_OPTIONS, {0}};

const gls_schedule_type gls_schedule_constant = {
    .member = {"constant", "stays at `from`", "", table, sizeof(gls_schedule_common)}, .value = value};
