/* Scores by domain: a set with a `domain` column is evaluated domain by domain at the end of a run. */
#include <math.h>

#include "run/loop/trainer.h"

enum { MOST_DOMAINS = 1000 };

static int64_t count_domains(const int64_t *domain, int64_t n) {
    int64_t domains = 0;
    for (int64_t i = 0; i < n; i++) {
        if (domain[i] < 0 || domain[i] >= MOST_DOMAINS) return 0;
        if (domain[i] >= domains) domains = domain[i] + 1;
    }
    return domains;
}

static gls_status evaluate_domain(gls_run *run, const gls_source *set, const int64_t *domain, gls_domain_score *out,
                                  int64_t *index) {
    int64_t count = 0;
    for (int64_t i = 0; i < set->info.examples; i++)
        if (domain[i] == out->domain) index[count++] = i;
    out->examples = count;
    out->loss = out->score = NAN;
    if (!count) return GLS_OK;
    gls_source *part = NULL;
    GLS_TRY(gls_source_subset(run->ctx, set, index, count, &part));
    gls_status status = gls_evaluate_set(run, part, gls_run_output(run), &out->loss, &out->score);
    gls_source_destroy(part);
    return status;
}

gls_status gls_run_evaluate_domains(gls_run *run) {
    const gls_source *set = run->test_set ? run->test_set : run->train_set;
    const int64_t *domain = gls_source_column(set, "domain");
    int64_t n = set->info.examples, domains = domain ? count_domains(domain, n) : 0;
    if (domains < 2) return GLS_OK;
    gls_free(run->ctx, run->domain);
    run->domain = gls_alloc(run->ctx, domains, sizeof *run->domain);
    int64_t *index = gls_alloc(run->ctx, n, sizeof *index);
    gls_status status = run->domain && index ? GLS_OK : GLS_ERR_MEMORY;
    run->domains = status == GLS_OK ? domains : 0;
    for (int64_t d = 0; d < domains && status == GLS_OK; d++) {
        run->domain[d].domain = d;
        status = evaluate_domain(run, set, domain, &run->domain[d], index);
    }
    gls_free(run->ctx, index);
    return status;
}

const gls_domain_score *gls_run_domains(const gls_run *run, int64_t *count) {
    *count = run->domains;
    return run->domain;
}
