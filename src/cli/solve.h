/* The inside of `solve`: what it works with, and what it keeps of the first repetition for plot and certificate. */
#ifndef GLS_CLI_SOLVE_H
#define GLS_CLI_SOLVE_H

#include "cli/cli.h"

enum { CLI_PATH_MOST = 20000 }; /* points of a path that are drawn: a line of some 300 kB */

typedef struct cli_path {
    int64_t count, d;
    gls_real *w; /* [CLI_PATH_MOST, d], the start first */
} cli_path;

typedef struct cli_series cli_series;

typedef struct cli_solving {
    gls_context *ctx;
    const cli_args *args;
    const char *name;
    gls_value *config; /* {problem: {...}, method: {...}, estimator, average} */
    gls_problem *problem;
    gls_solve_options options;
    gls_solution *solution;
    gls_real *point, *init;
    cli_path path;
    cli_series *series; /* NULL: not asked for */
    json_t *certificate;
    double share; /* of the repetitions that a complexity is about */
    double seconds;
} cli_solving;

/* solve_say.c */
/* Whether no repetition came to a finite value. */
bool cli_solve_failed(const cli_solving *solving);
/* sorted: room for one number a repetition. */
void cli_solve_say(const cli_solving *solving, double *sorted);
int cli_solve_json(const cli_solving *solving, double *sorted); /* the exit code */
json_t *cli_vector(const gls_real *x, int64_t n);

/* solve_series.c */
gls_status cli_series_open(cli_solving *solving);
void cli_series_add(cli_series *series, const gls_solve_state *state); /* NULL is legal */
gls_status cli_series_write(cli_solving *solving, const char *path);
void cli_series_close(cli_series *series); /* NULL is legal */

/* solve_plot.c: an SVG of the path: in one dimension over the function's graph, in two over its level sets.
 * GLS_ERR_UNSUPPORTED in more. */
gls_status cli_plot_path(gls_problem *problem, const cli_path *path, const char *title, const char *file);

#endif
