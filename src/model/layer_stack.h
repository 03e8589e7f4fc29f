/* Layers of attention and feed-forward parts with shortcuts, as several families stack them. */
#ifndef GLS_MODEL_LAYER_STACK_H
#define GLS_MODEL_LAYER_STACK_H

#include "model/layers.h"

typedef enum gls_layer_order { GLS_LAYER_ORDER_PRE, GLS_LAYER_ORDER_POST } gls_layer_order;
#define GLS_LAYER_ORDER_CHOICES "pre|post"
typedef enum gls_layer_norm_kind { GLS_LAYER_NORM_LAYER, GLS_LAYER_NORM_RMS } gls_layer_norm_kind;
#define GLS_LAYER_NORM_CHOICES "layer|rms"
typedef enum gls_layer_feed {
    GLS_LAYER_FEED_GELU,
    GLS_LAYER_FEED_GEGLU,
    GLS_LAYER_FEED_SWIGLU,
    GLS_LAYER_FEED_RELU
} gls_layer_feed;
#define GLS_LAYER_FEED_CHOICES "gelu|geglu|swiglu" /* of those that are a choice */

/* What all layers of a stack have in common. */
typedef struct gls_layer_stack {
    int64_t dim, heads, kv_heads; /* kv_heads 0: as many as heads */
    int64_t hidden;               /* of the feed-forward part; 0: 4 dim, of a gated one 8 dim / 3 */
    int norm, order, feed_forward;
    double eps;     /* of the normalisation */
    double dropout; /* in front of every addition */
    bool causal;
    bool rotary; /* queries and keys are turned by their positions */
    bool alone;  /* every position keeps its own values instead of attention */
    /* What is added to the shortcut of layer number `layer` with input x, in place of attention; NULL: attention. */
    int (*mix)(gls_graph *g, const struct gls_layer_stack *o, int64_t layer, int x);
    const void *own; /* what mix needs */
} gls_layer_stack;

/* GLS_ERR_ARGUMENT in the family's name where heads do not divide dim. */
gls_status gls_layer_stack_check(gls_graph *g, const char *family, const gls_layer_stack *o);
/* "NAME" on x. */
int gls_layer_stack_norm(gls_graph *g, const gls_layer_stack *o, const char *name, int x);
/* Layers "layer1", "layer2", ... on top of x. */
int gls_layer_stack_add(gls_graph *g, const gls_layer_stack *o, int64_t depth, int x);

#endif
