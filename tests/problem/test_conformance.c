/* The suite over every registered problem, and over the awkward ones. */
#include "problem/awkward.h"
#include "problem/conformance.h"
#include "problem/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "problem/evaluation.h"

typedef struct recipe {
    const gls_problem_type *type;
    const char *name, *l2;
    const gls_data_info *data;
} recipe;

static gls_status make_named(gls_context *ctx, const void *user, gls_problem **out) {
    const recipe *r = user;
    gls_value *map = gls_value_create(ctx, GLS_VALUE_MAP, NULL, NULL);
    gls_status status = GLS_OK;
    if (r->l2) status = gls_value_append(ctx, map, gls_value_create(ctx, GLS_VALUE_TEXT, "l2", r->l2));
    if (status == GLS_OK) status = gls_problem_create(ctx, r->name, map, r->data, out);
    gls_value_destroy(ctx, map);
    return status;
}

static gls_status make_type(gls_context *ctx, const void *user, gls_problem **out) {
    const recipe *r = user;
    return gls_problem_create_type(ctx, r->type, NULL, r->data, out);
}

/* Forms of data that a problem may be made for; a problem must accept one of them. */
static const struct form {
    const char *name;
    int64_t rows, features, classes, targets;
    bool sparse, masses, none, mixed;
} forms[] = {
    {"two classes, dense", 23, 9, 2, 0, false, false, false},
    {"two classes, sparse, masses", 19, 31, 2, 0, true, true, false},
    {"five classes, dense, masses", 17, 8, 5, 0, false, true, false},
    {"five classes, sparse", 21, 40, 5, 0, true, false, false},
    {"twenty classes, dense, tiled", 9, 1700, 20, 0, false, false, false},
    {"twenty classes, sparse, tiled", 9, 1700, 20, 0, true, true, false},
    {"three targets, dense", 15, 7, 0, 3, false, true, false},
    {"one target, sparse", 16, 12, 0, 1, true, false, false},
    {"two classes, mixed", 18, 7, 2, 0, false, true, false, true},
    {"four classes, mixed", 18, 7, 4, 0, false, false, false, true},
    {"no data", 1, 0, 0, 0, false, false, true},
};

static bool takes(const recipe *r) {
    gls_context *ctx = conformance_context(1);
    gls_problem *p = NULL;
    gls_status status = make_named(ctx, r, &p);
    gls_problem_destroy(p);
    gls_context_destroy(ctx);
    return status == GLS_OK;
}

static int check_form(const char *name, const struct form *form, const char *l2) {
    made_rows rows;
    rows_make(&rows, form->rows, form->features, form->sparse, form->classes, form->targets, form->masses);
    if (form->mixed) rows_mix(&rows);
    recipe r = {.name = name, .l2 = l2, .data = form->none ? NULL : &rows.info};
    int taken = takes(&r);
    if (taken) {
        char title[200];
        snprintf(title, sizeof(title), "%s on %s, l2 %s", name, form->name, l2 ? l2 : "0");
        conformance c = {.name = title, .make = make_named, .user = &r, .batch = &rows.batch, .spread = 0.3};
        conformance_check(&c);
    }
    rows_free(&rows);
    return taken;
}

static void every_registered_problem(void **state) {
    gls_context *ctx = conformance_context(1);
    const gls_member *member;
    for (int64_t i = 0; (member = gls_member_at(ctx, &gls_problem_kind, i)); i++) {
        int taken = 0;
        for (size_t f = 0; f < sizeof(forms) / sizeof *forms; f++) taken += check_form(member->name, &forms[f], NULL);
        if (!taken) fail_msg("'%s' takes no form of data", member->name);
    }
    gls_context_destroy(ctx);
}

static void l2_is_part_of_every_example(void **state) {
    static const char *const names[] = {"least_squares", "logistic", "softmax", "smoothed_hinge"};
    for (int k = 0; k < 4; k++) {
        int taken = 0;
        for (size_t f = 0; f < 7; f++) taken += check_form(names[k], &forms[f], "0.3");
        assert_true(taken > 1);
    }
}

static void awkward(const gls_problem_type *type, bool masses) {
    made_rows rows;
    rows_make(&rows, 27, 6, false, 0, 2, masses);
    recipe r = {.type = type, .data = &rows.info};
    conformance c = {.name = type->member.name, .make = make_type, .user = &r, .batch = &rows.batch, .spread = 0.4};
    conformance_check(&c);
    rows_free(&rows);
}

static void short_way(void **state) {
    awkward(&awkward_short, false);
}
static void short_way_unequal_masses(void **state) {
    awkward(&awkward_short, true);
}
static void random_masks(void **state) {
    awkward(&awkward_masked, false);
}
static void row_sparse_gradient(void **state) {
    awkward(&awkward_rowsparse, true);
}
static void carried_state(void **state) {
    awkward(&awkward_stateful, false);
}
static void coupled_in_stages(void **state) {
    awkward(&awkward_coupled, false);
}
static void coupled_in_groups(void **state) {
    awkward(&awkward_grouped, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_registered_problem),
        cmocka_unit_test(l2_is_part_of_every_example),
        cmocka_unit_test(short_way),
        cmocka_unit_test(short_way_unequal_masses),
        cmocka_unit_test(random_masks),
        cmocka_unit_test(row_sparse_gradient),
        cmocka_unit_test(carried_state),
        cmocka_unit_test(coupled_in_stages),
        cmocka_unit_test(coupled_in_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
