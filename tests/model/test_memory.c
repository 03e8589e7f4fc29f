/* No memory, at every allocation in turn: networks fail with GLS_ERR_MEMORY, leave nothing behind, and work again. */
#include "check.h"

typedef struct budget {
    int64_t left, alive; /* allocations that still succeed; blocks held */
    bool limited;
} budget;

static void *allocate(void *user, size_t size, size_t alignment) {
    budget *b = user;
    if (b->limited && b->left-- <= 0) return NULL;
    b->alive++;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release(void *user, void *block, size_t size) {
    ((budget *)user)->alive--;
    free(block);
}

/* A network made, evaluated and asked, as far as memory goes. */
static gls_status use(gls_context *ctx, const char *family, const gls_value *options, const check_data *d) {
    gls_problem *p = NULL;
    gls_point *point = NULL;
    gls_evaluation *e = NULL;
    double norms[8], loss;
    static gls_real w[4096], g[4096], state[256];
    unsigned want = GLS_WANT_GRADIENT | GLS_WANT_NORMS;
    gls_status status = gls_model_create(ctx, family, options, &d->info, &p);
    if (status == GLS_OK) status = gls_problem_initialize(p, 1, w);
    if (status == GLS_OK) status = gls_point_create(p, &point);
    if (status == GLS_OK) status = gls_point_set(point, w);
    if (status == GLS_OK) status = gls_evaluation_create(p, 3, want, GLS_MODE_EVALUATE, &e);
    if (status == GLS_OK) {
        gls_evaluate_args args = {.point = point,
                                  .rows = &d->batch,
                                  .want = want,
                                  .mode = GLS_MODE_EVALUATE,
                                  .state = p->state,
                                  .state_next = state,
                                  .batch_mass = 3,
                                  .batch_rows = 3};
        status = gls_evaluate(e, &args);
    }
    if (status == GLS_OK) status = gls_ask_loss(e, &loss);
    if (status == GLS_OK) status = gls_ask_gradient(e, GLS_PRODUCT_GRADIENT, NULL, g);
    if (status == GLS_OK) status = gls_ask_norms(e, NULL, norms);
    gls_evaluation_destroy(e);
    e = NULL;
    if (status == GLS_OK && p->grows) status = gls_evaluation_create(p, 1, GLS_WANT_NEXT, GLS_MODE_EVALUATE, &e);
    gls_evaluation_destroy(e);
    gls_point_destroy(point);
    gls_problem_destroy(p);
    return status;
}

static void every_allocation_fails_once(void **state) {
    static const struct {
        const char *family, *options;
        bool tokens, padded;
    } samples[] = {{"mlp", "{hidden: [5], dropout: 0.1, init: orthogonal}"},
                   {"resnet", "{depth: 8, width: 2}"},
                   {"layers", "{layers: [{conv: {channels: 16}}, relu, {max_pool: {}}, flatten, {dense: {units: 3}}]}"},
                   {"nplm", "{embedding: 5, hidden: 5, window: 2, tie: true}", true},
                   {"transformer", "{dim: 4, heads: 2, depth: 1}", true, true}};
    static const int32_t document[] = {0, -1, -1, -1, 0, 0, -1, -1, 0, -1, -1, -1}; /* [3, 4] */
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        budget b = {0};
        gls_allocator allocator = {allocate, release, &b};
        gls_context_options how = {.size = sizeof how, .threads = 1, .seed = 1, .allocator = &allocator};
        gls_context *ctx = NULL;
        gls_value *options = NULL;
        assert_int_equal(gls_context_create(&ctx, &how), GLS_OK);
        check_data d = samples[i].tokens ? check_tokens_create(3, 20, 4, 0) : check_data_create(3, 3, 4, 5, 3, 0);
        d.info.documents = samples[i].padded ? GLS_DOCUMENTS_PADDED : GLS_DOCUMENTS_WHOLE;
        d.batch.document = samples[i].padded ? document : NULL;
        assert_int_equal(gls_yaml_parse(ctx, "test", samples[i].options, (int64_t)strlen(samples[i].options), &options),
                         GLS_OK);
        int64_t held = b.alive, allowed = 0;
        gls_status status = GLS_ERR_MEMORY;
        for (; status != GLS_OK; allowed++) {
            b.left = allowed;
            b.limited = true;
            status = use(ctx, samples[i].family, options, &d);
            b.limited = false;
            if (status != GLS_OK && status != GLS_ERR_MEMORY) fail_msg("%s", gls_context_message(ctx));
            assert_int_equal(b.alive, held);
        }
        assert_true(allowed > 20);
        gls_value_destroy(ctx, options);
        check_data_destroy(&d);
        gls_context_destroy(ctx);
        assert_int_equal(b.alive, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_fails_once)};
    return cmocka_run_group_tests_name("network_memory", tests, NULL, NULL);
}
