/* The team: tasks are dealt in order to the context's threads, and the status and message are those of the lowest
 * failing task, whichever thread ran it. */
#include "base/context.h"
#include "base/parallel.h"

#include <dlfcn.h>
#include <omp.h>

/* A forked process has one thread, but OpenMP there would still wait for those it knows of. So the thread that forks
 * gives up its team before, and both processes make one anew when they need it. Registered when the library is loaded.
 * The runtime may be an older one that was there before, such as that of PyTorch 2.4's wheel, which does not know
 * OpenMP 5: the function is looked up, and without it regions of the forked process have one thread. */
typedef int pause_team(omp_pause_resource_t);

static pause_team *known_pause(void) {
    pause_team *pause;
    *(void **)&pause = dlsym(RTLD_DEFAULT, "omp_pause_resource_all");
    return pause;
}

static void give_up_team(void) {
    pause_team *pause = known_pause();
    if (pause) pause(omp_pause_soft);
}

static void stay_alone(void) {
    if (!known_pause()) omp_set_max_active_levels(0);
}

__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(give_up_team, NULL, stay_alone);
}

/* What other threads had begun in this context is not going on in a process that was forked meanwhile. */
static void notice_fork(gls_context *ctx) {
    pid_t here = gls_context_process(ctx);
    if (here == ctx->process) return;
    ctx->process = here;
    atomic_store(&ctx->busy, false);
}

int gls_omp_one(void) {
    int before = omp_get_max_threads();
    if (before != 1) omp_set_num_threads(1);
    return before;
}

void gls_omp_restore(int before) {
    if (before != 1) omp_set_num_threads(before);
}

gls_worker *gls_context_worker(const gls_context *ctx) {
    if (!atomic_load_explicit(&ctx->busy, memory_order_acquire)) return NULL;
    pthread_t self = pthread_self();
    for (int i = 0; i < ctx->threads; i++)
        if (atomic_load_explicit(&ctx->worker[i].active, memory_order_acquire) &&
            pthread_equal(ctx->worker[i].thread, self))
            return &ctx->worker[i];
    return NULL;
}

/* The tasks one after another in the calling thread: inside a task, or beside the team. */
static gls_status run_here(int64_t tasks, gls_task_fn fn, void *user, int worker) {
    int before = gls_omp_one();
    gls_status status = GLS_OK;
    for (int64_t task = 0; task < tasks && status == GLS_OK; task++) status = fn(user, task, worker);
    gls_omp_restore(before);
    return status;
}

typedef struct region {
    int64_t tasks;
    gls_task_fn fn;
    void *user;
    atomic_int_fast64_t next;
    atomic_bool failed;
} region;

/* Tasks are dealt in order and every started one finishes, so nothing below the lowest failing task is left out. */
static void work(region *r, gls_worker *worker, int number) {
    worker->thread = pthread_self();
    worker->status = GLS_OK;
    atomic_store_explicit(&worker->active, true, memory_order_release);
    int before = gls_omp_one();
    while (!atomic_load(&r->failed)) {
        int64_t task = atomic_fetch_add(&r->next, 1);
        if (task >= r->tasks) break;
        worker->notice.text[0] = '\0';
        gls_status status = r->fn(r->user, task, number);
        if (status != GLS_OK) {
            worker->status = status;
            worker->failed = task;
            atomic_store(&r->failed, true);
        }
    }
    gls_omp_restore(before);
    atomic_store_explicit(&worker->active, false, memory_order_release);
}

static const gls_worker *lowest_failure(const gls_context *ctx) {
    const gls_worker *lowest = NULL;
    for (int i = 0; i < ctx->threads; i++) {
        const gls_worker *worker = &ctx->worker[i];
        if (worker->status != GLS_OK && (!lowest || worker->failed < lowest->failed)) lowest = worker;
    }
    return lowest;
}

gls_status gls_parallel_if(gls_context *ctx, bool team, int64_t tasks, gls_task_fn fn, void *user) {
    if (tasks <= 0) return GLS_OK;
    gls_worker *outer = gls_context_worker(ctx);
    if (!outer) notice_fork(ctx);
    if (outer) return run_here(tasks, fn, user, (int)(outer - ctx->worker));
    /* Another thread, such as one that fetches ahead, may come while the team is at work. */
    if (atomic_exchange(&ctx->busy, true)) return run_here(tasks, fn, user, 0);

    region r = {.tasks = tasks, .fn = fn, .user = user};
    for (int i = 0; i < ctx->threads; i++) ctx->worker[i].status = GLS_OK;
    if (ctx->threads == 1 || tasks == 1 || !team) {
        work(&r, &ctx->worker[0], 0);
    } else {
        /* Always the whole team: libgomp keeps its threads only while their number stays the same. */
#pragma omp parallel num_threads(ctx->threads)
        {
            int number = omp_get_thread_num();
            work(&r, &ctx->worker[number], number);
        }
    }
    const gls_worker *lowest = lowest_failure(ctx);
    if (lowest) {
        pthread_mutex_lock(&ctx->lock);
        ctx->notice = lowest->notice;
        pthread_mutex_unlock(&ctx->lock);
    }
    gls_status status = lowest ? lowest->status : GLS_OK;
    atomic_store_explicit(&ctx->busy, false, memory_order_release);
    return status;
}

gls_status gls_parallel(gls_context *ctx, int64_t tasks, gls_task_fn fn, void *user) {
    GLS_GIVEN(ctx, ctx);
    if (!fn) return gls_fail_null(ctx, __func__, "fn", 0);
    return gls_parallel_if(ctx, true, tasks, fn, user);
}
