/* Scores by domain: a set with a `domain` column is evaluated domain by domain at the end of a run. */
#include <math.h>

#include "run/observer/table.h"

enum { MOST_DOMAINS = 1000 }; /* more than anybody reads; a column of other numbers is then not taken for one */

typedef struct scores {
    gls_context *ctx;
    gls_domain_score *domain; /* made at the end, where the data have domains */
    int64_t domains;
} scores;

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
    gls_status status = gls_run_evaluate(run, part, gls_run_output(run), &out->loss, &out->score);
    gls_source_destroy(part);
    return status;
}

static gls_status evaluate(scores *s, gls_run *run, const gls_source *set, const int64_t *domain) {
    int64_t n = set->info.examples, domains = count_domains(domain, n), fit;
    if (domains < 2) return GLS_OK;
    GLS_TRY(gls_pace_fitting(run, n, &fit));
    if (fit < n) return GLS_OK; /* train.time is over before; final.c says so of the set */
    gls_free(run->ctx, s->domain);
    s->domain = gls_alloc(run->ctx, domains, sizeof *s->domain);
    int64_t *index = gls_alloc(run->ctx, n, sizeof *index);
    gls_status status = s->domain && index ? GLS_OK : GLS_ERR_MEMORY;
    s->domains = status == GLS_OK ? domains : 0;
    for (int64_t d = 0; d < domains && status == GLS_OK; d++) {
        s->domain[d].domain = d;
        status = evaluate_domain(run, set, domain, &s->domain[d], index);
    }
    gls_free(run->ctx, index);
    return status;
}

static gls_status end(void *user, gls_run *run, unsigned why) {
    const gls_training_sets *sets = &run->training->set;
    const gls_source *set = sets->test ? sets->test : sets->train;
    const int64_t *domain = gls_source_column(set, "domain");
    return domain && (why & GLS_WHY_END) ? evaluate(user, run, set, domain) : GLS_OK;
}

static void destroy(void *user) {
    scores *s = user;
    gls_free(s->ctx, s->domain);
    gls_free(s->ctx, s);
}

gls_status gls_observe_domains(gls_run *run) {
    scores *s = gls_alloc(run->ctx, 1, sizeof *s);
    if (!s) return GLS_ERR_MEMORY;
    s->ctx = run->ctx;
    return gls_run_observe(run, &(gls_observer){.name = "domains", .user = s, .end = end, .destroy = destroy});
}

const gls_domain_score *gls_run_domains(const gls_run *run, int64_t *count) {
    if (!run || !count) return NULL;
    const scores *s = gls_observers_find(run, "domains");
    *count = s->domains;
    return s->domain;
}
