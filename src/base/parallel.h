/* Tasks that may be too small for a team; and forks, which leave it behind. */
#ifndef GLS_BASE_PARALLEL_H
#define GLS_BASE_PARALLEL_H

#include <glissade/base.h>

#include <sys/types.h>

/* gls_parallel with `team`; else the tasks one after another in the calling thread, with the same bits: waking another
 * thread costs some microseconds. */
gls_status gls_parallel_if(gls_context *ctx, bool team, int64_t tasks, gls_task_fn fn, void *user);

/* The calling process: another one than before says that a fork came between, and that other threads stayed behind. */
pid_t gls_context_process(const gls_context *ctx);

#endif
