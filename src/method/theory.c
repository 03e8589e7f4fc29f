/* Values that theorems give: docs/methods.md, "Values from theory". Finds a theorem, reads its inputs, checks its
 * conditions; the formulas are in theorem/, one file a source. */
#include "method/table.h"
#include "method/theorem/theorem.h"

#include <string.h>

static const gls_theorem *const tables[] = {gls_theorem_diversity, gls_theorem_sngm,      gls_theorem_heavy,
                                            gls_theorem_relaxed,   gls_theorem_nonsmooth, gls_theorem_draggers};

const gls_theorem *gls_theorem_at(int64_t i) {
    if (i < 0) return NULL;
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const gls_theorem *theorem = tables[t]; theorem->member.name; theorem++)
            if (i-- == 0) return theorem;
    return NULL;
}

static const char *name_at(const void *user, int64_t i) {
    const gls_theorem *theorem = gls_theorem_at(i);
    return theorem ? theorem->member.name : NULL;
}

const gls_theorem *gls_theorem_named(const char *name) {
    for (int64_t i = 0; gls_theorem_at(i); i++)
        if (strcmp(gls_theorem_at(i)->member.name, name) == 0) return gls_theorem_at(i);
    return NULL;
}

static gls_status check(gls_context *ctx, const gls_theorem *theorem, const void *inputs, const gls_record *values) {
    for (const gls_theorem_condition *c = theorem->conditions; c && c->text; c++) {
        double side[2];
        c->sides(inputs, values, side);
        if (c->strict ? side[0] < side[1] : side[0] <= side[1]) continue;
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "theorem %s needs %s; here the two sides are %.6g and %.6g",
                        theorem->member.name, c->text, side[0], side[1]);
    }
    return GLS_OK;
}

gls_status gls_theory_values(gls_context *ctx, const gls_value *given, gls_record *out) {
    GLS_GIVEN(ctx, ctx, out);
    const gls_value *name = gls_value_get(given, "theorem");
    if (!name || !name->text)
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "from_theory: expected {theorem: name, ...} with the theorem's inputs");
    const gls_theorem *theorem = gls_theorem_named(name->text);
    if (!theorem) {
        const char *nearest = gls_nearest(name->text, name_at, NULL);
        return gls_fail(ctx, GLS_ERR_ARGUMENT, "from_theory: unknown theorem '%s'%s%s%s", name->text,
                        nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    }
    gls_options *options;
    const gls_member *member = &theorem->member;
    gls_record_clear(out);
    GLS_TRY(gls_member_options(ctx, member, member->name, given, (const char *const[]){"theorem", "gives", NULL},
                               &options));
    theorem->compute(gls_options_struct(options), out);
    gls_status status = check(ctx, theorem, gls_options_struct(options), out);
    gls_options_destroy(options);
    return status;
}
