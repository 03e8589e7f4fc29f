/* Built-in configurations, kept as the YAML that a user would write, so that a preset is also an example. */
#include <string.h>

#include <glissade/run.h>

/* The demo's runs differ in model and method only. */
#define DEMO(model, sizes, method, options)                       \
    {                                                             \
        "demo-" model "-" method, "glyphs by " model ", " method, \
            "name: demo-" model "-" method "\n"                   \
            "data: {format: glyphs}\n"                            \
            "model: {name: " model sizes "}\n"                    \
            "method: {name: " method ", " options "}\n"           \
            "train: {epochs: 10, batch: 128}\n"                   \
    }

static const gls_preset presets[] = {
    DEMO("softmax", "", "sgd", "lr: 0.1"),
    DEMO("softmax", "", "msgd", "lr: 0.02"),
    DEMO("softmax", "", "adam", "lr: 0.002"),
    DEMO("softmax", "", "sngm", "lr: 0.02"),
    DEMO("softmax", "", "acclip", "lr: 0.5"),
    DEMO("mlp", ", hidden: [128]", "sgd", "lr: 0.2"),
    DEMO("mlp", ", hidden: [128]", "msgd", "lr: 0.05"),
    DEMO("mlp", ", hidden: [128]", "adam", "lr: 0.001"),
    DEMO("mlp", ", hidden: [128]", "sngm", "lr: 0.02"),
    DEMO("mlp", ", hidden: [128]", "acclip", "lr: 0.5"),
    {"demo-vit-adamw", "glyphs by a small vit, adamw",
     "name: demo-vit-adamw\n"
     "data: {format: glyphs}\n"
     "model: {name: vit, patch: 7, dim: 48, heads: 3, depth: 2}\n"
     "method: {name: adamw, lr: 0.004, weight_decay: 0.05}\n"
     "train: {epochs: 5, batch: 64}\n"},
    {"zipf-bert-adamw", "hidden words of generated text by a small bert, adamw",
     "name: zipf-bert-adamw\n"
     "data: {format: zipf, length: 32, vocabulary: 200, transforms: [mask_tokens]}\n"
     "model: {name: bert, dim: 48, heads: 4, depth: 2}\n"
     "method: {name: adamw, lr: 0.003, weight_decay: 0.01}\n"
     "train: {epochs: 10, batch: 32}\n"},
    {"spans-bert-adamw", "marked answers in generated passages by a small bert, adamw",
     "name: spans-bert-adamw\n"
     "data: {format: spans}\n"
     "model: {name: bert, dim: 48, heads: 4, depth: 2}\n"
     "method: {name: adamw, lr: 0.003, weight_decay: 0.01}\n"
     "train: {epochs: 10, batch: 32}\n"},
    {"zipf-transformer_xl-adam", "generated text by a small transformer_xl that remembers a row, adam",
     "name: zipf-transformer_xl-adam\n"
     "data: {format: zipf, length: 32, streams: 20}\n"
     "model: {name: transformer_xl, dim: 64, heads: 4, depth: 2, memory: 32, tie: true}\n"
     "method: {name: adam, lr: 0.002}\n"
     "train: {epochs: 5, batch: 20, shuffle: false}\n"},
    {"zipf-t5-adam", "generated text of which a small t5 continues the first half of every row, adam",
     "name: zipf-t5-adam\n"
     "data: {format: zipf, length: 32}\n"
     "model: {name: t5, dim: 64, heads: 4, depth: 2}\n"
     "method: {name: adam, lr: 0.002}\n"
     "train: {epochs: 5, batch: 20}\n"},
    {"spans-bert-adam", "questions whose answer is a marked stretch, by a small bert, adam",
     "name: spans-bert-adam\n"
     "data: {format: spans}\n"
     "model: {name: bert, dim: 32, heads: 2, depth: 2}\n"
     "method: {name: adam, lr: 0.004}\n"
     "train: {epochs: 5, batch: 32}\n"},
    {"demo-conformer", "tones by a small conformer: sequences of labels without their times",
     "name: demo-conformer\n"
     "data: {format: tones}\n"
     "model: {name: conformer, dim: 32, heads: 2, depth: 1, kernel: 7}\n"
     "method: {name: adam, lr: 0.004}\n"
     "train: {epochs: 5, batch: 32}\n"},
};

const gls_preset *gls_preset_at(int64_t i) {
    return i >= 0 && i < (int64_t)(sizeof presets / sizeof *presets) ? &presets[i] : NULL;
}

static const char *name_at(const void *user, int64_t i) {
    (void)user;
    const gls_preset *p = gls_preset_at(i);
    return p ? p->name : NULL;
}

gls_status gls_config_preset(gls_context *ctx, const char *name, gls_value **out) {
    GLS_GIVEN(ctx, ctx, name, out);
    const gls_preset *p;
    *out = NULL;
    for (int64_t i = 0; (p = gls_preset_at(i)); i++)
        if (strcmp(p->name, name) == 0) return gls_config_parse(ctx, p->name, p->text, (int64_t)strlen(p->text), out);
    const char *nearest = gls_nearest(name, name_at, NULL);
    return gls_fail(ctx, GLS_ERR_ARGUMENT, "unknown preset '%s'%s%s%s", name,
                    nearest ? "; did you mean '" : "; `glissade list presets` lists them", nearest ? nearest : "",
                    nearest ? "'?" : "");
}
