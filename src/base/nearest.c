/* The known name nearest to a mistyped one, for messages: what other tools call the same thing, else by letters. */
#include <glissade/options.h>

#include <ctype.h>
#include <string.h>

enum { LONGEST = 63 }; /* names are shorter; what is longer is compared up to here */

static int lower(char c) {
    return tolower((unsigned char)c);
}

/* Insertions, deletions, changes and swaps of neighbours that make b of a, letter case apart. */
static int distance(const char *a, const char *b) {
    int m = (int)strnlen(a, LONGEST), n = (int)strnlen(b, LONGEST);
    int row[3][LONGEST + 1]; /* rows i-2, i-1 and i, cyclically */
    for (int j = 0; j <= n; j++) row[0][j] = j;
    for (int i = 1; i <= m; i++) {
        const int *before = row[(i + 2) % 3], *two_before = row[(i + 1) % 3];
        int *now = row[i % 3];
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int best = before[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            if (before[j] + 1 < best) best = before[j] + 1;
            if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]) &&
                two_before[j - 2] + 1 < best)
                best = two_before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[m % 3][n];
}

enum { MEANINGS = 4 };

/* Words of other tools, and what they are here, in the order of preference: the first that is known is meant. */
static const struct {
    const char *word, *meant[MEANINGS];
} usual[] = {
    {"batch_size", {"batch"}},
    {"batchsize", {"batch"}},
    {"minibatch", {"batch"}},
    {"learning_rate", {"lr"}},
    {"step_size", {"lr", "every"}},
    {"eta", {"lr"}},
    {"momentum", {"beta", "beta1", "msgd"}},
    {"betas", {"beta1"}},
    {"sgdm", {"msgd"}},
    {"heavy_ball", {"msgd"}},
    {"nesterov", {"nag"}},
    {"l2", {"weight_decay"}},
    {"wd", {"weight_decay", "l2"}},
    {"weight_decay", {"l2"}},
    {"epsilon", {"eps"}},
    {"num_epochs", {"epochs"}},
    {"n_epochs", {"epochs"}},
    {"max_epochs", {"epochs"}},
    {"max_steps", {"steps"}},
    {"num_steps", {"steps"}},
    {"iterations", {"steps"}},
    {"max_iter", {"steps"}},
    {"random_seed", {"seed"}},
    {"random_state", {"seed"}},
    {"num_workers", {"workers"}},
    {"num_threads", {"threads"}},
    {"n_jobs", {"threads"}},
    {"early_stopping", {"patience"}},
    {"validation_split", {"validation"}},
    {"val_split", {"validation"}},
    {"val", {"validation"}},
    {"max_norm", {"bound", "gamma"}},
    {"clip_grad_norm", {"clip_norm", "clip"}},
    {"hidden_size", {"hidden"}},
    {"hidden_sizes", {"hidden"}},
    {"hidden_layers", {"hidden"}},
    {"dropout_rate", {"dropout"}},
    {"milestones", {"at"}},
    {"gamma", {"factor"}},
    {"multistep", {"step"}},
    {"exponential", {"geometric"}},
    {"cosine_annealing", {"cosine"}},
    {"linear", {"poly"}},
    {"optimizer", {"method"}},
    {"optim", {"method"}},
    {"scheduler", {"schedule"}},
    {"lr_scheduler", {"schedule"}},
    {"dataset", {"data"}},
    {"training", {"train"}},
    {"trainer", {"train"}},
    {"network", {"model"}},
    {"metrics", {"measure"}},
    {"normalize", {"standardize"}},
    {"cross_entropy", {"softmax"}},
    {"logistic_regression", {"logistic"}},
    {"linear_regression", {"least_squares"}},
    {"mse", {"least_squares"}},
    {"cnn", {"convnet"}},
    {"output", {"out"}},
    {"output_dir", {"out"}},
    {"checkpoint", {"resume", "from"}},
};

/* Letter case apart, and with dashes for underscores. */
static bool same_word(const char *name, const char *word) {
    for (; *name && *word; name++, word++)
        if (lower(*name == '-' ? '_' : *name) != *word) return false;
    return !*name && !*word;
}

static const char *known_as(const char *meant, const char *(*next)(const void *user, int64_t i), const void *user) {
    const char *known;
    for (int64_t i = 0; (known = next(user, i)); i++)
        if (strcmp(known, meant) == 0) return known;
    return NULL;
}

static const char *usually(const char *name, const char *(*next)(const void *user, int64_t i), const void *user) {
    for (size_t u = 0; u < sizeof usual / sizeof *usual; u++) {
        if (!same_word(name, usual[u].word)) continue;
        for (int m = 0; m < MEANINGS && usual[u].meant[m]; m++) {
            const char *known = known_as(usual[u].meant[m], next, user);
            if (known) return known;
        }
    }
    return NULL;
}

const char *gls_nearest(const char *name, const char *(*next)(const void *user, int64_t i), const void *user) {
    if (!name || !next) return NULL;
    const char *nearest = usually(name, next, user), *known;
    if (nearest) return nearest;
    int length = (int)strnlen(name, LONGEST);
    int least = (length + 2) / 3 + 1; /* one mistake in three letters; beyond that it is another word */
    for (int64_t i = 0; (known = next(user, i)); i++) {
        int d = distance(name, known);
        if (d < least) {
            least = d;
            nearest = known;
        }
    }
    return nearest;
}
