/* No kind lets a member take the name of another: built-in, registered, or short for one. */
#include "support.h"

#include "comm/exchange.h"
#include "measure/members.h"
#include "model/network.h"
#include "model/op.h"
#include "problem/analytic/oracle_noise.h"
#include "run/config/batch_rules.h"

/* Descriptors begin with the member; what is registered is then never made. */
static gls_status register_member(gls_context *ctx, gls_kind kind, const void *type) {
    switch (kind) {
    case GLS_KIND_PROBLEM:
        return gls_register_problem(ctx, type);
    case GLS_KIND_FAMILY:
        return gls_member_register(ctx, &gls_family_kind, type);
    case GLS_KIND_OP:
        return gls_op_register(ctx, type);
    case GLS_KIND_ESTIMATOR:
        return gls_register_estimator(ctx, type);
    case GLS_KIND_METHOD:
        return gls_register_method(ctx, type);
    case GLS_KIND_SCHEDULE:
        return gls_register_schedule(ctx, type);
    case GLS_KIND_MEASURE:
        return gls_register_measure(ctx, type);
    case GLS_KIND_FORMAT:
        return gls_register_format(ctx, type);
    case GLS_KIND_TRANSFORM:
        return gls_register_transform(ctx, type);
    case GLS_KIND_NOISE:
        return gls_member_register(ctx, &gls_oracle_noise_kind, type);
    case GLS_KIND_EXCHANGE:
        return gls_member_register(ctx, &gls_comm_exchange_kind, type);
    case GLS_KIND_BATCH_RULE:
        return gls_member_register(ctx, &gls_batches_rule_kind, type);
    default:
        fail_msg("a kind without a way to register: %d", (int)kind);
    }
    return GLS_ERR_INTERNAL;
}

static void names_are_taken_once(void **state) {
    gls_context *ctx = *state;
    for (int kind = 0; kind < GLS_KIND_COUNT; kind++) {
        const gls_member *member;
        int64_t count = 0;
        for (; (member = gls_members_at(ctx, (gls_kind)kind, count)); count++) {
            assert_int_equal(register_member(ctx, (gls_kind)kind, member), GLS_ERR_ARGUMENT);
            assert_says(ctx, "exists already");
            assert_says(ctx, member->name);
        }
        if (kind == GLS_KIND_USE) continue; /* parameter uses are part of the engine, nobody adds one */
        assert_true(count > 0);
        /* A method must have a rule: one that is there, under a new name. */
        static gls_method_type own[GLS_KIND_COUNT];
        own[kind] = kind == GLS_KIND_METHOD ? *gls_method_at(ctx, 0) : (gls_method_type){0};
        own[kind].member.name = "my_own";
        assert_ok(ctx, register_member(ctx, (gls_kind)kind, &own[kind]));
        assert_ptr_equal(gls_members_at(ctx, (gls_kind)kind, count), &own[kind].member);
        assert_int_equal(register_member(ctx, (gls_kind)kind, &own[kind]), GLS_ERR_ARGUMENT);
        assert_says(ctx, "'my_own' exists already");
    }
}

static void short_names_are_taken(void **state) {
    static const gls_measure_type noise = {.member = {.name = "noise", .help = "", .source = ""}};
    assert_int_equal(gls_register_measure(*state, &noise), GLS_ERR_ARGUMENT);
    assert_says(*state, "measure 'noise' exists already, as short for 'noise_norm'");
}

static int setup(void **state) {
    *state = make_context(1, 1);
    return 0;
}

static int teardown(void **state) {
    gls_context_destroy(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_taken_once, setup, teardown),
        cmocka_unit_test_setup_teardown(short_names_are_taken, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
