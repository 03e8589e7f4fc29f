/* What the sets of data.tests gave. */
#ifndef GLS_RUN_NAMED_H
#define GLS_RUN_NAMED_H

#include "run/loop/run.h"

/* {name: {"loss", score, "best_loss", "best_" score}}: at the end, and where the monitored loss was lowest; NULL
 * without such sets. A new reference. */
struct json_t *gls_named_json(const gls_run *run);

#endif
