/* One process: every verb is there and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <glissade/comm.h>
#include <stdlib.h>

#include "comm/comm.h"

static void no_launcher_means_one_process(void **state) {
    static const char *const sign[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"};
    for (int i = 0; i < 3; i++) unsetenv(sign[i]);
    gls_comm *comm;
    assert_int_equal(gls_comm_create(&comm), GLS_OK);
    assert_int_equal(gls_comm_rank(comm), 0);
    assert_int_equal(gls_comm_size(comm), 1);
    gls_comm_destroy(comm);
    assert_int_equal(gls_comm_create_single(&comm), GLS_OK);
    assert_int_equal(gls_comm_size(comm), 1);
    gls_comm_destroy(comm);
    gls_comm_destroy(NULL);
    assert_int_equal(gls_comm_rank(NULL), 0);
    assert_int_equal(gls_comm_size(NULL), 1);
}

static void reductions_of_one_are_the_same_data(void **state) {
    gls_comm *comm;
    assert_int_equal(gls_comm_create_single(&comm), GLS_OK);
    for (int with = 0; with < 2; with++) {
        gls_context_options options = {sizeof options, .threads = 1, .comm = with ? comm : NULL};
        gls_context *ctx;
        assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
        gls_real r[2] = {1, 2};
        double d[2] = {3, 4};
        int64_t i[2] = {5, 6};
        assert_int_equal(gls_comm_reduce_real(ctx, GLS_SUM, r, 2, GLS_OK), GLS_OK);
        assert_int_equal(gls_comm_reduce_double(ctx, GLS_MAX, d, 2, GLS_OK), GLS_OK);
        assert_int_equal(gls_comm_reduce_int64(ctx, GLS_MIN, i, 2, GLS_OK), GLS_OK);
        assert_int_equal(gls_comm_broadcast(ctx, d, sizeof d, 0, GLS_OK), GLS_OK);
        assert_true(r[1] == 2 && d[1] == 4 && i[1] == 6);
        /* A failure of one's own comes back as it is. */
        assert_int_equal(gls_comm_reduce_real(ctx, GLS_SUM, r, 2, GLS_ERR_INPUT), GLS_ERR_INPUT);
        assert_int_equal(gls_comm_broadcast(ctx, d, sizeof d, 0, GLS_ERR_FILE), GLS_ERR_FILE);
        assert_int_equal(gls_comm_agree(ctx, GLS_OK), GLS_OK);
        assert_int_equal(gls_comm_agree(ctx, GLS_ERR_MEMORY), GLS_ERR_MEMORY);
        assert_int_equal(gls_comm_broadcast(ctx, d, sizeof d, 1, GLS_OK), GLS_ERR_ARGUMENT);
        gls_context_destroy(ctx);
    }
    gls_comm_destroy(comm);
}

/* ---- a rank that is lost ---- */

static int asked;

static bool lost_reduce(gls_comm *comm, gls_reduce op, gls_comm_element element, void *x, int64_t n, gls_status mine,
                        int *failed, gls_status *theirs) {
    asked++;
    return false;
}

static bool lost_broadcast(gls_comm *comm, void *data, int64_t bytes, int root, gls_status mine, int *failed,
                           gls_status *theirs) {
    asked++;
    return false;
}

static void keep(gls_comm *comm) {
    (void)comm;
}

/* After the first failure nobody is asked again: that would be to wait for ever. */
static void a_lost_rank_is_not_asked_again(void **state) {
    static const gls_comm_ops ops = {.reduce = lost_reduce, .broadcast = lost_broadcast, .destroy = keep};
    gls_comm comm = {.ops = &ops, .size = 2};
    gls_context_options options = {sizeof options, .threads = 1, .comm = &comm};
    gls_context *ctx;
    int64_t x = 0;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    assert_int_equal(gls_comm_reduce_int64(ctx, GLS_SUM, &x, 1, GLS_OK), GLS_ERR_COMM);
    assert_int_equal(asked, 1);
    assert_int_equal(gls_comm_reduce_int64(ctx, GLS_SUM, &x, 1, GLS_OK), GLS_ERR_COMM);
    assert_int_equal(gls_comm_broadcast(ctx, &x, sizeof x, 0, GLS_OK), GLS_ERR_COMM);
    assert_int_equal(gls_comm_agree(ctx, GLS_ERR_INPUT), GLS_ERR_INPUT);
    assert_int_equal(asked, 1);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_rank_is_not_asked_again),
        cmocka_unit_test(no_launcher_means_one_process),
        cmocka_unit_test(reductions_of_one_are_the_same_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
