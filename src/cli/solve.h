/* What `solve` keeps of the first repetition, for its plot and its certificate. */
#ifndef GLS_CLI_SOLVE_H
#define GLS_CLI_SOLVE_H

#include "cli.h"

enum { CLI_PATH_MOST = 20000 };

typedef struct cli_path {
    int64_t count, d;
    gls_real *w; /* [CLI_PATH_MOST, d], the start first */
} cli_path;

/* An SVG of the path: in one dimension over the function's graph, in two over its level sets. GLS_ERR_UNSUPPORTED in
 * more. */
gls_status cli_plot_path(gls_problem *problem, const cli_path *path, const char *title, const char *file);

#endif
