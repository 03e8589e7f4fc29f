/* Predictions of `scale` from models made by hand: against a simulation of parts on a link, and where steps were
 * measured whole. */
#include "support.h"

#include <glissade/search.h>

#include <math.h>

/* Seconds of a step whose gradient becomes final part by part during the last `overlap` of computing; each part is
 * worked on by the processor, which does one thing at a time, and then takes its turn on the link. */
static double simulate(double compute, double overlap, double work, double link, int parts) {
    double processor = (1 - overlap) * compute, wire = 0;
    for (int k = 0; k < parts; k++) {
        processor += overlap * compute / parts + work / parts;
        wire = fmax(wire, processor) + link / parts;
    }
    return fmax(processor, wire);
}

static gls_comm_exchange *exchange_of(gls_context *ctx, const char *name, int64_t size) {
    gls_comm_exchange *x;
    gls_value spec = {.kind = GLS_VALUE_TEXT, .text = (char *)(uintptr_t)name};
    assert_int_equal(gls_comm_exchange_create(ctx, &spec, size, 1, &x), GLS_OK);
    return x;
}

enum { D = 200000 };

static void parts_are_a_pipeline(void **state) {
    (void)state;
    static const double works[] = {0, 0.002, 0.01, 0.05}, overlaps[] = {0, 0.3, 0.9}, links[] = {0.004, 0.02, 0.2};
    gls_context *ctx;
    gls_context_options options = {.size = sizeof options};
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    gls_scaling_way way = {.name = "bf16", .law = true, .exchange = exchange_of(ctx, "bf16", D)};
    double bytes = gls_comm_exchange_cost(way.exchange, 2).bytes, compute = 0.01;
    for (int i = 0; i < 4 * 3 * 3; i++) {
        double work = works[i / 9], overlap = overlaps[i / 3 % 3], link = links[i % 3];
        for (int k = 0; k < GLS_SCALING_WORKS; k++) way.work[k] = work;
        gls_scaling_model m = {.examples = 1000,
                               .parameters = D,
                               .ranks = 2,
                               .rows = 10,
                               .row_time = compute / 10,
                               .overlap = overlap,
                               .latency = 1e-9,
                               .bandwidth = 1e9,
                               .sum_bandwidth = bytes / link,
                               .bound = 100,
                               .passes = NAN};
        gls_scaling_row row;
        gls_scaling_predict(&m, &way, 2, 10, &row);
        int parts = 200;
        double simulated = simulate(compute, overlap, work, link, parts);
        /* The first part's way into the pipeline, or the last one's out of it. */
        double slack = (overlap * compute + work + link) / parts + 1e-6;
        if (fabs(row.step_seconds - simulated) > slack)
            fail_msg("work %g, overlap %g, link %g: %g, simulated %g", work, overlap, link, row.step_seconds,
                     simulated);
    }
    gls_comm_exchange_destroy(way.exchange);
    gls_context_destroy(ctx);
}

/* At the ranks that measured, a whole step is what was found; elsewhere the parts are stretched alike. With a network
 * that was not measured there is nothing to stretch. */
static void whole_steps_are_what_was_found(void **state) {
    (void)state;
    gls_context *ctx;
    gls_context_options options = {.size = sizeof options};
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    gls_scaling_way way = {.name = "topk", .exchange = exchange_of(ctx, "topk", D), .measured = 0.03};
    for (int k = 0; k < GLS_SCALING_WORKS; k++) way.work[k] = 0.004 + 0.001 * k;
    gls_scaling_model m = {.examples = 1000,
                           .parameters = D,
                           .ranks = 3,
                           .rows = 10,
                           .row_time = 1e-3,
                           .latency = 1e-3,
                           .bandwidth = 1e7,
                           .bound = 100,
                           .passes = NAN};
    gls_scaling_row row;
    gls_scaling_predict(&m, &way, 3, 10, &row);
    assert_true(fabs(row.step_seconds - (0.01 + 6e-3 + 0.03)) < 1e-12);
    gls_scaling_predict(&m, &way, 3, 20, &row);
    assert_true(fabs(row.step_seconds - (0.02 + 6e-3 + 0.03)) < 1e-12);
    double c = gls_comm_exchange_cost(way.exchange, 2).bytes, once = 1e-3 + c / 1e7;
    double three = 2 * once + 0.005, four = 3 * once + 0.006;
    gls_scaling_predict(&m, &way, 4, 10, &row);
    assert_true(fabs(row.step_seconds - (0.01 + 6e-3 + 0.03 * four / three)) < 1e-9);
    gls_scaling_predict(&m, &way, 1, 10, &row);
    assert_true(fabs(row.step_seconds - 0.01) < 1e-12);
    m.network = GLS_SCALING_TREE;
    gls_scaling_predict(&m, &way, 3, 10, &row);
    assert_true(fabs(row.step_seconds - (0.01 + 4 * once + 6e-3 + 0.005)) < 1e-9);
    gls_comm_exchange_destroy(way.exchange);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_a_pipeline),
        cmocka_unit_test(whole_steps_are_what_was_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
