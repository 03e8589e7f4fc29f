/* How far all runs are, over all lanes that work at them. */
#include <string.h>
#include <time.h>

#include "experiment/experiment.h"

static const double between_shows = 0.1; /* seconds */

double gls_experiment_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void show_locked(gls_experiment_runner *r, double t) {
    gls_experiment_meter *m = r->meter;
    double begun = 0;
    for (int i = 0; i < r->lanes; i++) begun += m->share[i];
    double done = (double)m->now.done + begun, mine = (double)m->fresh + begun;
    m->shown = t;
    m->now.arm = r->arm;
    m->now.what = *r->what ? r->what : NULL;
    m->now.share = m->now.runs ? done / (double)m->now.runs : 0;
    m->now.seconds = t - m->began;
    m->now.seconds_left = mine > 0.1 ? m->now.seconds / mine * ((double)m->now.runs - done) : -1;
    r->options->progress(r->options->user, &m->now);
}

void gls_experiment_meter_show(void *user, double share) {
    gls_experiment_runner *r = user;
    gls_experiment_meter *m = r->meter;
    double t = gls_experiment_now();
    pthread_mutex_lock(&m->lock);
    m->share[r->lane] = share;
    if (r->options->progress && (share <= 0 || t - m->shown >= between_shows)) show_locked(r, t);
    pthread_mutex_unlock(&m->lock);
}

void gls_experiment_meter_count(gls_experiment_runner *r) {
    pthread_mutex_lock(&r->meter->lock);
    r->meter->share[r->lane] = 0;
    r->meter->now.done++;
    pthread_mutex_unlock(&r->meter->lock);
}

void gls_experiment_meter_add(gls_experiment_runner *r, int64_t runs, int64_t fresh) {
    pthread_mutex_lock(&r->meter->lock);
    r->meter->now.runs += runs;
    r->meter->fresh += fresh;
    pthread_mutex_unlock(&r->meter->lock);
}
