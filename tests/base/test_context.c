#include "support.h"

#include <sched.h>
#include <signal.h>

static void refuses_wrong_sizes_and_versions(void **state) {
    gls_context *ctx = (gls_context *)1;
    gls_context_options options = {sizeof options};
    assert_int_equal(gls_context_create_checked(&ctx, NULL, sizeof(gls_real) + 4, GLS_VERSION), GLS_ERR_ARGUMENT);
    assert_null(ctx);
    assert_int_equal(gls_context_create_checked(&ctx, NULL, sizeof(gls_real), GLS_VERSION + 10000), GLS_ERR_ARGUMENT);
    options.size = sizeof options + 8;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_ERR_ARGUMENT);
    options.size = sizeof options;
    options.threads = -1;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_ERR_ARGUMENT);
}

static void threads_default_to_the_processors_allowed(void **state) {
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &before)) {
            CPU_SET(cpu, &one);
            break;
        }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    gls_context *ctx;
    assert_int_equal(gls_context_create(&ctx, NULL), GLS_OK);
    assert_int_equal(gls_context_threads(ctx), 1);
    gls_context_destroy(ctx);
    sched_setaffinity(0, sizeof before, &before);
    assert_int_equal(gls_context_create(&ctx, NULL), GLS_OK);
    assert_int_equal(gls_context_threads(ctx), CPU_COUNT(&before));
    gls_context_destroy(ctx);
}

static void message_may_quote_the_message_before(void **state) {
    gls_context *ctx;
    assert_int_equal(gls_context_create(&ctx, NULL), GLS_OK);
    assert_string_equal(gls_context_message(ctx), "");
    assert_int_equal(gls_fail(ctx, GLS_ERR_INPUT, "%s:%d: broken", "a.txt", 3), GLS_ERR_INPUT);
    gls_fail(ctx, GLS_ERR_INPUT, "reading: %s", gls_context_message(ctx));
    assert_string_equal(gls_context_message(ctx), "reading: a.txt:3: broken");
    char longer[5000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    gls_fail(ctx, GLS_ERR_INPUT, "%s", longer);
    assert_true(strlen(gls_context_message(ctx)) < sizeof longer);
    assert_int_equal(gls_fail_callback(ctx, 42, "the objective"), GLS_ERR_CALLBACK);
    assert_int_equal(gls_context_callback_code(ctx), 42);
    assert_says(ctx, "the objective returned 42");
    gls_context_destroy(ctx);
}

static void every_status_has_a_name(void **state) {
    for (int a = GLS_OK; a <= GLS_ERR_INTERNAL; a++)
        for (int b = GLS_OK; b < a; b++)
            assert_string_not_equal(gls_status_name((gls_status)a), gls_status_name((gls_status)b));
    assert_non_null(gls_status_name((gls_status)99));
}

typedef struct seen {
    int count;
    gls_log_level level;
    char text[64];
} seen;

static void keep(void *user, gls_log_level level, const char *message) {
    seen *s = user;
    s->count++;
    s->level = level;
    snprintf(s->text, sizeof s->text, "%s", message);
}

static void log_goes_to_the_callers_function(void **state) {
    seen s = {0};
    gls_context_options options = {sizeof options, .log = keep, .log_user = &s, .seed = 5, .portable = true};
    gls_context *ctx;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    gls_log(ctx, GLS_LOG_WARNING, "%d lines", 3);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.level, GLS_LOG_WARNING);
    assert_string_equal(s.text, "3 lines");
    assert_int_equal(gls_context_seed(ctx), 5);
    assert_true(gls_context_portable(ctx));
    assert_null(gls_context_comm(ctx));
    gls_context_destroy(ctx);
}

static void environment_asks_for_the_portable_path(void **state) {
    gls_context *ctx;
    const char *kept = getenv("GLS_CPU");
    char *before = kept ? strdup(kept) : NULL;
    setenv("GLS_CPU", "portable", 1);
    assert_int_equal(gls_context_create(&ctx, NULL), GLS_OK);
    assert_true(gls_context_portable(ctx));
    gls_context_destroy(ctx);
    unsetenv("GLS_CPU");
    assert_int_equal(gls_context_create(&ctx, NULL), GLS_OK);
    assert_false(gls_context_portable(ctx));
    gls_context_destroy(ctx);
    if (before) setenv("GLS_CPU", before, 1);
    free(before);
}

static gls_context *interrupted_by_signal;
static void handler(int number) {
    gls_interrupt(interrupted_by_signal);
}

static void interrupt_may_come_from_a_signal_handler(void **state) {
    assert_int_equal(gls_context_create(&interrupted_by_signal, NULL), GLS_OK);
    assert_false(gls_interrupted(interrupted_by_signal));
    void (*before)(int) = signal(SIGUSR1, handler);
    raise(SIGUSR1);
    signal(SIGUSR1, before);
    assert_true(gls_interrupted(interrupted_by_signal));
    gls_interrupt_clear(interrupted_by_signal);
    assert_false(gls_interrupted(interrupted_by_signal));
    gls_context_destroy(interrupted_by_signal);
}

static bool all_zero(const unsigned char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i]) return false;
    return true;
}

static void blocks_are_zero_and_aligned(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    unsigned char *a = gls_alloc(ctx, 100, 3);
    assert_int_equal((uintptr_t)a % 64, 0);
    assert_true(all_zero(a, 300));
    memset(a, 1, 300);
    a = gls_resize(ctx, a, 1000, 3);
    assert_int_equal((uintptr_t)a % 64, 0);
    for (int i = 0; i < 300; i++) assert_int_equal(a[i], 1);
    assert_true(all_zero(a + 300, 2700));
    a = gls_resize(ctx, a, 10, 1);
    a = gls_resize(ctx, a, 20, 1);
    assert_true(all_zero(a + 10, 10)); /* what was cut off does not come back */
    void *empty = gls_alloc(ctx, 0, 8);
    assert_non_null(empty);
    gls_free(ctx, empty);
    gls_free(ctx, a);
    gls_free(ctx, NULL);
    counting_end(&c, ctx);
}

static void sizes_that_overflow_are_refused(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_arena *arena;
    assert_int_equal(gls_arena_create(ctx, &arena), GLS_OK);
    static const struct {
        int64_t count;
        size_t size;
    } bad[] = {{INT64_MAX, 8}, {INT64_MAX, 1}, {-1, 1}, {(int64_t)1 << 32, (size_t)1 << 32}, {1, SIZE_MAX}};
    void *block = gls_alloc(ctx, 4, 4);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(gls_alloc(ctx, bad[i].count, bad[i].size));
        assert_null(gls_resize(ctx, block, bad[i].count, bad[i].size));
        assert_null(gls_arena_alloc(arena, bad[i].count, bad[i].size));
        assert_string_not_equal(gls_context_message(ctx), "");
    }
    gls_free(ctx, block);
    gls_arena_destroy(arena);
    counting_end(&c, ctx);
}

static void failed_resize_leaves_the_block(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    char *block = gls_strdup(ctx, "kept");
    c.left = 0;
    assert_null(gls_resize(ctx, block, 1000, 1));
    assert_null(gls_strdup(ctx, "x"));
    assert_null(gls_sprintf(ctx, "%d", 1));
    assert_says(ctx, "out of memory");
    c.left = -1;
    assert_string_equal(block, "kept");
    char *text = gls_sprintf(ctx, "%s-%d", block, 12);
    assert_string_equal(text, "kept-12");
    gls_free(ctx, text);
    gls_free(ctx, block);
    counting_end(&c, ctx);
}

static void context_survives_no_memory(void **state) {
    for (int granted = 0; granted < 2; granted++) {
        counting c = {.left = granted};
        gls_allocator allocator = {counting_allocate, counting_release, &c};
        gls_context_options options = {sizeof options, .threads = 2, .allocator = &allocator};
        gls_context *ctx;
        assert_int_equal(gls_context_create(&ctx, &options), GLS_ERR_MEMORY);
        assert_null(ctx);
        assert_int_equal(c.live, 0);
    }
}

static void arena_keeps_its_memory(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, 1);
    gls_arena *arena;
    assert_int_equal(gls_arena_create(ctx, &arena), GLS_OK);
    static const int64_t sizes[] = {1, 63, 64, 65, 1000, 3000000, 0, 7};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    int64_t after_first = 0;
    for (int round = 0; round < 3; round++) {
        unsigned char *block[COUNT];
        for (int i = 0; i < COUNT; i++) {
            block[i] = gls_arena_alloc(arena, sizes[i], 1);
            assert_non_null(block[i]);
            assert_int_equal((uintptr_t)block[i] % 64, 0);
            memset(block[i], i, (size_t)sizes[i]);
        }
        for (int i = 0; i < COUNT; i++)
            for (int64_t j = 0; j < sizes[i]; j++)
                if (block[i][j] != i) fail_msg("block %d was overwritten", i);
        if (round == 0) after_first = c.live;
        assert_int_equal(c.live, after_first);
        gls_arena_reset(arena);
    }
    gls_arena_destroy(arena);
    gls_arena_destroy(NULL);
    counting_end(&c, ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_wrong_sizes_and_versions),
        cmocka_unit_test(threads_default_to_the_processors_allowed),
        cmocka_unit_test(message_may_quote_the_message_before),
        cmocka_unit_test(every_status_has_a_name),
        cmocka_unit_test(log_goes_to_the_callers_function),
        cmocka_unit_test(environment_asks_for_the_portable_path),
        cmocka_unit_test(interrupt_may_come_from_a_signal_handler),
        cmocka_unit_test(blocks_are_zero_and_aligned),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(failed_resize_leaves_the_block),
        cmocka_unit_test(context_survives_no_memory),
        cmocka_unit_test(arena_keeps_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
