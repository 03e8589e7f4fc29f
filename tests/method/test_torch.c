/* PyTorch's own optimizers on the same gradients, in double, where /usr/bin/python3 has torch. */
#include "support.h"

#include <unistd.h>

enum { D = 37, STEPS = 60 };

/* torch 1.13's amsgrad corrects after the maximum, as ours does. Its RMSprop and Adagrad are ours too. */
static const char program[] =
    "import sys, struct\n"
    "try:\n"
    "    import torch\n"
    "except Exception:\n"
    "    sys.exit(77)\n"
    "d, steps, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]\n"
    "raw = open(path, 'rb').read()\n"
    "x = torch.tensor(struct.unpack('<%dd' % ((steps + 1) * d), raw), dtype=torch.float64).reshape(steps + 1, d)\n"
    "o = torch.optim\n"
    "make = [lambda p: o.SGD(p, lr=0.05, momentum=0.9),\n"
    "        lambda p: o.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.1),\n"
    "        lambda p: o.Adagrad(p, lr=0.05, weight_decay=0.1),\n"
    "        lambda p: o.RMSprop(p, lr=0.05, weight_decay=0.1),\n"
    "        lambda p: o.Adam(p, lr=0.05, weight_decay=0.1),\n"
    "        lambda p: o.AdamW(p, lr=0.05, weight_decay=0.1),\n"
    "        lambda p: o.Adam(p, lr=0.05, amsgrad=True, betas=(0.8, 0.95))]\n"
    "for m in make:\n"
    "    w = x[0].clone().requires_grad_(True)\n"
    "    opt = m([w])\n"
    "    for t in range(steps):\n"
    "        w.grad = x[t + 1].clone()\n"
    "        opt.step()\n"
    "    print(' '.join('%.17g' % v for v in w.tolist()))\n";

static const char *const specs[] = {"{name: msgd, lr: 0.05}",
                                    "{name: nag, lr: 0.05, weight_decay: 0.1}",
                                    "{name: adagrad, lr: 0.05, weight_decay: 0.1}",
                                    "{name: rmsprop, lr: 0.05, weight_decay: 0.1}",
                                    "{name: adam, lr: 0.05, weight_decay: 0.1}",
                                    "{name: adamw, lr: 0.05, weight_decay: 0.1}",
                                    "{name: amsgrad, lr: 0.05, beta1: 0.8, beta2: 0.95}"};
enum { METHODS = sizeof specs / sizeof *specs };

static bool ask_torch(sequence kind, double theirs[METHODS][D]) {
    char input[] = "/tmp/glissade-torch-XXXXXX", script[] = "/tmp/glissade-torch-XXXXXX", command[300];
    int file = mkstemp(input), code = mkstemp(script);
    assert_true(file >= 0 && code >= 0);
    for (int64_t t = 0; t <= STEPS; t++) {
        gls_real x[D];
        double y[D];
        if (t == 0)
            draw_weights(D, x);
        else
            draw_gradient(kind, t, D, x);
        for (int i = 0; i < D; i++) y[i] = (double)x[i];
        assert_true(write(file, y, sizeof y) == (ssize_t)sizeof y);
    }
    assert_true(write(code, program, sizeof program - 1) == (ssize_t)sizeof program - 1);
    close(file);
    close(code);
    snprintf(command, sizeof command, "/usr/bin/python3 %s %d %d %s 2>/dev/null", script, D, STEPS, input);
    FILE *answer = popen(command, "r");
    assert_non_null(answer);
    bool whole = true;
    for (int m = 0; m < METHODS; m++)
        for (int i = 0; i < D; i++) whole = whole && fscanf(answer, "%lf", &theirs[m][i]) == 1;
    int status = pclose(answer);
    unlink(input);
    unlink(script);
    return whole && status == 0;
}

static void compare(sequence kind) {
    double theirs[METHODS][D];
    if (!ask_torch(kind, theirs)) skip();
    gls_context *ctx = test_context(1);
    gls_layout *layout = one_block(ctx, D);
    for (int m = 0; m < METHODS; m++) {
        gls_method *method = make_method(ctx, layout, specs[m]);
        gls_real w[D], g[D], before[D];
        double path[D];
        draw_weights(D, w);
        for (int i = 0; i < D; i++) path[i] = fabs((double)w[i]);
        for (int64_t t = 1; t <= STEPS; t++) {
            memcpy(before, w, sizeof w);
            draw_gradient(kind, t, D, g);
            assert_int_equal(gls_method_step(method, w, g, NULL), GLS_OK);
            for (int i = 0; i < D; i++) path[i] += fabs((double)w[i] - (double)before[i]);
        }
        for (int i = 0; i < D; i++)
            if (!(fabs((double)w[i] - theirs[m][i]) <= tolerance * path[i]))
                fail_msg("%s: %.17g, torch has %.17g", specs[m], (double)w[i], theirs[m][i]);
        gls_method_destroy(method);
    }
    gls_layout_destroy(layout);
    gls_context_destroy(ctx);
}

static void normal_gradients(void **state) {
    compare(NORMAL);
}
static void heavy_tails(void **state) {
    compare(HEAVY);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(normal_gradients), cmocka_unit_test(heavy_tails)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
