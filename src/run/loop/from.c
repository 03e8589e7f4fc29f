/* Weights of another run, or of any file: blocks are taken by name where they fit, the others stay as they were
 * initialised, and the run says which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/tensors.h"
#include "data/tokens.h"
#include "predict/trained.h"
#include "run/loop/checkpoints.h"
#include "run/loop/run.h"

static gls_status open_weights(gls_context *ctx, const char *from, gls_tensors **out) {
    size_t length = strlen(from);
    if (length > 12 && strcmp(from + length - 12, ".safetensors") == 0) return gls_tensors_open(ctx, from, out);
    char *final = gls_sprintf(ctx, "%s/final.safetensors", from);
    if (!final) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    if (gls_file_exists(final)) {
        status = gls_tensors_open(ctx, final, out);
    } else {
        char *folder = gls_sprintf(ctx, "%s/checkpoints", from);
        status = folder ? gls_checkpoints_newest(ctx, folder, out) : GLS_ERR_MEMORY;
        gls_free(ctx, folder);
        if (status == GLS_OK && !*out)
            status = gls_fail(ctx, GLS_ERR_FILE, "%s: the folder has neither final.safetensors nor a checkpoint", from);
    }
    gls_free(ctx, final);
    return status;
}

/* What became of the blocks of one layout: names of those that stay as they were, as many as have room. */
typedef struct taking {
    gls_run *run;
    gls_tensors *file;
    int64_t taken, fresh;
    char names[600];
} taking;

static void add_name(taking *t, const char *name, const char *found) {
    size_t used = strlen(t->names);
    if (used + strlen(name) + strlen(found) + 16 < sizeof t->names)
        snprintf(t->names + used, sizeof t->names - used, "%s%s (%s)", used ? ", " : "", name, found);
    else if (used < 4 || strcmp(t->names + used - 4, " ...") != 0)
        snprintf(t->names + used, sizeof t->names - used, " ...");
    t->fresh++;
}

/* State that is carried by slot belongs to the other run's rows. */
static gls_status take(taking *t, const gls_layout *layout, const char *prefix, gls_real *data) {
    for (int64_t b = 0; b < gls_layout_count(layout); b++) {
        const gls_block *block = gls_layout_block(layout, b);
        if (block->flags & GLS_BLOCK_BY_SLOT) continue;
        char found[160], *name = gls_sprintf(t->run->ctx, "%s%s", prefix, block->name);
        gls_status status = name ? GLS_OK : GLS_ERR_MEMORY;
        if (name && gls_tensors_fits(t->file, name, block, found)) {
            status = gls_tensors_read_block(t->file, name, block, data + block->offset);
            t->taken++;
        } else if (name) {
            add_name(t, block->name, found);
        }
        gls_free(t->run->ctx, name);
        GLS_TRY(status);
    }
    return GLS_OK;
}

/* ---- another vocabulary ---- */

static gls_status compare_tokenizers(const taking *t, const char *from, const gls_data_info *here,
                                     const gls_data_info *there) {
    if (!here->tokenizer || !there->tokenizer || strcmp(here->tokenizer, there->tokenizer) == 0) return GLS_OK;
    return gls_fail(t->run->ctx, GLS_ERR_INPUT,
                    "%s: its tokenizer is another one: expected that of data.tokenizer, since a token's number means "
                    "another text",
                    from);
}

/* Words are rows of blocks: with as many words, but others, blocks would fit and mean something else. */
static gls_status compare_words(const taking *t, const char *from, const gls_data_info *there) {
    const gls_data_info *here = &t->run->training->set.train->info;
    const char *const *own = gls_token_names(here), *const *other = gls_token_names(there);
    GLS_TRY(compare_tokenizers(t, from, here, there));
    if (!own || !other || here->vocabulary != there->vocabulary) return GLS_OK;
    for (int64_t k = 0; k < here->vocabulary; k++)
        if (strcmp(own[k], other[k]) != 0)
            return gls_fail(t->run->ctx, GLS_ERR_INPUT,
                            "%s: its vocabulary is another one: token %lld is '%.60s' there and '%.60s' here", from,
                            (long long)k, other[k], own[k]);
    return GLS_OK;
}

static gls_status check_words(taking *t, const char *from) {
    const char *note = gls_tensors_note(t->file, GLS_TRAINED_NOTE);
    gls_trained trained;
    if (!note) return GLS_OK;
    GLS_TRY(gls_trained_read(t->run->ctx, from, note, &trained));
    gls_status status = compare_words(t, from, &trained.input);
    gls_trained_clear(t->run->ctx, &trained);
    return status;
}

/* ---- all of it ---- */

/* In a checkpoint the state has a prefix, in final.safetensors it has none. Values are read into a copy, so that a file
 * that is refused changes nothing. */
static gls_status take_all(taking *t, gls_real *w, gls_real *state) {
    gls_problem *p = t->run->training->problem;
    const gls_block *first = gls_layout_block(p->state_layout, 0);
    const char *prefix = first && !gls_tensors_has(t->file, first->name) ? "state/" : "";
    memcpy(w, t->run->training->w, (size_t)gls_problem_size(p) * sizeof *w);
    GLS_TRY(take(t, gls_problem_layout(p), "", w));
    if (!t->taken)
        return gls_fail(t->run->ctx, GLS_ERR_INPUT, "%s: none of its arrays fits a block of this model: %s",
                        t->run->options.from, t->names);
    if (p->state) memcpy(state, p->state, (size_t)gls_layout_size(p->state_layout) * sizeof *state);
    GLS_TRY(take(t, p->state_layout, prefix, state));
    memcpy(t->run->training->w, w, (size_t)gls_problem_size(p) * sizeof *w);
    gls_problem_commit(p, state);
    return GLS_OK;
}

static gls_status from_file(gls_run *run, gls_tensors *file) {
    taking t = {.run = run, .file = file};
    const gls_problem *p = run->training->problem;
    GLS_TRY(check_words(&t, run->options.from));
    gls_real *w = gls_alloc(run->ctx, gls_problem_size(p), sizeof *w);
    gls_real *state = gls_alloc(run->ctx, gls_layout_size(p->state_layout), sizeof *state);
    gls_status status = w && state ? take_all(&t, w, state) : GLS_ERR_MEMORY;
    gls_free(run->ctx, w);
    gls_free(run->ctx, state);
    if (status == GLS_OK && t.fresh && run->rank == 0)
        gls_log(run->ctx, GLS_LOG_WARNING, "%s: %lld blocks taken, %lld left as they were initialised: %s",
                run->options.from, (long long)t.taken, (long long)t.fresh, t.names);
    return status;
}

gls_status gls_checkpoint_from(gls_run *run, const char *from) {
    gls_tensors *file = NULL;
    gls_status status = open_weights(run->ctx, from, &file);
    if (status == GLS_ERR_FILE) status = GLS_ERR_INPUT; /* ours to read, not to write */
    if (status == GLS_OK) status = from_file(run, file);
    gls_tensors_close(file);
    return gls_comm_agree(run->ctx, status);
}

gls_status gls_run_saved_step(gls_context *ctx, const char *from, int64_t *step) {
    GLS_GIVEN(ctx, ctx, from, step);
    gls_tensors *file = NULL;
    *step = -1;
    gls_status status = open_weights(ctx, from, &file);
    const char *note = status == GLS_OK ? gls_tensors_note(file, "step") : NULL;
    if (note) *step = strtoll(note, NULL, 10);
    gls_tensors_close(file);
    return status == GLS_ERR_FILE ? GLS_ERR_INPUT : status;
}
