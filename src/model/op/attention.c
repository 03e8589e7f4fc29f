/* attention: scaled dot products of queries with keys, by heads. Queries, keys and values are the channels of one input
 * side by side, as one dense layer makes them. Scores live for a block of queries at a time, so memory is linear in the
 * length; backward computes them again from the logarithms of their sums. */
#include <math.h>

#include "base/gemm.h"
#include "base/kernels.h"
#include "model/elementary.h"
#include "model/layers.h"
#include "model/op.h"

static const gls_option options[] = {
    GLS_INT("heads", gls_op_attention_options, heads, "1", 1, 1e6, "heads of queries"),
    GLS_INT("kv_heads", gls_op_attention_options, kv_heads, "0", 0, 1e6,
            "heads of keys and values, each for heads / kv_heads heads of queries; 0: as many as heads"),
    GLS_BOOL("causal", gls_op_attention_options, causal, "true", "a position sees itself and those before it only"),
    {0},
};

enum { QUERIES = 32 }; /* in a block */

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_attention_options *o = node->options;
    if (o->kv_heads == 0) o->kv_heads = o->heads;
    int64_t all = o->heads + 2 * o->kv_heads;
    GLS_TRY(gls_op_takes_positions(g, node));
    if (o->heads % o->kv_heads != 0)
        return gls_node_fail(g, node, "kv_heads: %lld does not divide %lld heads", (long long)o->kv_heads,
                             (long long)o->heads);
    if (node->in.c % all != 0)
        return gls_node_fail(g, node,
                             "takes queries, keys and values side by side, a multiple of %lld channels, got %lld",
                             (long long)all, (long long)node->in.c);
    node->out = (gls_extent){node->in.c / all * o->heads, 1, node->in.w};
    return GLS_OK;
}

/* log sum e^score of every row, head and position. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    const gls_op_attention_options *o = node->options;
    return backward ? rows * o->heads * node->out.w * (int64_t)sizeof(gls_real) : 0;
}

/* Scores of a block, and their gradients. */
static int64_t scratch(const gls_node *node, int64_t rows) {
    (void)rows;
    return 2 * QUERIES * node->in.w * (int64_t)sizeof(gls_real);
}

/* One head of one row, and a block of its queries. */
typedef struct block {
    bool portable, causal;
    int64_t first, count, keys;        /* queries; keys that one of them sees */
    int64_t dim, in_step, out_step;    /* of a head; from one position to the next */
    int64_t query, key, value, output; /* offsets in the input's and the output's reals */
    gls_real scale;
    gls_real *sums;          /* [w], NULL: not kept */
    const int32_t *document; /* [w] of the row, NULL: it is one */
} block;

static block block_of(const gls_exec *x, int i, int64_t row, int64_t head) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_attention_options *o = node->options;
    int64_t dim = node->out.c / o->heads, shared = head / (o->heads / o->kv_heads), at = row * node->in.w * node->in.c;
    gls_real *sums = gls_exec_aux(x, i);
    return (block){.portable = x->graph->portable,
                   .causal = o->causal,
                   .dim = dim,
                   .in_step = node->in.c,
                   .out_step = node->out.c,
                   .query = at + head * dim,
                   .key = at + (o->heads + shared) * dim,
                   .value = at + (o->heads + o->kv_heads + shared) * dim,
                   .output = row * node->out.w * node->out.c + head * dim,
                   .scale = (gls_real)(1 / sqrt((double)dim)),
                   .sums = sums ? sums + (row * o->heads + head) * node->out.w : NULL,
                   .document = gls_exec_document(gls_exec_values(x), row)};
}

static void next_queries(block *b, int64_t first, int64_t length) {
    b->first = first;
    b->count = length - first < QUERIES ? length - first : QUERIES;
    b->keys = b->causal ? first + b->count : length;
}

static int64_t seen(const block *b, int64_t query) {
    return b->causal ? b->first + query + 1 : b->keys;
}

/* out [count, keys] = scale a b^T, a from the block's queries on. */
static void products(const block *b, double scale, const gls_real *from, int64_t step, const gls_real *keys,
                     gls_real *out) {
    gls_gemm(b->portable, false, true, b->count, b->keys, b->dim, scale, from + b->first * step, step, keys, b->in_step,
             0, out, b->keys);
}

/* Keys of other documents than a query's are infinitely far from it: their shares, and what follows, are exactly 0. */
static void hide(const block *b, gls_real *s) {
    for (int64_t q = 0; b->document && q < b->count; q++, s += b->keys)
        for (int64_t k = 0; k < b->keys; k++)
            if (b->document[k] != b->document[b->first + q]) s[k] = -INFINITY;
}

GLS_SIMD static void exponentials(gls_real *s, int64_t n, gls_real less) {
    for (int64_t k = 0; k < n; k++) {
        gls_real e = gls_elementary_exp(s[k] - less);
        s[k] = s[k] == -INFINITY ? 0 : e;
    }
}

/* Scores of one query become shares; keys that it does not see have none. */
static void softmax(const block *b, int64_t query, gls_real *s) {
    int64_t n = seen(b, query);
    gls_real most = s[0];
    for (int64_t k = 1; k < n; k++) most = s[k] > most ? s[k] : most;
    exponentials(s, n, most);
    double sum = gls_sum(s, n);
    gls_scale(s, 1 / sum, n);
    gls_fill(s + n, 0, b->keys - n);
    if (b->sums) b->sums[b->first + query] = most + (gls_real)log(sum);
}

static gls_status forward(gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_attention_options *o = node->options;
    const gls_real *in = gls_exec_in(x, i, 0);
    gls_real *out = gls_exec_value(x, i), *s = x->scratch;
    for (int64_t k = 0; k < x->rows * o->heads; k++) {
        block b = block_of(x, i, k / o->heads, k % o->heads);
        for (int64_t first = 0; first < node->in.w; first += QUERIES) {
            next_queries(&b, first, node->in.w);
            products(&b, b.scale, in + b.query, b.in_step, in + b.key, s);
            hide(&b, s);
            for (int64_t q = 0; q < b.count; q++) softmax(&b, q, s + q * b.keys);
            gls_gemm(b.portable, false, false, b.count, b.dim, b.keys, 1, s, b.keys, in + b.value, b.in_step, 0,
                     out + b.output + first * b.out_step, b.out_step);
        }
    }
    return GLS_OK;
}

/* p: the scores, which become shares again; dp: the shares' gradients, which become the scores'. */
static void scores_backward(const block *b, gls_real *p, gls_real *dp) {
    for (int64_t q = 0; q < b->count; q++, p += b->keys, dp += b->keys) {
        int64_t n = seen(b, q);
        exponentials(p, n, b->sums[b->first + q]);
        gls_fill(p + n, 0, b->keys - n);
        gls_fill(dp + n, 0, b->keys - n);
        gls_real mean = (gls_real)gls_dot(p, dp, n);
        for (int64_t k = 0; k < n; k++) dp[k] = p[k] * (dp[k] - mean);
    }
}

/* Adds a block's part to the gradients of queries, keys and values. */
static void block_backward(const block *b, const gls_real *in, const gls_real *e, gls_real *d, gls_real *p) {
    gls_real *dp = p + b->count * b->keys;
    const gls_real *query = in + b->query + b->first * b->in_step, *out = e + b->output + b->first * b->out_step;
    products(b, b->scale, in + b->query, b->in_step, in + b->key, p);
    hide(b, p);
    products(b, 1, e + b->output, b->out_step, in + b->value, dp);
    scores_backward(b, p, dp);
    gls_gemm(b->portable, true, false, b->keys, b->dim, b->count, 1, p, b->keys, out, b->out_step, 1, d + b->value,
             b->in_step);
    gls_gemm(b->portable, true, false, b->keys, b->dim, b->count, b->scale, dp, b->keys, query, b->in_step, 1,
             d + b->key, b->in_step);
    gls_gemm(b->portable, false, false, b->count, b->dim, b->keys, b->scale, dp, b->keys, in + b->key, b->in_step, 1,
             d + b->query + b->first * b->in_step, b->in_step);
}

static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_attention_options *o = node->options;
    gls_real *d = gls_exec_in_grad(x, i, 0);
    if (!gls_exec_adds(x, i, 0)) gls_fill(d, 0, x->rows * gls_extent_size(node->in));
    for (int64_t k = 0; k < x->rows * o->heads; k++) {
        block b = block_of(x, i, k / o->heads, k % o->heads);
        for (int64_t first = 0; first < node->in.w; first += QUERIES) {
            next_queries(&b, first, node->in.w);
            block_backward(&b, gls_exec_in(x, i, 0), gls_exec_grad(x, i), d, x->scratch);
        }
    }
    return GLS_OK;
}

static double work(const gls_node *node) {
    return 2 * (double)node->out.c * (double)node->out.w * (double)node->out.w;
}

const gls_op gls_op_attention = {
    .member = {.name = "attention",
               .help = "every position takes a mean of the values, weighted by how its query fits their keys",
               .source = "Vaswani et al. 2017; grouped: Ainslie et al. 2023",
               .options = options,
               .options_size = sizeof(gls_op_attention_options)},
    .formula = "per head y_t = sum_s p_ts v_s, p_t = softmax over the seen s of q_t . k_s / sqrt(dim); seen are "
               "positions of t's own document",
    .shapes = "[(heads + 2 kv_heads) dim, 1, w]: queries, keys, values -> [heads dim, 1, w]",
    .parameters = "",
    GLS_OP_ONE_INPUT,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_KEEPS_INPUT,
    .shape = shape,
    .impl =
        GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .scratch = scratch, .forward = forward, .backward = backward),
    .aux = aux,
    .work = work,
};
