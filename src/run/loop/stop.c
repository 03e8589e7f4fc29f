/* Names of the reasons to stop, to and from text. */
#include <string.h>

#include <glissade/run.h>

static const char *const names[] = {[GLS_STOP_NONE] = "unfinished",
                                    [GLS_STOP_EPOCHS] = "epochs",
                                    [GLS_STOP_STEPS] = "steps",
                                    [GLS_STOP_TARGET_LOSS] = "target_loss",
                                    [GLS_STOP_TARGET_SCORE] = "target_score",
                                    [GLS_STOP_PATIENCE] = "patience",
                                    [GLS_STOP_TIME] = "time",
                                    [GLS_STOP_METHOD] = "method",
                                    [GLS_STOP_OBSERVER] = "observer",
                                    [GLS_STOP_INTERRUPTED] = "interrupted"};
enum { NAMES = sizeof names / sizeof *names };

const char *gls_stop_reason_name(gls_stop_reason reason) {
    return (size_t)reason < NAMES ? names[reason] : NULL;
}

bool gls_stop_reason_named(const char *name, gls_stop_reason *reason) {
    for (int i = 0; name && i < NAMES; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *reason = (gls_stop_reason)i;
        return true;
    }
    return false;
}
