/* Work side by side: each item once, whatever the lanes; one failure ends all with its sentence. */
#include "support.h"

#include <stdatomic.h>

#include "base/side.h"

enum { ITEMS = 200 };

typedef struct work {
    gls_context *caller;
    atomic_int times[ITEMS];
    atomic_int done;
    int fails, interrupts; /* at that item; -1: nowhere */
    bool foreign;          /* a lane had the caller's context */
} work;

static gls_status count(void *user, gls_context *own, int lane, int64_t item) {
    work *w = user;
    w->foreign |= own == w->caller;
    assert_true(lane >= 0 && lane < 4);
    atomic_fetch_add(&w->times[item], 1);
    atomic_fetch_add(&w->done, 1);
    if (item == w->interrupts) gls_interrupt(w->caller);
    return item == w->fails ? gls_fail(own, GLS_ERR_INPUT, "item %d is bad", (int)item) : GLS_OK;
}

static void every_item_is_done_once(void **state) {
    (void)state;
    for (int lanes = 0; lanes <= 4; lanes++) {
        gls_context *ctx = NULL;
        assert_int_equal(gls_context_create(&ctx, NULL), GLS_OK);
        work w = {.caller = ctx, .fails = -1, .interrupts = -1};
        assert_int_equal(gls_side_by_side(ctx, lanes, ITEMS, count, &w), GLS_OK);
        for (int i = 0; i < ITEMS; i++) assert_int_equal(atomic_load(&w.times[i]), 1);
        assert_int_equal(w.foreign, lanes <= 1);
        assert_int_equal(gls_side_by_side(ctx, lanes, 0, count, &w), GLS_OK);
        assert_int_equal(atomic_load(&w.done), ITEMS);
        gls_context_destroy(ctx);
    }
}

static void a_failure_ends_all(void **state) {
    (void)state;
    for (int lanes = 1; lanes <= 4; lanes++) {
        gls_context *ctx = NULL;
        assert_int_equal(gls_context_create(&ctx, NULL), GLS_OK);
        work w = {.caller = ctx, .fails = 20, .interrupts = -1};
        assert_int_equal(gls_side_by_side(ctx, lanes, ITEMS, count, &w), GLS_ERR_INPUT);
        assert_string_equal(gls_context_message(ctx), "item 20 is bad");
        for (int i = 0; i <= 20; i++) assert_int_equal(atomic_load(&w.times[i]), 1);
        if (lanes == 1) assert_int_equal(atomic_load(&w.done), 21);
        assert_false(gls_interrupted(ctx));
        gls_context_destroy(ctx);
    }
}

static void an_interruption_begins_nothing_more(void **state) {
    (void)state;
    for (int lanes = 1; lanes <= 4; lanes++) {
        gls_context *ctx = NULL;
        assert_int_equal(gls_context_create(&ctx, NULL), GLS_OK);
        work w = {.caller = ctx, .fails = -1, .interrupts = 5};
        assert_int_equal(gls_side_by_side(ctx, lanes, ITEMS, count, &w), GLS_ERR_INTERRUPTED);
        if (lanes == 1) assert_int_equal(atomic_load(&w.done), 6);
        gls_context_destroy(ctx);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_item_is_done_once), cmocka_unit_test(a_failure_ends_all),
                                       cmocka_unit_test(an_interruption_begins_nothing_more)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
