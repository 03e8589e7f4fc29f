/* The loop of a rule that moves w while it makes its step: one pass over all streams, and no step in between. */
#ifndef GLS_METHOD_RULE_MOVE_H
#define GLS_METHOD_RULE_MOVE_H

#include <glissade/method.h>
#include "base/kernels.h"

static inline gls_real gls_move_to(gls_real x, gls_real along, const gls_move_target *to) {
    gls_real y = x - to->rate * along - to->shrink * x;
    y = y < to->low ? to->low : y;
    return y > to->high ? to->high : y;
}

/* The target of a range at this rate; a kernel takes it by value and w beside it, so that nothing may overlap. */
static inline gls_move_target gls_move_at(const gls_range *range, double rate) {
    gls_move_target to = *range->target;
    to.rate = (gls_real)rate;
    return to;
}

/* Asks for what a group of lanes will read soon, of `count` streams. */
static inline void gls_move_ahead(const gls_real *const stream[], int count, int64_t i) {
    enum { LINE = 64 }; /* bytes */
    for (int s = 0; s < count; s++) {
        const char *at = (const char *)(stream[s] + i) + GLS_AHEAD / count;
        for (size_t k = 0; k < GLS_LANES * sizeof(gls_real); k += LINE) __builtin_prefetch(at + k);
    }
}

/* Of the streams named, from coordinate i on. */
#define GLS_MOVE_AHEAD(i, ...)                             \
    gls_move_ahead((const gls_real *const[]){__VA_ARGS__}, \
                   (int)(sizeof((const gls_real *const[]){__VA_ARGS__}) / sizeof(const gls_real *)), (i))

/* Moves w[k] along ALONG, an expression in the coordinate k (and in j, the lane that sums over it), for all k < n;
 * total becomes |w_new - w_old|^2. AHEAD asks for the streams, w among them, from coordinate i on. The two inner loops
 * are apart so that each has one type. */
#define GLS_MOVE_LOOP(total, w, to, n, AHEAD, ALONG)                                         \
    do {                                                                                     \
        double part_[GLS_LANES] = {0};                                                       \
        int64_t i = 0;                                                                       \
        for (; i + GLS_LANES <= (n); i += GLS_LANES) {                                       \
            gls_real by_[GLS_LANES];                                                         \
            AHEAD;                                                                           \
            GLS_LANE_LOOP                                                                    \
            for (int j = 0; j < GLS_LANES; j++) {                                            \
                int64_t k = i + j;                                                           \
                gls_real along_ = (ALONG), x_ = (w)[k], y_ = gls_move_to(x_, along_, (to));  \
                (w)[k] = y_;                                                                 \
                by_[j] = y_ - x_;                                                            \
            }                                                                                \
            GLS_LANE_LOOP                                                                    \
            for (int j = 0; j < GLS_LANES; j++) part_[j] += (double)by_[j] * (double)by_[j]; \
        }                                                                                    \
        for (int j = 0; i + j < (n); j++) {                                                  \
            int64_t k = i + j;                                                               \
            gls_real along_ = (ALONG), x_ = (w)[k], y_ = gls_move_to(x_, along_, (to));      \
            (w)[k] = y_;                                                                     \
            part_[j] += (double)(y_ - x_) * (double)(y_ - x_);                               \
        }                                                                                    \
        (total) = gls_combine_lanes(part_);                                                  \
    } while (0)

/* What the lanes counted. */
static inline int gls_move_count(const int lane[GLS_LANES]) {
    int count = 0;
    for (int j = 0; j < GLS_LANES; j++) count += lane[j];
    return count;
}

/* w -= rate gain along: what rules do whose step is a vector that is there anyway. */
double gls_move_along(gls_real *restrict w, const gls_real *restrict along, gls_move_target to, int64_t n);

#endif
