/* Layers of attention and feed-forward parts with shortcuts, as several families stack them. */
#ifndef GLS_MODEL_ATTENTION_LAYERS_H
#define GLS_MODEL_ATTENTION_LAYERS_H

#include "model/layers.h"

typedef enum gls_attention_order { GLS_ATTENTION_PRE, GLS_ATTENTION_POST } gls_attention_order;
#define GLS_ATTENTION_ORDER_CHOICES "pre|post"
typedef enum gls_attention_norm { GLS_ATTENTION_LAYER_NORM, GLS_ATTENTION_RMS_NORM } gls_attention_norm;
#define GLS_ATTENTION_NORM_CHOICES "layer|rms"
typedef enum gls_attention_feed { GLS_ATTENTION_GELU, GLS_ATTENTION_GEGLU, GLS_ATTENTION_SWIGLU } gls_attention_feed;
#define GLS_ATTENTION_FEED_CHOICES "gelu|geglu|swiglu"

/* What all layers of a stack have in common. */
typedef struct gls_attention_layers {
    int64_t dim, heads, kv_heads; /* kv_heads 0: as many as heads */
    int64_t hidden;               /* of the feed-forward part; 0: 4 dim, of a gated one 8 dim / 3 */
    int norm, order, feed_forward;
    double eps;     /* of the normalisation */
    double dropout; /* in front of every addition */
    bool causal;
    bool rotary; /* queries and keys are turned by their positions */
    bool alone;  /* every position keeps its own values instead of attention */
} gls_attention_layers;

/* GLS_ERR_ARGUMENT in the family's name where heads do not divide dim. */
gls_status gls_attention_layers_check(gls_graph *g, const char *family, const gls_attention_layers *o);
/* "NAME" on x. */
int gls_attention_layers_norm(gls_graph *g, const gls_attention_layers *o, const char *name, int x);
/* Layers "layer1", "layer2", ... on top of x. */
int gls_attention_layers_add(gls_graph *g, const gls_attention_layers *o, int64_t depth, int x);

#endif
