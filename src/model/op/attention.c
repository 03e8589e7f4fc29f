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

/* out [count, keys] = scale a b^T, or that added, a from the block's queries on. */
static void products(const block *b, double scale, const gls_real *from, int64_t step, const gls_real *keys, bool adds,
                     gls_real *out) {
    gls_gemm(b->portable, false, true, b->count, b->keys, b->dim, scale, from + b->first * step, step, keys, b->in_step,
             adds, out, b->keys);
}

/* to [count, dim] = scale of [count, keys] times what the keys have, or that added. */
static void to_queries(const block *b, double scale, const gls_real *of, const gls_real *keys, gls_real *to,
                       int64_t step, bool adds) {
    gls_gemm(b->portable, false, false, b->count, b->dim, b->keys, scale, of, b->keys, keys, b->in_step, adds, to,
             step);
}

/* to [keys, dim] += scale of^T times what the queries have. */
static void to_keys(const block *b, double scale, const gls_real *of, const gls_real *queries, int64_t step,
                    gls_real *to) {
    gls_gemm(b->portable, true, false, b->keys, b->dim, b->count, scale, of, b->keys, queries, step, 1, to, b->in_step);
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
    gls_real most = gls_largest(s, n);
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
            products(&b, b.scale, in + b.query, b.in_step, in + b.key, false, s);
            hide(&b, s);
            for (int64_t q = 0; q < b.count; q++) softmax(&b, q, s + q * b.keys);
            to_queries(&b, 1, s, in + b.value, out + b.output + first * b.out_step, b.out_step, false);
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
    products(b, b->scale, in + b->query, b->in_step, in + b->key, false, p);
    hide(b, p);
    products(b, 1, e + b->output, b->out_step, in + b->value, false, dp);
    scores_backward(b, p, dp);
    to_keys(b, 1, p, out, b->out_step, d + b->value);
    to_keys(b, b->scale, dp, query, b->in_step, d + b->key);
    to_queries(b, b->scale, dp, in + b->key, d + b->query + b->first * b->in_step, b->in_step, true);
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

/* ---- tangents: those of p = softmax(s) are p (s' - <p, s'>) ---- */

/* Of a block: shares, their gradients, and the tangents of both. */
typedef struct shares {
    gls_real *p, *dp, *p_dot, *dp_dot;
} shares;

static int64_t tangent_scratch(const gls_node *node, int64_t rows) {
    return 2 * scratch(node, rows);
}

/* p and p'. */
static shares shares_of(const gls_exec *t, int i, const block *b) {
    const gls_real *in = gls_exec_in(gls_exec_primal(t), i, 0), *in_dot = gls_exec_in(t, i, 0);
    int64_t size = b->count * b->keys;
    gls_real *at = t->scratch;
    shares of = {at, at + size, at + 2 * size, at + 3 * size};
    products(b, b->scale, in + b->query, b->in_step, in + b->key, false, of.p);
    hide(b, of.p);
    products(b, b->scale, in_dot + b->query, b->in_step, in + b->key, false, of.p_dot);
    products(b, b->scale, in + b->query, b->in_step, in_dot + b->key, true, of.p_dot);
    for (int64_t q = 0; q < b->count; q++) {
        int64_t n = seen(b, q);
        gls_real *p = of.p + q * b->keys, *p_dot = of.p_dot + q * b->keys;
        exponentials(p, n, b->sums[b->first + q]);
        gls_fill(p + n, 0, b->keys - n);
        gls_fill(p_dot + n, 0, b->keys - n);
        gls_real mean = (gls_real)gls_dot(p, p_dot, n);
        for (int64_t k = 0; k < n; k++) p_dot[k] = p[k] * (p_dot[k] - mean);
    }
    return of;
}

static gls_status forward_tangent(gls_exec *t, int i) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_node *node = gls_exec_node(t, i);
    const gls_op_attention_options *o = node->options;
    for (int64_t k = 0; k < t->rows * o->heads; k++) {
        block b = block_of(x, i, k / o->heads, k % o->heads);
        for (int64_t first = 0; first < node->in.w; first += QUERIES) {
            next_queries(&b, first, node->in.w);
            shares of = shares_of(t, i, &b);
            gls_real *to = gls_exec_value(t, i) + b.output + first * b.out_step;
            to_queries(&b, 1, of.p_dot, gls_exec_in(x, i, 0) + b.value, to, b.out_step, false);
            to_queries(&b, 1, of.p, gls_exec_in(t, i, 0) + b.value, to, b.out_step, true);
        }
    }
    return GLS_OK;
}

/* The gradients of shares become those of scores, p (dp - <p, dp>), and their tangents those of these. */
static void scores_backward_tangent(const block *b, shares of) {
    for (int64_t q = 0; q < b->count; q++) {
        int64_t n = seen(b, q), at = q * b->keys;
        const gls_real *p = of.p + at, *p_dot = of.p_dot + at;
        gls_real *dp = of.dp + at, *dp_dot = of.dp_dot + at;
        gls_fill(dp + n, 0, b->keys - n);
        gls_fill(dp_dot + n, 0, b->keys - n);
        gls_real mean = (gls_real)gls_dot(p, dp, n);
        gls_real mean_dot = (gls_real)(gls_dot(p_dot, dp, n) + gls_dot(p, dp_dot, n));
        for (int64_t k = 0; k < n; k++) {
            gls_real centred = dp[k] - mean;
            dp[k] = p[k] * centred;
            dp_dot[k] = p_dot[k] * centred + p[k] * (dp_dot[k] - mean_dot);
        }
    }
}

static void block_backward_tangent(gls_exec *t, int i, const block *b) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_real *in = gls_exec_in(x, i, 0), *in_dot = gls_exec_in(t, i, 0);
    const gls_real *e = gls_exec_grad(x, i) + b->output, *e_dot = gls_exec_grad(t, i) + b->output;
    gls_real *d = gls_exec_in_grad(t, i, 0);
    int64_t query = b->query + b->first * b->in_step, out = b->first * b->out_step;
    shares of = shares_of(t, i, b);
    products(b, 1, e, b->out_step, in + b->value, false, of.dp);
    products(b, 1, e_dot, b->out_step, in + b->value, false, of.dp_dot);
    products(b, 1, e, b->out_step, in_dot + b->value, true, of.dp_dot);
    scores_backward_tangent(b, of);
    to_keys(b, 1, of.p_dot, e + out, b->out_step, d + b->value);
    to_keys(b, 1, of.p, e_dot + out, b->out_step, d + b->value);
    to_keys(b, b->scale, of.dp_dot, in + query, b->in_step, d + b->key);
    to_keys(b, b->scale, of.dp, in_dot + query, b->in_step, d + b->key);
    to_queries(b, b->scale, of.dp_dot, in + b->key, d + query, b->in_step, true);
    to_queries(b, b->scale, of.dp, in_dot + b->key, d + query, b->in_step, true);
}

static gls_status backward_tangent(gls_exec *t, int i) {
    if (!gls_exec_wants(t, i, 0)) return GLS_OK;
    const gls_node *node = gls_exec_node(t, i);
    const gls_op_attention_options *o = node->options;
    if (!gls_exec_adds(t, i, 0)) gls_fill(gls_exec_in_grad(t, i, 0), 0, t->rows * gls_extent_size(node->in));
    for (int64_t k = 0; k < t->rows * o->heads; k++) {
        block b = block_of(gls_exec_primal(t), i, k / o->heads, k % o->heads);
        for (int64_t first = 0; first < node->in.w; first += QUERIES) {
            next_queries(&b, first, node->in.w);
            block_backward_tangent(t, i, &b);
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
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .scratch = scratch, .forward = forward,
                            .backward = backward, .forward_tangent = forward_tangent,
                            .backward_tangent = backward_tangent, .tangent_scratch = tangent_scratch),
    .aux = aux,
    .work = work,
    .onnx = gls_op_attention_onnx,
};
