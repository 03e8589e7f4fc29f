/* Whole sets in order, with carried state of their own where rows go on from one mini-batch to the next. */
#ifndef GLS_ESTIMATOR_STREAMS_H
#define GLS_ESTIMATOR_STREAMS_H

#include <glissade/estimator.h>

/* Whether the problem's state has blocks by slot and the rows of such a set go on in streams. */
bool gls_pass_carries(const gls_problem *problem, const gls_data_info *info);
/* The request (rows and state are filled in here) over all rows of the loader's source: in one run, or where state is
 * carried in mini-batches of one row a stream, from the initial state. Sums over all of them. */
gls_status gls_pass_run_whole(gls_pass *pass, const gls_data_info *info, gls_loader *loader,
                              const gls_pass_request *request, gls_pass_result *result);
/* gls_pass_outputs of all rows: out [examples, k]. */
gls_status gls_pass_outputs_whole(gls_pass *pass, const gls_data_info *info, gls_loader *loader, const gls_real *w,
                                  gls_real *out);

#endif
