/* A method whose state is divided over processes: the bits of one that keeps all of it, with less memory; and pieces of
 * its state that another number of processes reads. */
#include "support.h"

#include <pthread.h>
#include <unistd.h>

#include "base/tensors.h"
#include "method/method.h"

enum { MOST = 5, N = 100003, D = N + 40, STEPS = 6 };

/* Processes as threads: whoever gathers leaves its part where all find it. */
typedef struct meeting {
    pthread_barrier_t barrier;
    const char *all[MOST];
    int ranks;
} meeting;

typedef struct member {
    meeting *m;
    int rank;
    const char *spec, *folder;
    int saved; /* ranks whose pieces are read; 0: none */
    gls_real *w;
    int64_t bytes;
    pthread_t thread;
} member;

static gls_status gather(void *user, void *all, const int64_t *at) {
    member *own = user;
    meeting *m = own->m;
    m->all[own->rank] = all;
    pthread_barrier_wait(&m->barrier);
    for (int r = 0; r < m->ranks; r++)
        if (r != own->rank) memcpy((char *)all + at[r], m->all[r] + at[r], (size_t)(at[r + 1] - at[r]));
    pthread_barrier_wait(&m->barrier);
    return GLS_OK;
}

static gls_real start_of(int64_t i) {
    return (gls_real)(i % 17 - 8) / 40;
}

static void gradient(int step, gls_real *g) {
    for (int64_t i = 0; i < D; i++) g[i] = (gls_real)((i * 7919 + step * 104729) % 1001 - 500) / 3000;
}

static void piece_path(char path[256], const char *folder, int rank, int ranks) {
    snprintf(path, 256, "%s/%d-of-%d", folder, rank, ranks);
}

static void leave_with(const gls_context *ctx, const member *own) {
    fprintf(stderr, "%s, rank %d: %s\n", own->spec, own->rank, gls_context_message(ctx));
    abort();
}

/* Runs the steps from the middle on where pieces are given, else all of them, and leaves its piece in the middle. */
static void *work(void *user) {
    member *own = user;
    char path[256];
    gls_context *ctx = test_context(1);
    gls_layout *layout = three_blocks(ctx, N);
    gls_value *spec = yaml(ctx, own->spec);
    gls_method_share share = {own->rank, own->m->ranks, gather, own};
    gls_method_options options = {
        .size = sizeof options, .layout = layout, .spec = spec, .total_steps = 100, .seed = 3};
    if (own->m->ranks > 1) options.share = &share;
    gls_method *method;
    if (gls_method_create(ctx, &options, &method) != GLS_OK) leave_with(ctx, own);
    gls_real *g = calloc(D, sizeof *g);
    gls_arrays rest = {0};
    for (int step = own->saved ? STEPS / 2 : 0; step < STEPS; step++) {
        if (own->saved && step == STEPS / 2) {
            for (int r = 0; r < own->saved; r++) {
                gls_tensors *file;
                piece_path(path, own->folder, r, own->saved);
                if (gls_tensors_open(ctx, path, &file) != GLS_OK) leave_with(ctx, own);
                if (gls_method_share_take(method, "", r, own->saved, file) != GLS_OK) leave_with(ctx, own);
                gls_tensors_close(file);
            }
            method->steps = STEPS / 2;
        }
        gradient(step, g);
        if (gls_method_step(method, own->w, g, NULL) != GLS_OK) leave_with(ctx, own);
        if (own->saved || step != STEPS / 2 - 1) continue;
        gls_arrays state = {0};
        piece_path(path, own->folder, own->rank, own->m->ranks);
        if (gls_method_state_arrays(method, "", &state) != GLS_OK) leave_with(ctx, own);
        if (gls_tensors_write(ctx, path, &state, NULL, 0) != GLS_OK) leave_with(ctx, own);
        gls_arrays_clear(ctx, &state);
    }
    own->bytes = gls_method_state_bytes(method);
    gls_arrays_clear(ctx, &rest);
    free(g);
    gls_method_destroy(method);
    gls_value_destroy(ctx, spec);
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
    return NULL;
}

/* w of rank 0 is given back; all ranks must have the same. begin: w at the start. */
static gls_real *train(const char *spec, const char *folder, int ranks, int saved, const gls_real *begin,
                       int64_t *bytes) {
    meeting m = {.ranks = ranks};
    member all[MOST];
    pthread_barrier_init(&m.barrier, NULL, (unsigned)ranks);
    for (int r = 0; r < ranks; r++) {
        all[r] = (member){&m, r, spec, folder, saved, calloc(D, sizeof(gls_real)), 0, 0};
        for (int64_t i = 0; i < D; i++) all[r].w[i] = begin ? begin[i] : start_of(i);
        assert_int_equal(pthread_create(&all[r].thread, NULL, work, &all[r]), 0);
    }
    *bytes = 0;
    for (int r = 0; r < ranks; r++) {
        pthread_join(all[r].thread, NULL);
        if (all[r].bytes > *bytes) *bytes = all[r].bytes;
        assert_memory_equal(all[r].w, all[0].w, D * sizeof *all[r].w);
        if (r) free(all[r].w);
    }
    pthread_barrier_destroy(&m.barrier);
    return all[0].w;
}

static const char *const specs[] = {
    "{name: adam, lr: 0.01, weight_decay: 0.01}",
    "{name: adamw, lr: 0.01, groups: [{match: 'layer*', lr: 0.1}]}",
    "{name: amsgrad, lr: 0.01, clip_norm: 1}",
    "{name: msgd, lr: 0.1, project: {ball: 9}}",
    "{name: nag, lr: 0.1, groups: [{match: 'layer*', train: false}]}",
    "{name: adagrad, lr: 0.05}",
    "{name: lamb, lr: 0.01}",
    "{name: lars, lr: 0.1}",
    "{name: adam, lr: 0.01, state: bf16}",
    "{name: adam, lr: 0.01, state: q8}",
    "{name: sgd, lr: 0.1}",
};

static void the_bits_of_one(void **state) {
    for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
        int64_t whole, share;
        gls_real *one = train(specs[k], *state, 1, 0, NULL, &whole);
        for (int ranks = 2; ranks <= MOST; ranks += 1 + (ranks == 3)) {
            gls_real *many = train(specs[k], *state, ranks, 0, NULL, &share);
            if (memcmp(one, many, D * sizeof *one) != 0) fail_msg("%s: %d ranks", specs[k], ranks);
            if (share * ranks > whole + whole * ranks / 4) fail_msg("%s: %d bytes", specs[k], (int)share);
            free(many);
        }
        free(one);
    }
}

static void pieces_fit_any_number(void **state) {
    static const int saved[] = {1, 2, 3, 5}, read[] = {3, 1, 2, 4};
    for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
        int64_t bytes;
        gls_real *half = calloc(D, sizeof *half);
        gls_real *one = train(specs[k], *state, 1, 0, NULL, &bytes);
        for (int c = 0; c < 4; c++) {
            free(train(specs[k], *state, saved[c], 0, NULL, &bytes));
            /* w in the middle: that of a run which starts there with the state reaches the same end. */
            gls_context *ctx = test_context(1);
            gls_layout *layout = three_blocks(ctx, N);
            gls_method *method;
            assert_int_equal(try_method(ctx, layout, specs[k], &method), GLS_OK);
            gls_real *g = calloc(D, sizeof *g);
            for (int64_t i = 0; i < D; i++) half[i] = start_of(i);
            for (int step = 0; step < STEPS / 2; step++) {
                gradient(step, g);
                assert_int_equal(gls_method_step(method, half, g, NULL), GLS_OK);
            }
            free(g);
            gls_method_destroy(method);
            gls_layout_destroy(layout);
            gls_context_destroy(ctx);
            gls_real *end = train(specs[k], *state, read[c], saved[c], half, &bytes);
            if (memcmp(one, end, D * sizeof *one) != 0) fail_msg("%s: %d to %d", specs[k], saved[c], read[c]);
            free(end);
        }
        free(one);
        free(half);
    }
}

static void what_cannot_be_divided(void **state) {
    (void)state;
    static const char *const names[] = {"{name: svrg, lr: 0.1}", "{name: singd}", "{name: acclip, lr: 0.1}"};
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, 100);
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        gls_value *spec = yaml(ctx, names[k]);
        gls_method *method;
        gls_method_share share = {0, 2, gather, NULL};
        gls_method_options options = {
            .size = sizeof options, .layout = layout, .spec = spec, .total_steps = 100, .seed = 3, .share = &share};
        assert_int_equal(gls_method_create(ctx, &options, &method), GLS_ERR_UNSUPPORTED);
        assert_non_null(strstr(gls_context_message(ctx), "cannot be divided"));
        gls_value_destroy(ctx, spec);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static int enter(void **state) {
    static char folder[] = "/tmp/glissade-share-XXXXXX";
    *state = folder;
    return mkdtemp(folder) ? 0 : 1;
}

static int leave(void **state) {
    char line[200];
    snprintf(line, sizeof line, "rm -rf %s", (char *)*state);
    return system(line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bits_of_one),
        cmocka_unit_test(pieces_fit_any_number),
        cmocka_unit_test(what_cannot_be_divided),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
