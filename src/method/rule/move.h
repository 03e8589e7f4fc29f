/* The loop of a rule that moves w while it makes its step: one pass over all streams, and no step in between. */
#ifndef GLS_METHOD_RULE_MOVE_H
#define GLS_METHOD_RULE_MOVE_H

#include <glissade/method.h>
#include "base/kernels.h"
#include "method/narrow.h"

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

/* The same for a block of state in bf16, of w and g; its own streams, of half the width, it asks for itself. */
static inline void gls_move_block_ahead(const gls_real *w, const gls_real *g, int64_t i) {
    enum { LINE = 64 }; /* bytes */
    for (size_t k = 0; k < GLS_METHOD_BLOCK * sizeof(gls_real); k += LINE) {
        __builtin_prefetch((const char *)(w + i) + GLS_AHEAD / 2 + k);
        __builtin_prefetch((const char *)(g + i) + GLS_AHEAD / 2 + k);
    }
}

/* Where a part of a range ends that begins at `begin`. */
static inline int64_t gls_move_end(int64_t begin, int64_t size) {
    return size - begin < GLS_METHOD_RANGE ? size : begin + GLS_METHOD_RANGE;
}

/* Of the streams named, from coordinate i on. */
#define GLS_MOVE_AHEAD(i, ...)                             \
    gls_move_ahead((const gls_real *const[]){__VA_ARGS__}, \
                   (int)(sizeof((const gls_real *const[]){__VA_ARGS__}) / sizeof(const gls_real *)), (i))

/* |w_new - w_old|^2 of n moves, from short sums in gls_real, or where those are not wanted, would lose small squares or
 * overflow, from the moves themselves. */
static inline double gls_move_taken(const gls_real rough[GLS_LANES], bool wanted, const gls_real *moved, int64_t n) {
    gls_real s[GLS_LANES / 2];
    for (int j = 0; j < 8; j++) s[j] = rough[j] + rough[j + 8];
    for (int j = 0; j < 4; j++) s[j] += s[j + 4];
    gls_real total = (s[0] + s[2]) + (s[1] + s[3]);
    return wanted && total > (gls_real)1e-25 && total < (gls_real)1e30 ? (double)total : gls_sum_squares(moved, n);
}

/* One coordinate: k, whose state is number `at` of the vectors that ALONG looks at; `by` becomes how far it moved. */
#define GLS_MOVE_ONE(w, to, by, ALONG)                                              \
    do {                                                                            \
        gls_real along_ = (ALONG), x_ = (w)[k], y_ = gls_move_to(x_, along_, (to)); \
        (w)[k] = y_;                                                                \
        (by) = y_ - x_;                                                             \
    } while (0)

/* Moves w[k] along ALONG, an expression in the coordinate k (and in j, the lane that sums over it), for all k < n;
 * total becomes |w_new - w_old|^2. AHEAD asks for the streams, w among them, from coordinate i on. Inner loops are
 * apart so that each has one type. */
#define GLS_MOVE_LOOP(total, w, to, n, AHEAD, ALONG)                                             \
    do {                                                                                         \
        if ((to)->coarse) {                                                                      \
            (total) = 0;                                                                         \
            GLS_MOVE_COARSE(total, w, to, 0, n, AHEAD, ALONG);                                   \
        } else {                                                                                 \
            double part_[GLS_LANES] = {0};                                                       \
            int64_t i = 0;                                                                       \
            for (; i + GLS_LANES <= (n); i += GLS_LANES) {                                       \
                gls_real by_[GLS_LANES];                                                         \
                AHEAD;                                                                           \
                GLS_LANE_LOOP                                                                    \
                for (int j = 0; j < GLS_LANES; j++) {                                            \
                    GLS_UNUSED int64_t k = i + j, at = k;                                        \
                    GLS_MOVE_ONE(w, to, by_[j], ALONG);                                          \
                }                                                                                \
                GLS_LANE_LOOP                                                                    \
                for (int j = 0; j < GLS_LANES; j++) part_[j] += (double)by_[j] * (double)by_[j]; \
            }                                                                                    \
            for (int j = 0; i + j < (n); j++) {                                                  \
                GLS_UNUSED int64_t k = i + j, at = k;                                            \
                gls_real by_;                                                                    \
                GLS_MOVE_ONE(w, to, by_, ALONG);                                                 \
                part_[j] += (double)by_ * (double)by_;                                           \
            }                                                                                    \
            (total) = gls_combine_lanes(part_);                                                  \
        }                                                                                        \
    } while (0)

/* The same for coordinates k of [begin, end), at most GLS_METHOD_RANGE of them, number `at` in it; what they add to
 * total is summed in gls_real: sums in double take half of the time where nothing waits for memory. */
#define GLS_MOVE_COARSE(total, w, to, begin, end, AHEAD, ALONG)                   \
    do {                                                                          \
        gls_real rough_[GLS_LANES] = {0}, moved_[GLS_METHOD_RANGE];               \
        int64_t i = (begin);                                                      \
        for (; i + GLS_LANES <= (end); i += GLS_LANES) {                          \
            gls_real *by_ = moved_ + (i - (begin));                               \
            AHEAD;                                                                \
            GLS_LANE_LOOP                                                         \
            for (int j = 0; j < GLS_LANES; j++) {                                 \
                GLS_UNUSED int64_t k = i + j, at = k - (begin);                   \
                GLS_MOVE_ONE(w, to, by_[j], ALONG);                               \
            }                                                                     \
            GLS_LANE_LOOP                                                         \
            for (int j = 0; j < GLS_LANES; j++) rough_[j] += by_[j] * by_[j];     \
        }                                                                         \
        for (int j = 0; i + j < (end); j++) {                                     \
            GLS_UNUSED int64_t k = i + j, at = k - (begin);                       \
            GLS_MOVE_ONE(w, to, moved_[at], ALONG);                               \
            rough_[j] += moved_[at] * moved_[at];                                 \
        }                                                                         \
        (total) += gls_move_taken(rough_, (to)->coarse, moved_, (end) - (begin)); \
    } while (0)

/* The same over a range whose state is in bf16, in one loop: blocks so short that they stay in registers are widened,
 * moved and rounded. */
#define GLS_MOVE_HALVES(total, w, to, range, COUNT, ALONG)                                          \
    do {                                                                                            \
        const gls_method_narrow *narrow_ = (range)->narrow;                                         \
        (total) = 0;                                                                                \
        for (int64_t begin_ = 0; begin_ < (range)->size; begin_ += GLS_METHOD_RANGE) {              \
            gls_real rough_[GLS_LANES] = {0}, moved_[GLS_METHOD_RANGE], v[COUNT][GLS_METHOD_BLOCK]; \
            int64_t i = begin_, end_ = gls_move_end(begin_, (range)->size);                         \
            for (; i + GLS_METHOD_BLOCK <= end_; i += GLS_METHOD_BLOCK) {                           \
                gls_move_block_ahead(w, (range)->g, i);                                             \
                gls_method_halves_widen(narrow_, COUNT, v, i, GLS_METHOD_BLOCK);                    \
                for (int part = 0; part < GLS_METHOD_BLOCK; part += GLS_LANES) {                    \
                    gls_real *by_ = moved_ + (i - begin_) + part;                                   \
                    GLS_LANE_LOOP                                                                   \
                    for (int j = 0; j < GLS_LANES; j++) {                                           \
                        int64_t at = part + j, k = i + at;                                          \
                        GLS_MOVE_ONE(w, to, by_[j], ALONG);                                         \
                    }                                                                               \
                    GLS_LANE_LOOP                                                                   \
                    for (int j = 0; j < GLS_LANES; j++) rough_[j] += by_[j] * by_[j];               \
                }                                                                                   \
                gls_method_halves_narrow(narrow_, COUNT, v, i, GLS_METHOD_BLOCK);                   \
            }                                                                                       \
            if (i < end_) {                                                                         \
                int n_ = (int)(end_ - i);                                                           \
                gls_method_halves_widen(narrow_, COUNT, v, i, n_);                                  \
                for (int at = 0; at < n_; at++) {                                                   \
                    int64_t k = i + at;                                                             \
                    int j = at % GLS_LANES;                                                         \
                    GLS_MOVE_ONE(w, to, moved_[k - begin_], ALONG);                                 \
                    rough_[j] += moved_[k - begin_] * moved_[k - begin_];                           \
                }                                                                                   \
                gls_method_halves_narrow(narrow_, COUNT, v, i, n_);                                 \
            }                                                                                       \
            (total) += gls_move_taken(rough_, (to)->coarse, moved_, end_ - begin_);                 \
        }                                                                                           \
    } while (0)

/* In 8 bits, whose scales are known only behind GLS_METHOD_SCALED coordinates. */
#define GLS_MOVE_CODES(total, w, to, range, COUNT, ALONG)                                         \
    do {                                                                                          \
        gls_real v[COUNT][GLS_METHOD_RANGE];                                                      \
        (total) = 0;                                                                              \
        for (int64_t begin_ = 0; begin_ < (range)->size; begin_ += GLS_METHOD_RANGE) {            \
            int64_t end_ = gls_move_end(begin_, (range)->size);                                   \
            gls_method_narrow_widen((range)->narrow, v, begin_, end_ - begin_);                   \
            GLS_MOVE_COARSE(total, w, to, begin_, end_, GLS_MOVE_AHEAD(i, w, (range)->g), ALONG); \
            gls_method_narrow_round((range)->narrow, v, begin_, end_ - begin_);                   \
        }                                                                                         \
    } while (0)

/* The same for a rule with COUNT state vectors: ALONG has them as v[0][at], v[1][at], ..., however they are kept. */
#define GLS_MOVE_STATE(total, w, to, range, COUNT, AHEAD, ALONG)             \
    do {                                                                     \
        if (!(range)->narrow) {                                              \
            gls_real *v[COUNT];                                              \
            for (int s_ = 0; s_ < (COUNT); s_++) v[s_] = (range)->state[s_]; \
            GLS_MOVE_LOOP(total, w, to, (range)->size, AHEAD, ALONG);        \
        } else if ((range)->narrow->precision == GLS_STATE_BF16) {           \
            GLS_MOVE_HALVES(total, w, to, range, COUNT, ALONG);              \
        } else {                                                             \
            GLS_MOVE_CODES(total, w, to, range, COUNT, ALONG);               \
        }                                                                    \
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
