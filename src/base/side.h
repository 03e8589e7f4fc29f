/* Independent work side by side: each lane is a thread with a context of its own. */
#ifndef GLS_BASE_SIDE_H
#define GLS_BASE_SIDE_H

#include <glissade/base.h>

/* Work on one item, in lane 0, 1, ...: own is the lane's context, where it leaves its message. */
typedef gls_status (*gls_side_fn)(void *user, gls_context *own, int lane, int64_t item);

/* Does items 0, 1, ..., items - 1, each once, begun in that order, in so many lanes; one lane is the calling thread in
 * ctx itself. The first failure is the status, its message ctx's: the lanes are then interrupted and begin nothing
 * more. What interrupts ctx interrupts the lanes too, and GLS_ERR_INTERRUPTED is the status if items are left. */
gls_status gls_side_by_side(gls_context *ctx, int lanes, int64_t items, gls_side_fn work, void *user);

#endif
