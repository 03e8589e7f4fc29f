/* The one file that calls oneDNN's primitives. A layer's weights are packed once a point, in the layouts that the
 * library chooses; primitives are made once for each number of rows, and pointed at an evaluation's memory at every
 * call. */
#include "model/dnnl.h"

#if defined(GLS_HAVE_DNNL) && !defined(GLS_DOUBLE)

#include <string.h>

#include "base/arith.h"
#include "base/gemm_bf16.h"
#include "base/kernels.h"
#include "model/dnnl_form.h"
#include "model/dnnl_panels.h"
#include "model/storage.h"

#define DNNL_TRY(ctx, call)                                                              \
    do {                                                                                 \
        dnnl_status_t dnnl_try_status = (call);                                          \
        if (dnnl_try_status != dnnl_success) return failed(ctx, dnnl_try_status, #call); \
    } while (0)

static gls_status failed(gls_context *ctx, dnnl_status_t status, const char *call) {
    if (status == dnnl_out_of_memory) return gls_fail(ctx, GLS_ERR_MEMORY, "oneDNN is out of memory");
    return gls_fail(ctx, GLS_ERR_INTERNAL, "oneDNN status %d from %.80s", (int)status, call);
}

/* The number of rows for which the weights' layout is chosen: every slice uses the same, so that weights are packed
 * once. */
enum { REFERENCE_ROWS = 16 };

int64_t gls_dnnl_channels(void) {
    /* Floats of a vector register. */
    return __builtin_cpu_supports("avx512f") ? 16 : 8;
}

/* ---- weights ---- */

struct gls_dnnl_weights {
    gls_context *ctx;
    gls_dnnl_form form;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    layout plain, own[DIRECTIONS]; /* forward, backward, gradient */
    size_t bytes[DIRECTIONS];      /* those of backward are 0 where forward's serve */
    size_t at[DIRECTIONS];         /* of packed weights */
    int64_t panel[2];              /* of gls_dnnl_panels, which packs; 0: a reorder does */
    dnnl_primitive_t pack[2];
    dnnl_memory_t pack_from, pack_to[2];
};

/* Whether the library has a fast implementation (its slow ones are called "ref..."), and its layout of weights. */
static dnnl_status_t choose(gls_dnnl_weights *w, direction way, bool *fast) {
    layout any = {0};
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = gls_dnnl_form_weights(&any, &w->form, way);
    if (status == dnnl_success) status = gls_dnnl_form_desc(w->engine, &w->form, REFERENCE_ROWS, way, &any, &pd);
    layout_free(&any);
    if (status == dnnl_unimplemented) {
        *fast = false;
        return dnnl_success;
    }
    if (status != dnnl_success) return status;
    const char *name = NULL;
    status = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    if (status == dnnl_success && strncmp(name, "ref", 3) == 0) *fast = false;
    dnnl_query_t weights = way == WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
    if (status == dnnl_success) status = layout_copy(&w->own[way], dnnl_primitive_desc_query_md(pd, weights, 0));
    if (status == dnnl_success)
        w->bytes[way] = (size_t)gls_align64((int64_t)dnnl_memory_desc_get_size(layout_md(&w->own[way])));
    dnnl_primitive_desc_destroy(pd);
    return status;
}

static dnnl_status_t reorder_create(dnnl_engine_t engine, const layout *from, const layout *to, dnnl_primitive_t *out) {
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status =
        dnnl_reorder_primitive_desc_create(&pd, layout_md(from), engine, layout_md(to), engine, NULL);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_create(out, pd);
    dnnl_primitive_desc_destroy(pd);
    return status;
}

/* Whether the layout is that of gls_dnnl_panels, made of weights as they come. */
static dnnl_status_t find_panel(const gls_dnnl_weights *w, const layout *own, int64_t *panel) {
    static const dnnl_format_tag_t tag[] = {dnnl_AB8b16a2b, dnnl_AB8b32a2b, dnnl_AB8b64a2b};
    const gls_conv_shape *s = &w->form.shape;
    const dnnl_dims_t dims = {s->out.c, s->in.c};
    dnnl_status_t status = dnnl_success;
    if (!s->matrix || s->transposed || w->form.type != dnnl_bf16 || !gls_gemm_bf16_here()) return status;
    for (int k = 0; k < 3 && status == dnnl_success; k++) {
        layout panels = {0};
        status = layout_make(&panels, 2, dims, dnnl_bf16, tag[k]);
        if (status == dnnl_success && dnnl_memory_desc_equal(layout_md(own), layout_md(&panels))) *panel = 16 << k;
        layout_free(&panels);
    }
    return status;
}

/* Who packs weights for one of the two directions. */
static dnnl_status_t packer_make(gls_dnnl_weights *w, direction way) {
    if (way == BACKWARD && dnnl_memory_desc_equal(layout_md(&w->own[BACKWARD]), layout_md(&w->own[FORWARD]))) {
        w->bytes[BACKWARD] = 0;
        return dnnl_success;
    }
    if (way == BACKWARD) w->at[BACKWARD] = w->bytes[FORWARD];
    dnnl_status_t status = find_panel(w, &w->own[way], &w->panel[way]);
    if (status != dnnl_success || w->panel[way]) return status;
    status = dnnl_memory_create(&w->pack_to[way], layout_md(&w->own[way]), w->engine, DNNL_MEMORY_NONE);
    return status == dnnl_success ? reorder_create(w->engine, &w->plain, &w->own[way], &w->pack[way]) : status;
}

static dnnl_status_t weights_make(gls_dnnl_weights *w, bool *fast) {
    dnnl_status_t status = dnnl_engine_create(&w->engine, dnnl_cpu, 0);
    if (status == dnnl_success) status = dnnl_stream_create(&w->stream, w->engine, dnnl_stream_default_flags);
    if (status == dnnl_success) status = gls_dnnl_form_plain(&w->plain, &w->form.shape);
    for (direction way = FORWARD; way < DIRECTIONS && status == dnnl_success && *fast; way++)
        if (gls_dnnl_form_has(&w->form.shape, way)) status = choose(w, way, fast);
    if (status != dnnl_success || !*fast) return status;
    status = dnnl_memory_create(&w->pack_from, layout_md(&w->plain), w->engine, DNNL_MEMORY_NONE);
    for (direction way = FORWARD; way < WEIGHTS && status == dnnl_success; way++)
        if (gls_dnnl_form_has(&w->form.shape, way)) status = packer_make(w, way);
    return status;
}

void gls_dnnl_weights_destroy(gls_context *ctx, gls_dnnl_weights *w) {
    if (!w) return;
    for (int k = 0; k < 2; k++) {
        if (w->pack[k]) dnnl_primitive_destroy(w->pack[k]);
        if (w->pack_to[k]) dnnl_memory_destroy(w->pack_to[k]);
    }
    if (w->pack_from) dnnl_memory_destroy(w->pack_from);
    for (direction way = FORWARD; way < DIRECTIONS; way++) layout_free(&w->own[way]);
    layout_free(&w->plain);
    if (w->stream) dnnl_stream_destroy(w->stream);
    if (w->engine) dnnl_engine_destroy(w->engine);
    gls_free(ctx, w);
}

/* Elsewhere the library has bf16 too, but widens it on the way. */
static bool multiplies_bf16(void) {
    const unsigned wanted = dnnl_cpu_isa_avx512_core_bf16;
    return ((unsigned)dnnl_get_effective_cpu_isa() & wanted) == wanted;
}

gls_status gls_dnnl_weights_create(gls_context *ctx, const gls_conv_shape *shape, gls_storage storage,
                                   gls_dnnl_weights **out) {
    *out = NULL;
    bool narrow = storage == GLS_STORAGE_BF16;
    if (narrow && !multiplies_bf16()) return GLS_OK;
    gls_dnnl_weights *w = gls_alloc(ctx, 1, sizeof *w);
    if (!w) return GLS_ERR_MEMORY;
    w->ctx = ctx;
    w->form = (gls_dnnl_form){.shape = *shape, .type = narrow ? dnnl_bf16 : dnnl_f32};
    bool fast = true;
    dnnl_status_t status = weights_make(w, &fast);
    if (status == dnnl_success && fast) {
        *out = w;
        return GLS_OK;
    }
    gls_dnnl_weights_destroy(ctx, w);
    return status == dnnl_success ? GLS_OK : failed(ctx, status, "convolution");
}

const gls_conv_shape *gls_dnnl_shape(const gls_dnnl_weights *w) {
    return &w->form.shape;
}

int64_t gls_dnnl_packed_bytes(const gls_dnnl_weights *w) {
    return (int64_t)(w->bytes[FORWARD] + w->bytes[BACKWARD]);
}

int64_t gls_dnnl_own_size(const gls_dnnl_weights *w) {
    return (int64_t)(dnnl_memory_desc_get_size(layout_md(&w->own[WEIGHTS])) / sizeof(gls_real));
}

gls_status gls_dnnl_pack(gls_dnnl_weights *w, const gls_real *from, void *packed) {
    DNNL_TRY(w->ctx, dnnl_memory_set_data_handle(w->pack_from, (void *)from));
    for (int k = 0; k < 2; k++) {
        void *to = (char *)packed + w->at[k];
        if (w->panel[k]) gls_dnnl_panels(to, from, w->form.shape.out.c, w->form.shape.in.c, w->panel[k]);
        if (!w->pack[k]) continue;
        DNNL_TRY(w->ctx, dnnl_memory_set_data_handle(w->pack_to[k], to));
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, w->pack_from}, {DNNL_ARG_TO, w->pack_to[k]}};
        DNNL_TRY(w->ctx, dnnl_primitive_execute(w->pack[k], w->stream, 2, args));
    }
    return GLS_OK;
}

/* The most that a call needs; one that needs more than there is brings its own. */
int64_t gls_dnnl_scratch(const gls_dnnl_weights *w, int64_t rows) {
    int64_t most = 0;
    for (direction way = FORWARD; way < DIRECTIONS; way++) {
        dnnl_primitive_desc_t pd = NULL;
        if (!gls_dnnl_form_has(&w->form.shape, way) || (way != WEIGHTS && gls_dnnl_form_has(&w->form.shape, WEIGHTS)))
            continue; /* the largest */
        if (gls_dnnl_form_desc(w->engine, &w->form, rows, way, &w->own[way], &pd) != dnnl_success) continue;
        int64_t bytes =
            (int64_t)dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0));
        if (bytes > most) most = bytes;
        dnnl_primitive_desc_destroy(pd);
    }
    return gls_align64(most);
}

/* Rows of an input gradient that is added: so many that they are still in cache when they are. */
static int64_t piece_rows(const gls_dnnl_weights *w, int64_t rows) {
    enum { REALS = 1 << 15 };
    int64_t fit = REALS / gls_extent_size(w->form.shape.in);
    return fit < 1 ? 1 : gls_least(fit, rows);
}

int64_t gls_dnnl_added_bytes(const gls_dnnl_weights *w, int64_t rows) {
    return piece_rows(w, rows) * gls_extent_size(w->form.shape.in) * (int64_t)sizeof(gls_real);
}

/* ---- primitives of an evaluation ---- */

/* One primitive with its memory objects, re-pointed at every call. */
typedef struct call {
    dnnl_primitive_t primitive;
    dnnl_memory_t x, w, y, scratch;
    void *own_scratch; /* where the evaluation's is too small */
} call;

typedef struct sized {
    int64_t rows;
    call call[DIRECTIONS];
    struct sized *next;
} sized;

struct gls_dnnl_conv {
    gls_context *ctx;
    const gls_dnnl_weights *weights;
    gls_dnnl_form
        form; /* the weights', or without bias and activation, or with input gradients as floats to be added */
    dnnl_stream_t stream;
    dnnl_memory_t bias, plain, own;
    dnnl_primitive_t to_plain;
    void *scratch;
    int64_t scratch_bytes;
    sized *first;
};

static void call_destroy(gls_context *ctx, call *c) {
    gls_free(ctx, c->own_scratch);
    if (c->primitive) dnnl_primitive_destroy(c->primitive);
    dnnl_memory_t all[] = {c->x, c->w, c->y, c->scratch};
    for (int k = 0; k < 4; k++)
        if (all[k]) dnnl_memory_destroy(all[k]);
}

static dnnl_status_t scratch_make(gls_dnnl_conv *conv, const_dnnl_primitive_desc_t pd, call *c) {
    layout_ref md = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    int64_t bytes = (int64_t)dnnl_memory_desc_get_size(md);
    if (bytes > conv->scratch_bytes) {
        c->own_scratch = gls_alloc(conv->ctx, bytes, 1);
        if (!c->own_scratch) return dnnl_out_of_memory;
    }
    return dnnl_memory_create(&c->scratch, md, conv->weights->engine, c->own_scratch ? c->own_scratch : conv->scratch);
}

static dnnl_status_t call_make(gls_dnnl_conv *conv, int64_t rows, direction way, call *c) {
    const gls_dnnl_weights *w = conv->weights;
    layout x = {0}, y = {0};
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t status = gls_dnnl_form_desc(w->engine, &conv->form, rows, way, &w->own[way], &pd);
    if (status != dnnl_success) return status;
    status = dnnl_primitive_create(&c->primitive, pd);
    if (status == dnnl_success) status = gls_dnnl_form_input(&x, &conv->form, way, rows);
    if (status == dnnl_success) status = gls_dnnl_form_output(&y, &conv->form, way, rows);
    if (status == dnnl_success) status = dnnl_memory_create(&c->x, layout_md(&x), w->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success) status = dnnl_memory_create(&c->y, layout_md(&y), w->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->w, layout_md(&w->own[way]), w->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success) status = scratch_make(conv, pd, c);
    dnnl_primitive_desc_destroy(pd);
    layout_free(&x);
    layout_free(&y);
    return status;
}

static dnnl_status_t find_call(gls_dnnl_conv *c, int64_t rows, direction way, call **out) {
    sized *at = c->first;
    while (at && at->rows != rows) at = at->next;
    if (!at) {
        at = gls_alloc(c->ctx, 1, sizeof *at);
        if (!at) return dnnl_out_of_memory;
        at->rows = rows;
        at->next = c->first;
        c->first = at;
    }
    *out = &at->call[way];
    return (*out)->primitive ? dnnl_success : call_make(c, rows, way, *out);
}

/* Those of some rows, each in one call but an input gradient that is added: it comes in pieces, and a rest of them. */
static dnnl_status_t make_calls(gls_dnnl_conv *c, int64_t rows, bool backward) {
    const gls_conv_shape *s = &c->weights->form.shape;
    call *made;
    dnnl_status_t status = find_call(c, rows, FORWARD, &made);
    if (status == dnnl_success && backward && gls_dnnl_form_has(s, WEIGHTS))
        status = find_call(c, rows, WEIGHTS, &made);
    if (status != dnnl_success || !backward || !gls_dnnl_form_has(s, BACKWARD)) return status;
    int64_t each = c->form.full_input_gradient ? piece_rows(c->weights, rows) : rows;
    status = find_call(c, each, BACKWARD, &made);
    return status == dnnl_success && rows % each ? find_call(c, rows % each, BACKWARD, &made) : status;
}

static dnnl_status_t conv_make(gls_dnnl_conv *c, const gls_dnnl_conv_plan *plan) {
    const gls_dnnl_weights *w = c->weights;
    layout bias = {0};
    call *made;
    dnnl_status_t status = dnnl_stream_create(&c->stream, w->engine, dnnl_stream_default_flags);
    if (status == dnnl_success) status = gls_dnnl_form_bias(&bias, &w->form.shape);
    if (status == dnnl_success) status = dnnl_memory_create(&c->bias, layout_md(&bias), w->engine, DNNL_MEMORY_NONE);
    layout_free(&bias);
    if (status == dnnl_success)
        status = dnnl_memory_create(&c->plain, layout_md(&w->plain), w->engine, DNNL_MEMORY_NONE);
    bool sums = gls_dnnl_form_has(&w->form.shape, WEIGHTS);
    if (status == dnnl_success && sums)
        status = dnnl_memory_create(&c->own, layout_md(&w->own[WEIGHTS]), w->engine, DNNL_MEMORY_NONE);
    if (status == dnnl_success && sums) status = reorder_create(w->engine, &w->own[WEIGHTS], &w->plain, &c->to_plain);
    if (status == dnnl_success) status = make_calls(c, plan->rows, plan->backward);
    if (status == dnnl_success && plan->single && sums) status = find_call(c, 1, WEIGHTS, &made);
    return status;
}

gls_status gls_dnnl_conv_create(gls_context *ctx, const gls_dnnl_weights *weights, const gls_dnnl_conv_plan *plan,
                                void *scratch, gls_dnnl_conv **out) {
    gls_dnnl_conv *c = gls_alloc(ctx, 1, sizeof *c);
    *out = c;
    if (!c) return GLS_ERR_MEMORY;
    c->ctx = ctx;
    c->weights = weights;
    c->form = weights->form;
    c->form.full_input_gradient = plan->adds;
    if (plan->linear) c->form.shape.relu = c->form.shape.bias = false;
    c->scratch = scratch;
    c->scratch_bytes = gls_dnnl_scratch(weights, plan->rows);
    dnnl_status_t status = conv_make(c, plan);
    return status == dnnl_success ? GLS_OK : failed(ctx, status, "convolution");
}

gls_status gls_dnnl_conv_reserve(gls_dnnl_conv *c, int64_t rows, bool backward) {
    dnnl_status_t status = make_calls(c, rows, backward);
    return status == dnnl_success ? GLS_OK : failed(c->ctx, status, "convolution");
}

void gls_dnnl_conv_destroy(gls_dnnl_conv *c) {
    if (!c) return;
    while (c->first) {
        sized *next = c->first->next;
        for (int k = 0; k < DIRECTIONS; k++) call_destroy(c->ctx, &c->first->call[k]);
        gls_free(c->ctx, c->first);
        c->first = next;
    }
    if (c->to_plain) dnnl_primitive_destroy(c->to_plain);
    if (c->bias) dnnl_memory_destroy(c->bias);
    if (c->plain) dnnl_memory_destroy(c->plain);
    if (c->own) dnnl_memory_destroy(c->own);
    if (c->stream) dnnl_stream_destroy(c->stream);
    gls_free(c->ctx, c);
}

int64_t gls_dnnl_conv_scratch(const gls_dnnl_conv *c) {
    return c->scratch_bytes;
}

static gls_status point(gls_dnnl_conv *c, call *at, const void *x, const void *w, const void *y) {
    DNNL_TRY(c->ctx, dnnl_memory_set_data_handle(at->x, (void *)x));
    DNNL_TRY(c->ctx, dnnl_memory_set_data_handle(at->w, (void *)w));
    DNNL_TRY(c->ctx, dnnl_memory_set_data_handle(at->y, (void *)y));
    return GLS_OK;
}

gls_status gls_dnnl_conv_forward(gls_dnnl_conv *c, int64_t rows, const void *x, const void *packed,
                                 const gls_real *bias, void *y) {
    call *at;
    DNNL_TRY(c->ctx, find_call(c, rows, FORWARD, &at));
    GLS_TRY(point(c, at, x, packed, y));
    if (bias) DNNL_TRY(c->ctx, dnnl_memory_set_data_handle(c->bias, (void *)bias));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, at->x},
                                    {DNNL_ARG_WEIGHTS, at->w},
                                    {DNNL_ARG_DST, at->y},
                                    {DNNL_ARG_SCRATCHPAD, at->scratch},
                                    {DNNL_ARG_BIAS, c->bias}};
    DNNL_TRY(c->ctx, dnnl_primitive_execute(at->primitive, c->stream, bias ? 5 : 4, args));
    return GLS_OK;
}

static gls_status input_gradient(gls_dnnl_conv *c, int64_t rows, const void *e, const void *packed, void *dx) {
    call *at;
    DNNL_TRY(c->ctx, find_call(c, rows, BACKWARD, &at));
    GLS_TRY(point(c, at, dx, (const char *)packed + c->weights->at[BACKWARD], e));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_DIFF_SRC, at->x},
                                    {DNNL_ARG_WEIGHTS, at->w},
                                    {DNNL_ARG_DIFF_DST, at->y},
                                    {DNNL_ARG_SCRATCHPAD, at->scratch}};
    DNNL_TRY(c->ctx, dnnl_primitive_execute(at->primitive, c->stream, 4, args));
    return GLS_OK;
}

gls_status gls_dnnl_conv_backward(gls_dnnl_conv *c, int64_t rows, const void *e, const void *packed, void *dx) {
    if (!c->form.full_input_gradient) return input_gradient(c, rows, e, packed, dx);
    const gls_conv_shape *s = &c->form.shape;
    bool narrow = c->form.type == dnnl_bf16;
    int64_t element = (int64_t)(narrow ? sizeof(uint16_t) : sizeof(gls_real));
    gls_real *part = (gls_real *)((char *)c->scratch + c->scratch_bytes);
    int64_t in = gls_extent_size(s->in), out = gls_extent_size(s->out), each = piece_rows(c->weights, rows);
    for (int64_t r = 0; r < rows; r += each) {
        int64_t n = gls_least(rows - r, each);
        GLS_TRY(input_gradient(c, n, (const char *)e + r * out * element, packed, part));
        if (narrow)
            gls_storage_add((uint16_t *)dx + r * in, part, n * in);
        else
            gls_add((gls_real *)dx + r * in, part, n * in);
    }
    return GLS_OK;
}

gls_status gls_dnnl_conv_weights(gls_dnnl_conv *c, int64_t rows, const void *x, const void *e, gls_real *own) {
    call *at;
    DNNL_TRY(c->ctx, find_call(c, rows, WEIGHTS, &at));
    GLS_TRY(point(c, at, x, own, e));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, at->x},
                                    {DNNL_ARG_DIFF_WEIGHTS, at->w},
                                    {DNNL_ARG_DIFF_DST, at->y},
                                    {DNNL_ARG_SCRATCHPAD, at->scratch}};
    DNNL_TRY(c->ctx, dnnl_primitive_execute(at->primitive, c->stream, 4, args));
    return GLS_OK;
}

gls_status gls_dnnl_conv_plain(gls_dnnl_conv *c, const gls_real *own, gls_real *plain) {
    DNNL_TRY(c->ctx, dnnl_memory_set_data_handle(c->own, (void *)own));
    DNNL_TRY(c->ctx, dnnl_memory_set_data_handle(c->plain, plain));
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, c->own}, {DNNL_ARG_TO, c->plain}};
    DNNL_TRY(c->ctx, dnnl_primitive_execute(c->to_plain, c->stream, 2, args));
    return GLS_OK;
}

#endif
