/* Problems that make a pass sweat: each breaks an assumption that a simpler loop over slices would make. */
#ifndef TESTS_AWKWARD_H
#define TESTS_AWKWARD_H

#include <glissade/glissade.h>

extern const gls_problem_type awkward_coupled; /* outputs normalised over the mini-batch: two meets forward, one back */
extern const gls_problem_type awkward_grouped; /* the same over runs of four slots, inside a slice */
extern const gls_problem_type awkward_stateful;  /* a carried value for every slot, a running mean besides */
extern const gls_problem_type awkward_rowsparse; /* a table of which an example touches one row; tiled */
extern const gls_problem_type awkward_masked;    /* random masks keyed by seed, draw and slot */
extern const gls_problem_type awkward_short;     /* value and gradient only, through the short way */

#endif
