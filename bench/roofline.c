/* The least that a training step of a sequence model must do, for sequences_torch.py: reads lines `CASE STEPS` and
 * answers each with seconds, seconds of all processors, and the shares of both parts in seconds: the products of the
 * step's shapes, by the library at hand, and the passes over memory that cannot be left out. Both on all threads, of
 * which each has its share of the rows; nothing else is done.
 *
 * Passes in reals, beyond what products read and write: AdamW 7 a parameter (w, g and both moments read, w and both
 * moments written); logits 2 (the softmax, read and written in place); layer norm 2 forward, 3 backward; gelu 2 and 3;
 * an LSTM's gates 2 and 2. Sums of two layers can be left to products. */
#include "roof.h"

enum { ROWS = 16, LENGTH = 128, TOKENS = ROWS * LENGTH, VOCABULARY = 8000, ROOM = TOKENS * VOCABULARY };

/* Two products forward and four backward, by row and head. */
static double attention(int64_t depth, int64_t heads, int64_t dim) {
    int64_t count = depth * ROWS * heads / threads;
    return 3 * seconds_of((product){count, LENGTH * threads, LENGTH, dim, false, true, true}) +
           3 * seconds_of((product){count, LENGTH * threads, dim, LENGTH, false, false, true});
}

/* The recurrent products of a layer: position by position, forward without the first one's, backward likewise. Rows are
 * cut among the threads; weights lie as many rows of them best read. */
static double recurrent(int64_t depth, int64_t h) {
    return seconds_of((product){depth * (LENGTH - 1), ROWS, 4 * h, h, false, false, true}) +
           seconds_of((product){depth * (LENGTH - 1), ROWS, h, 4 * h, false, false, true}) +
           seconds_of((product){depth, 4 * h, h, TOKENS - ROWS, true, false, true});
}

static double layer(int64_t count, int64_t out, int64_t in) {
    return dense(count, TOKENS, out, in, true);
}

/* Products, passes. */
static void decoder(double seconds[2]) {
    int64_t d = 256, depth = 4, parameters = VOCABULARY * d + LENGTH * d + depth * (12 * d * d + 13 * d) + 2 * d;
    seconds[0] += layer(depth, 3 * d, d) + layer(depth, d, d) + layer(depth, 4 * d, d) + layer(depth, d, 4 * d) +
                  layer(1, VOCABULARY, d) + attention(depth, 4, d / 4);
    seconds[1] +=
        passes(7 * parameters + TOKENS * (2 * VOCABULARY + (2 * depth + 1) * 5 * d + depth * 5 * 4 * d), ROOM / 2);
}

static void lstm(double seconds[2]) {
    int64_t h = 400, depth = 2, parameters = VOCABULARY * h + depth * (8 * h * h + 4 * h);
    seconds[0] += layer(depth, 4 * h, h) + recurrent(depth, h) + layer(1, VOCABULARY, h);
    seconds[1] += passes(7 * parameters + TOKENS * (2 * VOCABULARY + depth * 4 * 4 * h), ROOM / 2);
}

static void step(const char *name, double seconds[2]) {
    (strncmp(name, "lstm", 4) == 0 ? lstm : decoder)(seconds);
}

int main(int argc, char **argv) {
    int wanted = argc > 1 ? atoi(argv[1]) : 2;
    if (wanted < 1 || ROWS % wanted) return 2;
    make_rooms(wanted, ROOM);
    return answer(step);
}
