/* What `scale` measures and what it says of that. */
#ifndef CLI_SCALE_H
#define CLI_SCALE_H

#include <glissade/search.h>

#include "cli/cli.h"

enum { SCALE_MOST_RANKS = 10000, SCALE_NUMBERS = 32 };

/* Numbers of ranks that are looked at: powers of two, 3, and the greatest; returns how many. */
int cli_scale_numbers(double most, double ranks[SCALE_NUMBERS]);
/* The table and the sentences, on standard error. */
void cli_scale_say(const gls_scaling *scaling, double rows, double most);
json_t *cli_scale_json(const gls_scaling *scaling, double rows, double most);

#endif
