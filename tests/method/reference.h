/* Step rules written down once more, in double, one coordinate after another. */
#ifndef TESTS_METHOD_REFERENCE_H
#define TESTS_METHOD_REFERENCE_H

#include <stdint.h>

typedef struct reference {
    int64_t d;
    int blocks;
    int64_t start[5];           /* of the blocks, and d */
    double *lr, *decay, *loose; /* per coordinate: rate, weight_decay, decoupled decay */
    double *w, *a, *b, *c;      /* weights and state */
    int64_t k;                  /* number of the step, from 1 */
} reference;

typedef void (*reference_step)(reference *r, const double *g);

typedef struct reference_rule {
    const char *name, *options; /* options beside lr and decays, as text of the configuration */
    reference_step step;
    int own_decay; /* weight_decay belongs to the rule: 1 in the step, 2 decoupled */
    int no_loose;  /* has no decoupled_weight_decay */
} reference_rule;

extern const reference_rule reference_rules[];
extern const int reference_rule_count;

#endif
