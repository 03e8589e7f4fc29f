/* Clipping of per-example gradients that a loop of your own has made. The point w that is nearest to 200 points, of
 * which four lie far away: the mean gradient is drawn to those, the mean of gradients clipped to norm 1 is not. */
#include <glissade/glissade.h>

#include <math.h>
#include <stdio.h>

enum { EXAMPLES = 200, STEPS = 400 };

static int failed(gls_context *ctx) {
    fprintf(stderr, "%s\n", gls_context_message(ctx));
    return 1;
}

int main(void) {
    static const char clipping[] = "estimator: {name: microbatch, microbatch: 1, bound: 1}";
    static gls_real point[EXAMPLES][2], gradient[EXAMPLES][2];
    for (int i = 0; i < EXAMPLES; i++) {
        int far = i % 50 == 0;
        point[i][0] = (gls_real)(far ? 60 : 1 + 0.5 * cos(2.4 * i));
        point[i][1] = (gls_real)(far ? 80 : 1 + 0.5 * sin(2.4 * i));
    }

    gls_context *ctx = NULL;
    gls_value *config = NULL;
    if (gls_context_create(&ctx, NULL) != GLS_OK) return 1;
    if (gls_config_parse(ctx, "clipping", clipping, sizeof clipping - 1, &config) != GLS_OK) return failed(ctx);

    gls_real w[2] = {0, 0}, g[2];
    for (int step = 0; step < STEPS; step++) {
        for (int i = 0; i < EXAMPLES; i++)
            for (int k = 0; k < 2; k++) gradient[i][k] = w[k] - point[i][k];
        gls_estimator_matrix rows = {gradient[0], EXAMPLES, 2, NULL, NULL, 0};
        if (gls_estimator_run_matrix(ctx, gls_value_get(config, "estimator"), &rows, g, NULL, NULL) != GLS_OK)
            return failed(ctx);
        for (int k = 0; k < 2; k++) w[k] -= (gls_real)0.1 * g[k]; /* or gls_method_step */
    }
    printf("x %.3f  y %.3f\n", (double)w[0], (double)w[1]);

    gls_value_destroy(ctx, config);
    gls_context_destroy(ctx);
    return 0;
}
