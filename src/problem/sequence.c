/* Greedy decoding of frames, and the edit distance. */
#include "problem/sequence.h"

#include <math.h>

/* No comparison with a NaN is true, so only a NaN in the first place can win. */
static int64_t largest(const gls_real *z, int64_t width) {
    int64_t best = 0;
    for (int64_t c = 1; c < width; c++)
        if (z[c] > z[best]) best = c;
    return isnan(z[best]) ? -1 : best;
}

int64_t gls_sequence_decode(const gls_real *z, int64_t frames, int64_t width, int64_t blank, int32_t *out) {
    int64_t count = 0, before = blank;
    for (int64_t t = 0; t < frames; t++) {
        int64_t best = largest(z + t * width, width);
        if (best < 0) best = blank;
        if (best != blank && best != before) out[count++] = (int32_t)(best < blank ? best : best - 1);
        before = best;
    }
    return count;
}

int64_t gls_sequence_length(const int32_t *label, int64_t room) {
    int64_t n = 0;
    while (n < room && label[n] >= 0) n++;
    return n;
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* room[j]: of the labels of a so far and the first j of b. */
int64_t gls_sequence_edits(const int32_t *a, int64_t n, const int32_t *b, int64_t m, int64_t *room) {
    for (int64_t j = 0; j <= m; j++) room[j] = j;
    for (int64_t i = 0; i < n; i++) {
        int64_t corner = room[0]++;
        for (int64_t j = 1; j <= m; j++) {
            int64_t change = corner + (a[i] != b[j - 1]), one = least(room[j], room[j - 1]) + 1;
            corner = room[j];
            room[j] = least(change, one);
        }
    }
    return room[m];
}
