/* Shorter rows: where rows are padded, a slice is evaluated at the smallest of a few lengths that holds its rows, by a
 * graph for that length over the same parameters. */
#ifndef GLS_MODEL_LENGTHS_H
#define GLS_MODEL_LENGTHS_H

#include "model/network.h"

/* ---- of a network: the graphs; none where one of its ops sees padding, or its data have none ---- */

gls_status gls_network_lengths_create(gls_network *net, const gls_family *family, const void *options);
/* gls_graph_finish_stored of all of them as of the network's own graph. */
gls_status gls_network_lengths_finish_stored(gls_network *net);
void gls_network_lengths_destroy(gls_network *net);

/* ---- of an execution for whole rows: those for shorter ones, in the same memory ---- */

gls_status gls_exec_lengths_create(gls_exec *x);
void gls_exec_lengths_destroy(gls_exec *x);
/* The execution that is long enough for the slice: from now on the present one. */
gls_exec *gls_exec_choose(gls_exec *x, const gls_evaluate_args *args);
gls_exec *gls_exec_present(gls_exec *x);
/* The same slice as the present execution sees it. */
const gls_evaluate_args *gls_exec_present_args(gls_exec *x, const gls_evaluate_args *args);

#endif
