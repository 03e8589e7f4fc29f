/* How long work takes, so that a run with train.time ends in time: evaluations, steps and checkpoints are timed, and
 * what the end will take is kept back. */
#include <math.h>

#include "base/arith.h"
#include "base/clock.h"
#include "run/loop/run.h"

/* Ours. Of a time limit, the final evaluation of held-out sets may take a half and that of the training set a tenth;
 * what does not fit is left out, and the training set sampled. */
static const double held_out_share = 0.5, training_share = 0.1;
/* Before a checkpoint was timed: so many times the weights are written, at this many bytes a second. */
static const double saved_vectors = 4, disk = 2e8;

/* The first step of a session also starts threads and touches memory: it stands for the others only until there is one.
 */
void gls_pace_step(gls_pace *pace, double seconds, int64_t examples) {
    if (++pace->steps == 2) pace->stepping = pace->stepped = pace->longest = 0;
    pace->stepping += seconds;
    pace->stepped += (double)examples;
    pace->longest = fmax(pace->longest, seconds);
}

gls_status gls_run_evaluate(gls_run *run, const gls_source *set, const gls_real *w, double *loss, double *score) {
    double began = gls_seconds();
    GLS_TRY(gls_training_evaluate(run->training, set, w, loss, score));
    if (!set) return GLS_OK;
    run->pace.evaluating += gls_seconds() - began;
    run->pace.evaluated += (double)set->info.examples;
    return GLS_OK;
}

/* Seconds an example: of evaluations, before there was one of steps, which also go backward; 0 before there was a step.
 */
static double per_example(const gls_pace *pace) {
    if (pace->evaluated > 0) return pace->evaluating / pace->evaluated;
    return pace->stepped > 0 ? pace->stepping / pace->stepped : 0;
}

static double saving(const gls_run *run) {
    if (!run->folder) return 0;
    if (run->pace.saving > 0) return run->pace.saving;
    return saved_vectors * (double)gls_problem_size(run->training->problem) * sizeof(gls_real) / disk;
}

gls_status gls_pace_fitting(gls_run *run, int64_t examples, int64_t *fit) {
    double limit = run->training->train->time;
    *fit = examples;
    if (!(limit > 0)) return GLS_OK;
    /* The slowest rank decides. What is left to write are the final weights. */
    double slow[] = {gls_run_seconds(run) + saving(run), per_example(&run->pace)};
    GLS_TRY(gls_comm_reduce_double(run->ctx, GLS_MAX, slow, 2, GLS_OK));
    double count = slow[1] > 0 ? fmax(0, limit - slow[0]) / slow[1] : INFINITY;
    if (count < (double)examples) *fit = (int64_t)count;
    return GLS_OK;
}

double gls_pace_reserve(const gls_run *run, double limit) {
    const gls_training *t = run->training;
    const gls_source *held_out[] = {t->set.validation, t->set.test};
    double each = per_example(&run->pace), room = held_out_share * limit;
    double seconds = run->pace.longest + 2 * saving(run); /* twice: the checkpoint, and the final weights */
    for (int i = 0; i < 2; i++) {
        double takes = held_out[i] ? each * (double)held_out[i]->info.examples : 0;
        if (takes > room) continue;
        room -= takes;
        seconds += takes;
    }
    int64_t n = t->set.train->info.examples, wanted = t->train->final_train;
    double training = each * (double)(wanted < 0 ? n : gls_least(wanted, n));
    return seconds + fmin(training, training_share * limit);
}
