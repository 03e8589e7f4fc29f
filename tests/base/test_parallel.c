#include "support.h"

#include "base/parallel.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, TASKS = 500 };

typedef struct job {
    gls_context *ctx;
    int times[TASKS]; /* each task was run */
    int inside[THREADS];
    bool fails[TASKS];
    int bad;
} job;

static gls_status count_task(void *user, int64_t task, int worker) {
    job *j = user;
    if (worker < 0 || worker >= THREADS || __atomic_add_fetch(&j->inside[worker], 1, __ATOMIC_SEQ_CST) != 1)
        __atomic_store_n(&j->bad, 1, __ATOMIC_SEQ_CST);
    if (omp_get_max_threads() != 1) __atomic_store_n(&j->bad, 2, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&j->times[task], 1, __ATOMIC_SEQ_CST);
    if (j->fails[task] && task % 7 == 0) usleep(2000); /* the lower ones come late */
    gls_status status = GLS_OK;
    if (j->fails[task]) status = gls_fail(j->ctx, task % 2 ? GLS_ERR_INPUT : GLS_ERR_NONFINITE, "task %d", (int)task);
    __atomic_sub_fetch(&j->inside[worker], 1, __ATOMIC_SEQ_CST);
    return status;
}

static void each_task_runs_once_by_one_worker(void **state) {
    for (int threads = 1; threads <= THREADS; threads++) {
        counting c;
        job j = {.ctx = counting_context(&c, threads)};
        omp_set_num_threads(2);
        assert_int_equal(gls_parallel(j.ctx, TASKS, count_task, &j), GLS_OK);
        assert_int_equal(omp_get_max_threads(), 2); /* the caller's own setting is back */
        for (int i = 0; i < TASKS; i++) assert_int_equal(j.times[i], 1);
        assert_int_equal(j.bad, 0);
        assert_int_equal(gls_parallel(j.ctx, 0, count_task, &j), GLS_OK);
        counting_end(&c, j.ctx);
    }
}

typedef struct places {
    pthread_t thread;
    int64_t next;
    int elsewhere, out_of_turn;
} places;

static gls_status note_place(void *user, int64_t task, int worker) {
    places *p = user;
    p->elsewhere += !pthread_equal(pthread_self(), p->thread) || worker != 0;
    p->out_of_turn += task != p->next++;
    return GLS_OK;
}

/* In order, in the calling thread, as its first worker; failures speak as in a team. */
static void tasks_without_a_team_stay_here(void **state) {
    counting c;
    job j = {.ctx = counting_context(&c, THREADS)};
    places p = {.thread = pthread_self()};
    assert_int_equal(gls_parallel_if(j.ctx, false, TASKS, note_place, &p), GLS_OK);
    assert_int_equal(p.next, TASKS);
    assert_int_equal(p.elsewhere, 0);
    assert_int_equal(p.out_of_turn, 0);
    j.fails[49] = j.fails[50] = true;
    assert_int_equal(gls_parallel_if(j.ctx, false, TASKS, count_task, &j), GLS_ERR_INPUT);
    assert_string_equal(gls_context_message(j.ctx), "task 49");
    assert_int_equal(j.times[49], 1);
    assert_int_equal(j.times[50], 0);
    assert_int_equal(j.bad, 0);
    counting_end(&c, j.ctx);
}

static void lowest_failing_task_speaks(void **state) {
    for (int threads = 1; threads <= THREADS; threads++)
        for (int round = 0; round < 20; round++) {
            counting c;
            job j = {.ctx = counting_context(&c, threads)};
            gls_fail(j.ctx, GLS_ERR_FILE, "an older message");
            j.fails[49] = j.fails[50] = j.fails[51] = j.fails[100] = true;
            assert_int_equal(gls_parallel(j.ctx, TASKS, count_task, &j), GLS_ERR_INPUT);
            assert_string_equal(gls_context_message(j.ctx), "task 49");
            for (int i = 0; i <= 49; i++) assert_int_equal(j.times[i], 1);
            /* The context is as good as new. */
            memset(j.fails, 0, sizeof j.fails);
            assert_int_equal(gls_parallel(j.ctx, TASKS, count_task, &j), GLS_OK);
            counting_end(&c, j.ctx);
        }
}

static gls_status callback_task(void *user, int64_t task, int worker) {
    return task == 5 ? gls_fail_callback(user, 17, "f") : GLS_OK;
}

static void callback_code_comes_out(void **state) {
    counting c;
    gls_context *ctx = counting_context(&c, THREADS);
    assert_int_equal(gls_parallel(ctx, 9, callback_task, ctx), GLS_ERR_CALLBACK);
    assert_int_equal(gls_context_callback_code(ctx), 17);
    counting_end(&c, ctx);
}

typedef struct outer {
    gls_context *ctx;
    int64_t sum[40];
    int bad;
} outer;
typedef struct inner {
    outer *o;
    int64_t task;
    int worker;
    pthread_t thread;
} inner;

static gls_status inner_task(void *user, int64_t task, int worker) {
    inner *in = user;
    if (worker != in->worker || !pthread_equal(pthread_self(), in->thread)) in->o->bad = 1;
    in->o->sum[in->task] += task;
    if (in->task == 20 && task == 3) return gls_fail(in->o->ctx, GLS_ERR_INPUT, "inner %d", (int)task);
    return GLS_OK;
}

static gls_status outer_task(void *user, int64_t task, int worker) {
    inner in = {user, task, worker, pthread_self()};
    gls_status status = gls_parallel(in.o->ctx, 10, inner_task, &in);
    if (omp_get_max_threads() != 1) in.o->bad = 2;
    return status;
}

static void nested_call_runs_in_its_worker(void **state) {
    for (int threads = 1; threads <= THREADS; threads++) {
        counting c;
        outer o = {.ctx = counting_context(&c, threads)};
        assert_int_equal(gls_parallel(o.ctx, 40, outer_task, &o), GLS_ERR_INPUT);
        assert_string_equal(gls_context_message(o.ctx), "inner 3");
        for (int i = 0; i < 20; i++) assert_int_equal(o.sum[i], 45);
        assert_int_equal(o.bad, 0);
        counting_end(&c, o.ctx);
    }
}

static gls_status memory_task(void *user, int64_t task, int worker) {
    void *block = gls_alloc(user, task + 1, 100);
    if (!block) return GLS_ERR_MEMORY;
    gls_free(user, block);
    return GLS_OK;
}

static void *own_context(void *unused) {
    counting c;
    gls_context *ctx = counting_context(&c, 2);
    for (int i = 0; i < 20; i++)
        if (gls_parallel(ctx, 50, memory_task, ctx) != GLS_OK) return (void *)1;
    gls_context_destroy(ctx);
    return c.live == 0 ? NULL : (void *)1;
}

static void contexts_work_side_by_side(void **state) {
    pthread_t thread[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&thread[i], NULL, own_context, NULL), 0);
    for (int i = 0; i < 2; i++) {
        void *result;
        assert_int_equal(pthread_join(thread[i], &result), 0);
        assert_null(result);
    }
}

static gls_status add_task(void *user, int64_t task, int worker) {
    (void)worker;
    atomic_fetch_add((atomic_int *)user, (int)task);
    usleep(1000); /* so that every thread gets some */
    return GLS_OK;
}

static int sum_of(gls_context *ctx) {
    atomic_int sum = 0;
    return gls_parallel(ctx, 40, add_task, &sum) == GLS_OK ? sum : -1;
}

/* A context from before the fork, and one from behind it, work in both processes with all their threads. */
static void forked_processes_have_teams_of_their_own(void **state) {
    (void)state;
    gls_context_options options = {.size = sizeof options, .threads = 3};
    gls_context *ctx = NULL, *fresh = NULL;
    assert_int_equal(gls_context_create(&ctx, &options), GLS_OK);
    assert_int_equal(sum_of(ctx), 780);
    pid_t child = fork();
    if (child == 0) {
        alarm(60); /* a child that waits for threads it has not would wait for ever */
        int wrong = sum_of(ctx) != 780 || gls_context_create(&fresh, &options) != GLS_OK || sum_of(fresh) != 780;
        _exit(wrong);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(sum_of(ctx), 780);
    gls_context_destroy(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_task_runs_once_by_one_worker), cmocka_unit_test(lowest_failing_task_speaks),
        cmocka_unit_test(callback_code_comes_out),           cmocka_unit_test(nested_call_runs_in_its_worker),
        cmocka_unit_test(contexts_work_side_by_side),        cmocka_unit_test(forked_processes_have_teams_of_their_own),
        cmocka_unit_test(tasks_without_a_team_stay_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
