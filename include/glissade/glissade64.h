/* glissade64.h: Glissade in double precision. Link glissade64; both precisions may live in one program, each in source
 * files of its own. */
#ifndef GLISSADE64_H
#define GLISSADE64_H

#ifndef GLS_DOUBLE
#define GLS_DOUBLE
#endif
#include <glissade/glissade.h>

#endif
