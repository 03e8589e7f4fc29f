/* A training loop of your own with a method in place: you make the gradient, gls_method_step moves the weights. Here
 * SNGM walks down Rosenbrock's valley; the file compiles as C and as C++. */
#include <glissade/glissade.h>

#include <math.h>
#include <stdio.h>

int main(void) {
    gls_context *ctx = NULL;
    gls_method *method = NULL;
    if (gls_context_create(&ctx, NULL) != GLS_OK) return 1;
    if (gls_method_create_named(ctx, "sngm", 2, &method) != GLS_OK || gls_method_set(method, "beta", 0.9) != GLS_OK) {
        fprintf(stderr, "%s\n", gls_context_message(ctx));
        return 1;
    }

    gls_real w[2] = {-1.2f, 1.0f}, g[2];
    gls_step_report report;
    for (int step = 0; step < 20000; step++) {
        gls_real x = w[0], y = w[1];
        g[0] = -2 * (1 - x) - 400 * x * (y - x * x);
        g[1] = 200 * (y - x * x);
        if (gls_method_set(method, "lr", 0.02 / (1 + 0.01 * step)) != GLS_OK ||
            gls_method_step(method, w, g, &report) != GLS_OK) {
            fprintf(stderr, "%s\n", gls_context_message(ctx));
            return 1;
        }
    }
    printf("x %.2f  y %.2f  norm %.3f\n", (double)w[0], (double)w[1], report.gradient_norm);

    gls_method_destroy(method);
    gls_context_destroy(ctx);
    return 0;
}
