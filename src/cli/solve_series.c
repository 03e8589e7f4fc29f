/* The first repetition step by step, as a CSV file: value and gradient norm of the true F, and their time averages. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/solve.h"

enum { MOST_ROWS = 100000 }; /* lines of a file that a plot can still read at once: some 10 MB */

struct cli_series {
    FILE *stream;
    char *text;
    size_t size;
    int64_t every;
    double minimum; /* of F; NaN: not known */
    bool regret;
};

gls_status cli_series_open(cli_solving *k) {
    const gls_constants *known = gls_analytic_constants(k->problem);
    cli_series *s = calloc(1, sizeof *s);
    if (!s || !(s->stream = open_memstream(&s->text, &s->size))) {
        free(s);
        return gls_fail(k->ctx, GLS_ERR_MEMORY, "--series: out of memory");
    }
    k->series = s;
    s->every = 1 + (k->options.steps - 1) / MOST_ROWS;
    s->minimum = known && isfinite(known->minimum) ? known->minimum : NAN;
    s->regret = k->problem->data.examples > 1 && !isnan(s->minimum);
    fputs("step,value,gradient_norm,distance,mean_value,mean_gradient_norm", s->stream);
    fputs(s->regret ? ",regret\n" : "\n", s->stream);
    return GLS_OK;
}

/* The point at which the step's answer was asked for, and means over it and all before it. */
void cli_series_add(cli_series *s, const gls_solve_state *state) {
    int64_t at = state->step - 1;
    double steps = (double)state->step;
    if (!s || state->repetition || at % s->every) return;
    fprintf(s->stream, "%lld,%.9g,%.9g,%.9g,%.9g,%.9g", (long long)at, state->figures->value,
            state->figures->gradient_norm, state->figures->distance, state->sums->mean_value / steps,
            state->sums->mean_norm / steps);
    if (s->regret) fprintf(s->stream, ",%.9g", state->sums->mean_batch_value / steps - s->minimum);
    fputc('\n', s->stream);
}

gls_status cli_series_write(cli_solving *k, const char *path) {
    if (fflush(k->series->stream)) return gls_fail(k->ctx, GLS_ERR_MEMORY, "--series: out of memory");
    return gls_write_text(k->ctx, path, k->series->text);
}

void cli_series_close(cli_series *s) {
    if (!s) return;
    fclose(s->stream);
    free(s->text);
    free(s);
}
