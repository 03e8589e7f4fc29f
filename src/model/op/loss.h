/* What losses share. A loss leaves a double for each row at the beginning of its aux. */
#ifndef GLS_MODEL_OP_LOSS_H
#define GLS_MODEL_OP_LOSS_H

#include "model/op.h"

static inline double gls_loss_mass(const gls_batch *batch, int64_t row) {
    return batch->mass ? batch->mass[row] : 1;
}
/* How much of a row's loss is that of its label; the rest is that of batch->other_label. */
static inline double gls_loss_share(const gls_batch *batch, int64_t row) {
    return batch->other_label ? batch->label_share[row] : 1;
}
/* aux of a loss that keeps nothing else. */
int64_t gls_loss_aux(const gls_node *node, int64_t rows, bool backward);

/* What their descriptors have in common. */
#define GLS_LOSS_OP GLS_OP_ONE_INPUT, .parameters = "", .flags = GLS_OP_LOSS | GLS_OP_NO_PADDING, .shape = shape

#endif
