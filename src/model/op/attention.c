/* attention: scaled dot products of queries with keys, by heads. Queries, keys and values are the channels of one input
 * side by side, as one dense layer makes them; families may give keys and values as an input of their own, of other
 * positions, and a last input for what depends on distances (attention_relative.c). Scores live for a block of queries
 * at a time, so memory is linear in the length; backward computes them again from the logarithms of their sums. */
#include <math.h>

#include "base/arith.h"
#include "base/gemm.h"
#include "base/kernels.h"
#include "model/elementary.h"
#include "model/op/attention.h"

static const gls_option options[] = {
    GLS_INT("heads", gls_op_attention_options, heads, "1", 1, 1e6, "heads of queries"),
    GLS_INT("kv_heads", gls_op_attention_options, kv_heads, "0", 0, 1e6,
            "heads of keys and values, each for heads / kv_heads heads of queries; 0: as many as heads"),
    GLS_BOOL("causal", gls_op_attention_options, causal, "true", "a position sees itself and those before it only"),
    GLS_BOOL("unscaled", gls_op_attention_options, unscaled, "false", "scores are not divided by sqrt(dim)"),
    {0},
};

typedef gls_op_attention_block block;

enum { QUERIES = GLS_OP_ATTENTION_QUERIES };

/* The input of the keys and values. */
static int keys_input(const gls_exec *x, int i) {
    return ((const gls_op_attention_options *)gls_exec_node(x, i)->options)->cross ? 1 : 0;
}

/* The relative input, NULL: none. */
static const gls_real *relative_of(const gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    bool has = ((const gls_op_attention_options *)node->options)->relative != GLS_RELATIVE_NONE;
    return has ? gls_exec_in(x, i, node->inputs - 1) : NULL;
}

static int64_t keys_of(const gls_graph *g, const gls_node *node) {
    return ((const gls_op_attention_options *)node->options)->cross ? g->node[node->input[1]].out.w : node->in.w;
}

/* Inputs that only families give. */
static gls_status check_inputs(gls_graph *g, gls_node *node, int64_t dim) {
    const gls_op_attention_options *o = node->options;
    gls_extent keys = g->node[node->input[o->cross]].out, last = g->node[node->input[node->inputs - 1]].out;
    int64_t each = o->relative == GLS_RELATIVE_ROWS ? dim : 1;
    char text[64];
    if (o->cross && (keys.c != 2 * o->kv_heads * dim || keys.h != 1 || (o->causal && keys.w < node->in.w)))
        return gls_node_fail(g, node, "keys and values are %s, expected %lld channels", gls_extent_text(keys, text),
                             (long long)(2 * o->kv_heads * dim));
    if (o->relative && (last.c != o->heads * each || last.w != gls_op_distance_count(o->causal, node->in.w, keys.w)))
        return gls_node_fail(
            g, node, "its distances are %s, expected %lld of %lld channels", gls_extent_text(last, text),
            (long long)gls_op_distance_count(o->causal, node->in.w, keys.w), (long long)(o->heads * each));
    return GLS_OK;
}

static gls_status shape(gls_graph *g, gls_node *node) {
    gls_op_attention_options *o = node->options;
    if (o->kv_heads == 0) o->kv_heads = o->heads;
    int64_t all = o->heads * (o->relative == GLS_RELATIVE_ROWS ? 2 : 1) + (o->cross ? 0 : 2 * o->kv_heads);
    GLS_TRY(gls_op_takes_positions(g, node));
    if (node->inputs != 1 + o->cross + (o->relative != GLS_RELATIVE_NONE))
        return gls_node_fail(g, node, "takes one input");
    if (o->heads % o->kv_heads != 0)
        return gls_node_fail(g, node, "kv_heads: %lld does not divide %lld heads", (long long)o->kv_heads,
                             (long long)o->heads);
    if (node->in.c % all != 0)
        return gls_node_fail(g, node,
                             "takes queries, keys and values side by side, a multiple of %lld channels, got %lld",
                             (long long)all, (long long)node->in.c);
    node->out = (gls_extent){node->in.c / all * o->heads, 1, node->in.w};
    o->keys = keys_of(g, node);
    return check_inputs(g, node, node->in.c / all);
}

/* log sum e^score of every row, head and position. */
static int64_t aux(const gls_node *node, int64_t rows, bool backward) {
    const gls_op_attention_options *o = node->options;
    return backward ? rows * o->heads * node->out.w * (int64_t)sizeof(gls_real) : 0;
}

/* Scores of a block, and their gradients. */
static int64_t scratch(const gls_node *node, int64_t rows) {
    const gls_op_attention_options *o = node->options;
    (void)rows;
    return (2 * QUERIES * o->keys + gls_op_relative_room(o->relative, o->keys)) * (int64_t)sizeof(gls_real);
}

/* Keys at the beginning that are not there: room of a memory that is not full. */
static int64_t hidden_of(const gls_exec *x, int i, int64_t row) {
    const gls_op_attention_options *o = gls_exec_node(x, i)->options;
    return o->memory ? ((const int32_t *)gls_exec_aux(gls_exec_values(x), o->memory))[row] : 0;
}

static block block_of(const gls_exec *x, int i, int64_t row, int64_t head) {
    const gls_node *node = gls_exec_node(x, i);
    const gls_op_attention_options *o = node->options;
    int64_t dim = node->out.c / o->heads, shared = head / (o->heads / o->kv_heads), at = row * node->in.w * node->in.c;
    int64_t key_step = gls_exec_input(x, i, keys_input(x, i))->out.c, keys_at = row * o->keys * key_step;
    int64_t own = keys_at + (o->cross ? 0 : o->heads) * dim, each = o->relative == GLS_RELATIVE_ROWS ? dim : 1;
    gls_real *sums = gls_exec_aux(x, i);
    bool whole = node->in.w == o->keys && o->keys == x->args->rows->length;
    return (block){.portable = x->graph->portable,
                   .causal = o->causal,
                   .queries = node->in.w,
                   .before = o->keys - node->in.w,
                   .hidden = hidden_of(x, i, row),
                   .dim = dim,
                   .query_step = node->in.c,
                   .key_step = key_step,
                   .out_step = node->out.c,
                   .query = at + head * dim,
                   .key = own + shared * dim,
                   .value = own + (o->kv_heads + shared) * dim,
                   .output = row * node->out.w * node->out.c + head * dim,
                   .place = at + (o->heads + head) * dim,
                   .relative = (row * gls_op_distance_count(o->causal, node->in.w, o->keys) * o->heads + head) * each,
                   .relative_step = o->heads * each,
                   .kind = o->relative,
                   .scale = (gls_real)(o->unscaled ? 1 : 1 / sqrt((double)dim)),
                   .sums = sums ? sums + (row * o->heads + head) * node->out.w : NULL,
                   .document = whole ? gls_exec_document(gls_exec_values(x), row) : NULL};
}

static void next_queries(block *b, int64_t first, int64_t end) {
    b->first = first;
    b->count = gls_least(end - first, QUERIES);
    b->keys = b->before + (b->causal ? first + b->count : b->queries);
}

static int64_t seen(const block *b, int64_t query) {
    return b->causal ? b->before + b->first + query + 1 : b->keys;
}

/* out [count, keys] = scale a b^T, or that added, a from the block's queries on. */
static void products(const block *b, double scale, const gls_real *from, int64_t step, const gls_real *keys, bool adds,
                     gls_real *out) {
    gls_gemm(b->portable, false, true, b->count, b->keys, b->dim, scale, from + b->first * step, step, keys,
             b->key_step, adds, out, b->keys);
}

/* to [count, dim] = scale of [count, keys] times what the keys have, or that added. */
static void to_queries(const block *b, double scale, const gls_real *of, const gls_real *keys, gls_real *to,
                       int64_t step, bool adds) {
    gls_gemm(b->portable, false, false, b->count, b->dim, b->keys, scale, of, b->keys, keys, b->key_step, adds, to,
             step);
}

/* to [keys, dim] += scale of^T times what the queries have. */
static void to_keys(const block *b, double scale, const gls_real *of, const gls_real *queries, int64_t step,
                    gls_real *to) {
    gls_gemm(b->portable, true, false, b->keys, b->dim, b->count, scale, of, b->keys, queries, step, 1, to,
             b->key_step);
}

/* Keys of other documents than a query's are infinitely far from it: their shares, and what follows, are exactly 0. */
static void hide(const block *b, gls_real *s) {
    for (int64_t q = 0; q < b->count && (b->document || b->hidden > 0); q++, s += b->keys) {
        gls_fill(s, -INFINITY, b->hidden);
        for (int64_t k = 0; b->document && k < b->keys; k++)
            if (b->document[k] != b->document[b->first + q]) s[k] = -INFINITY;
    }
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

/* s [count, keys]. */
static void scores_of(const gls_exec *x, int i, const block *b, gls_real *s, gls_real *room) {
    const gls_real *queries = gls_exec_in(x, i, 0);
    products(b, b->scale, queries + b->query, b->query_step, gls_exec_in(x, i, keys_input(x, i)) + b->key, false, s);
    gls_op_relative_scores(b, queries, relative_of(x, i), room, s);
    hide(b, s);
}

/* Positions [from, to). */
static gls_status extend(gls_exec *x, int i, int64_t from, int64_t to) {
    const gls_op_attention_options *o = gls_exec_node(x, i)->options;
    const gls_real *keys = gls_exec_in(x, i, keys_input(x, i));
    gls_real *out = gls_exec_value(x, i), *s = x->scratch;
    for (int64_t k = 0; k < x->rows * o->heads; k++) {
        block b = block_of(x, i, k / o->heads, k % o->heads);
        for (int64_t first = from; first < to; first += QUERIES) {
            next_queries(&b, first, to);
            scores_of(x, i, &b, s, s + b.count * b.keys);
            for (int64_t q = 0; q < b.count; q++) softmax(&b, q, s + q * b.keys);
            gls_exec_round(x, s, b.count * b.keys);
            to_queries(&b, 1, s, keys + b.value, out + b.output + first * b.out_step, b.out_step, false);
        }
    }
    return GLS_OK;
}

static gls_status forward(gls_exec *x, int i) {
    return extend(x, i, 0, gls_exec_node(x, i)->in.w);
}

/* A query waits for the keys that it sees, and for all distances. */
static int64_t ready(const gls_graph *g, const gls_node *node, const int64_t *of) {
    const gls_op_attention_options *o = node->options;
    int keys = node->input[o->cross], last = node->input[node->inputs - 1];
    if (o->relative && of[last] < g->node[last].out.w) return 0;
    if (!o->causal) return of[keys] < o->keys ? 0 : of[node->input[0]];
    int64_t there = of[keys] - (o->keys - node->in.w);
    return there < 0 ? 0 : gls_least(of[node->input[0]], there);
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

/* The gradients that backward adds to. */
typedef struct gradients {
    gls_real *queries, *keys, *relative;
} gradients;

/* Each that is not added to is begun with zeros. */
static gradients gradients_of(const gls_exec *x, int i) {
    const gls_node *node = gls_exec_node(x, i);
    for (int k = 0; k < node->inputs; k++)
        if (!gls_exec_adds(x, i, k))
            gls_fill(gls_exec_in_grad(x, i, k), 0, x->rows * gls_extent_size(gls_exec_input(x, i, k)->out));
    bool relative = ((const gls_op_attention_options *)node->options)->relative != GLS_RELATIVE_NONE;
    return (gradients){gls_exec_in_grad(x, i, 0), gls_exec_in_grad(x, i, keys_input(x, i)),
                       relative ? gls_exec_in_grad(x, i, node->inputs - 1) : NULL};
}

/* Adds a block's part to the gradients of queries, keys and values. */
static void block_backward(const gls_exec *x, int i, const block *b, gradients d) {
    const gls_real *in = gls_exec_in(x, i, 0), *keys = gls_exec_in(x, i, keys_input(x, i)), *e = gls_exec_grad(x, i);
    gls_real *p = x->scratch, *dp = p + b->count * b->keys, *room = dp + b->count * b->keys;
    int64_t query = b->query + b->first * b->query_step, out = b->output + b->first * b->out_step;
    scores_of(x, i, b, p, room);
    products(b, 1, e + b->output, b->out_step, keys + b->value, false, dp);
    scores_backward(b, p, dp);
    gls_exec_round(x, p, 2 * b->count * b->keys);
    to_keys(b, 1, p, e + out, b->out_step, d.keys + b->value);
    to_keys(b, b->scale, dp, in + query, b->query_step, d.keys + b->key);
    to_queries(b, b->scale, dp, keys + b->key, d.queries + query, b->query_step, true);
    gls_op_relative_backward(b, dp, in, relative_of(x, i), room, d.queries, d.relative);
}

/* Families put layers with parameters in front of every input: where one's gradient is wanted, all are. */
static gls_status backward(gls_exec *x, int i) {
    if (!gls_exec_wants(x, i, 0)) return GLS_OK;
    const gls_op_attention_options *o = gls_exec_node(x, i)->options;
    gradients d = gradients_of(x, i);
    for (int64_t k = 0; k < x->rows * o->heads; k++) {
        block b = block_of(x, i, k / o->heads, k % o->heads);
        for (int64_t first = 0; first < b.queries; first += QUERIES) {
            next_queries(&b, first, b.queries);
            block_backward(x, i, &b, d);
        }
    }
    return GLS_OK;
}

/* ---- tangents: those of p = softmax(s) are p (s' - <p, s'>) ---- */

/* Of a block: shares, their gradients, and the tangents of both. */
typedef struct shares {
    gls_real *p, *dp, *p_dot, *dp_dot, *room;
} shares;

static int64_t tangent_scratch(const gls_node *node, int64_t rows) {
    const gls_op_attention_options *o = node->options;
    return scratch(node, rows) + 2 * QUERIES * o->keys * (int64_t)sizeof(gls_real);
}

/* s': every factor moved in turn. */
static void scores_tangent(const gls_exec *t, int i, const block *b, shares of) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_real *in = gls_exec_in(x, i, 0), *in_dot = gls_exec_in(t, i, 0);
    const gls_real *keys = gls_exec_in(x, i, keys_input(x, i)), *keys_dot = gls_exec_in(t, i, keys_input(x, i));
    products(b, b->scale, in_dot + b->query, b->query_step, keys + b->key, false, of.p_dot);
    products(b, b->scale, in + b->query, b->query_step, keys_dot + b->key, true, of.p_dot);
    gls_op_relative_scores(b, in, relative_of(t, i), of.room, of.p_dot);
    if (b->kind == GLS_RELATIVE_ROWS) gls_op_relative_scores(b, in_dot, relative_of(x, i), of.room, of.p_dot);
}

/* p and p'. */
static shares shares_of(const gls_exec *t, int i, const block *b) {
    int64_t size = b->count * b->keys;
    gls_real *at = t->scratch;
    shares of = {at, at + size, at + 2 * size, at + 3 * size, at + 4 * size};
    scores_of(gls_exec_primal(t), i, b, of.p, of.room);
    scores_tangent(t, i, b, of);
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
    const gls_op_attention_options *o = gls_exec_node(t, i)->options;
    int keys = keys_input(x, i);
    for (int64_t k = 0; k < t->rows * o->heads; k++) {
        block b = block_of(x, i, k / o->heads, k % o->heads);
        for (int64_t first = 0; first < b.queries; first += QUERIES) {
            next_queries(&b, first, b.queries);
            shares of = shares_of(t, i, &b);
            gls_real *to = gls_exec_value(t, i) + b.output + first * b.out_step;
            to_queries(&b, 1, of.p_dot, gls_exec_in(x, i, keys) + b.value, to, b.out_step, false);
            to_queries(&b, 1, of.p, gls_exec_in(t, i, keys) + b.value, to, b.out_step, true);
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

static void block_backward_tangent(gls_exec *t, int i, const block *b, gradients d) {
    const gls_exec *x = gls_exec_primal(t);
    const gls_real *in = gls_exec_in(x, i, 0), *in_dot = gls_exec_in(t, i, 0);
    const gls_real *keys = gls_exec_in(x, i, keys_input(x, i)), *keys_dot = gls_exec_in(t, i, keys_input(x, i));
    const gls_real *e = gls_exec_grad(x, i) + b->output, *e_dot = gls_exec_grad(t, i) + b->output;
    int64_t query = b->query + b->first * b->query_step, out = b->first * b->out_step;
    shares of = shares_of(t, i, b);
    products(b, 1, e, b->out_step, keys + b->value, false, of.dp);
    products(b, 1, e_dot, b->out_step, keys + b->value, false, of.dp_dot);
    products(b, 1, e, b->out_step, keys_dot + b->value, true, of.dp_dot);
    scores_backward_tangent(b, of);
    to_keys(b, 1, of.p_dot, e + out, b->out_step, d.keys + b->value);
    to_keys(b, 1, of.p, e_dot + out, b->out_step, d.keys + b->value);
    to_keys(b, b->scale, of.dp_dot, in + query, b->query_step, d.keys + b->key);
    to_keys(b, b->scale, of.dp, in_dot + query, b->query_step, d.keys + b->key);
    to_queries(b, b->scale, of.dp_dot, keys + b->key, d.queries + query, b->query_step, true);
    to_queries(b, b->scale, of.dp, keys_dot + b->key, d.queries + query, b->query_step, true);
    gls_op_relative_backward(b, of.dp_dot, in, relative_of(x, i), of.room, d.queries, d.relative);
    if (b->kind == GLS_RELATIVE_ROWS)
        gls_op_relative_backward(b, of.dp, in_dot, relative_of(t, i), of.room, d.queries, d.relative);
}

static gls_status backward_tangent(gls_exec *t, int i) {
    if (!gls_exec_wants(t, i, 0)) return GLS_OK;
    const gls_op_attention_options *o = gls_exec_node(t, i)->options;
    gradients d = gradients_of(t, i);
    for (int64_t k = 0; k < t->rows * o->heads; k++) {
        block b = block_of(gls_exec_primal(t), i, k / o->heads, k % o->heads);
        for (int64_t first = 0; first < b.queries; first += QUERIES) {
            next_queries(&b, first, b.queries);
            block_backward_tangent(t, i, &b, d);
        }
    }
    return GLS_OK;
}

static double work(const gls_node *node) {
    const gls_op_attention_options *o = node->options;
    double products = o->relative == GLS_RELATIVE_ROWS ? 3 : 2;
    return products * (double)node->out.c * (double)node->out.w * (double)o->keys;
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
    .inputs_min = 1,
    .inputs_max = GLS_NODE_INPUTS,
    .flags = GLS_OP_OWN_LAYOUT | GLS_OP_KEEPS_INPUT,
    .shape = shape,
    .impl = GLS_OP_PORTABLE(.setup = gls_op_keeps_positions, .scratch = scratch, .forward = forward,
                            .backward = backward, .forward_tangent = forward_tangent,
                            .backward_tangent = backward_tangent, .tangent_scratch = tangent_scratch),
    .aux = aux,
    .work = work,
    .growth = &(const gls_op_growth){ready, extend},
    .onnx = gls_op_attention_onnx,
};
