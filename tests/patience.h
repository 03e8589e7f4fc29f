/* How many times as long things may take: the builds of an emulator say so (tests/meson.build). */
#ifndef TESTS_PATIENCE_H
#define TESTS_PATIENCE_H

#include <stdlib.h>

static inline double patience(void) {
    const char *given = getenv("GLISSADE_PATIENCE");
    return given ? atof(given) : 1;
}

#endif
