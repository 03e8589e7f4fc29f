/* The tables of step rules and schedules: a row here enlists one everywhere (help, list, configuration, tests). */
#include "method/table.h"

#include <glissade/method.h>

/* clang-format off */
#define METHODS(X) \
    X(sgd) \
    X(msgd) \
    X(nag) \
    X(adagrad) \
    X(rmsprop) \
    X(adam) \
    X(adamw) \
    X(amsgrad) \
    X(lars) \
    X(lamb) \
    X(sngd) \
    X(sngm) \
    X(clip) \
    X(ngd) \
    X(gclip) \
    X(cclip) \
    X(acclip) \
    X(singd) \
    X(svrg) \
    X(ingd)

#define SCHEDULES(X) \
    X(constant) \
    X(step) \
    X(poly) \
    X(cosine) \
    X(inverse) \
    X(geometric) \
    X(restarts) \
    X(plateau)
/* clang-format on */

#define DECLARE(name) extern const gls_method_type gls_method_##name;
METHODS(DECLARE)
#define ROW(name) &gls_method_##name.member,
static const gls_member *const methods[] = {METHODS(ROW) NULL};
const gls_member_kind gls_method_kind = {GLS_KIND_METHOD, "method", methods};

#define DECLARE_SCHEDULE(name) extern const gls_schedule_type gls_schedule_##name;
SCHEDULES(DECLARE_SCHEDULE)
#define SCHEDULE_ROW(name) &gls_schedule_##name.member,
static const gls_member *const schedules[] = {SCHEDULES(SCHEDULE_ROW) NULL};
const gls_member_kind gls_schedule_kind = {GLS_KIND_SCHEDULE, "schedule", schedules};
