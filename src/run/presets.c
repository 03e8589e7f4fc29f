/* Built-in configurations. */
#include <string.h>

#include <glissade/run.h>

/* The demo's runs differ in one line only. */
#define DEMO(model, method)      \
    "data: {format: glyphs}\n"   \
    "model: {name: " model "}\n" \
    "method: {" method "}\n"     \
    "train: {epochs: 5, batch: 128}\n"

static const gls_preset presets[] = {
    {"demo-sgd", "glyphs by a linear model, plain SGD", "name: demo-sgd\n" DEMO("softmax", "name: sgd, lr: 0.1")},
    {"demo-msgd", "glyphs by a linear model, SGD with momentum",
     "name: demo-msgd\n" DEMO("softmax", "name: msgd, lr: 0.02, beta: 0.9")},
    {"demo-adam", "glyphs by a linear model, Adam", "name: demo-adam\n" DEMO("softmax", "name: adam, lr: 0.001")},
    {"demo-sngm", "glyphs by a linear model, normalised gradients with momentum",
     "name: demo-sngm\n" DEMO("softmax", "name: sngm, lr: 0.02, beta: 0.9")},
    {"demo-acclip", "glyphs by a linear model, coordinate-wise adaptive clipping",
     "name: demo-acclip\n" DEMO("softmax", "name: acclip, lr: 0.5")},
};

const gls_preset *gls_preset_at(int64_t i) {
    return i >= 0 && i < (int64_t)(sizeof presets / sizeof *presets) ? &presets[i] : NULL;
}

static const char *name_at(const void *user, int64_t i) {
    const gls_preset *p = gls_preset_at(i);
    return p ? p->name : NULL;
}

gls_status gls_config_preset(gls_context *ctx, const char *name, gls_value **out) {
    const gls_preset *p;
    *out = NULL;
    for (int64_t i = 0; (p = gls_preset_at(i)); i++)
        if (!strcmp(p->name, name)) return gls_config_parse(ctx, p->name, p->text, (int64_t)strlen(p->text), out);
    const char *nearest = gls_nearest(name, name_at, NULL);
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "there is no preset '%s'%s%s%s; `glissade list presets` names them", name,
                    nearest ? "; nearest is '" : "", nearest ? nearest : "", nearest ? "'" : "");
}
