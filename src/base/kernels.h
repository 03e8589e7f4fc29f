/* Vector kernels. Plain C loops, compiled for several instruction sets and chosen at run time; every instruction set
 * gives the same bits: element-wise arithmetic is not contracted, reductions use 16 fixed partial sums in double. */
#ifndef GLS_BASE_KERNELS_H
#define GLS_BASE_KERNELS_H

#include <glissade/base.h>

/* In front of a function whose loops should be compiled for each instruction set. Same bits by construction. Clang
 * before 18 gives the chosen function a name of its own that other files cannot call. x86-64-v4 is AVX-512 with vectors
 * of 16-bit numbers too. */
#if defined(GLS_NO_CLONES) || !defined(__x86_64__) || (defined(__clang__) && __clang_major__ < 18)
#define GLS_SIMD
#else
#define GLS_SIMD __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#endif

/* Reductions cut vectors at multiples of this, whatever the thread count; chunk results are added in order. Dealing a
 * chunk to a worker costs little beside summing it. */
enum { GLS_CHUNK = 16384 };

/* Loops that wait for memory ask for what they will read so many bytes ahead, divided among their streams: processors
 * do not look ahead over the end of a page by themselves, and those that look far within one lose a quarter of their
 * speed to loops that ask for less. */
enum { GLS_AHEAD = 8192 };

/* A loop that sums while it does something else keeps this many partial sums, sum j over elements j, j + 16, ...:
 * two AVX-512 registers of doubles. */
enum { GLS_LANES = 16 };

/* In front of the inner loop over those: gcc 14 unrolls it first otherwise, and then keeps the sums in scalars. */
#define GLS_LANE_LOOP _Pragma("omp simd")

/* In front of a short body that a kernel's loop has inside, compiled for the kernel's instruction set: by itself a
 * compiler gives up on inlining it after a few. */
#define GLS_ALWAYS_INLINE static inline __attribute__((always_inline))

/* The one order in which partial sums are added. */
static inline double gls_combine_lanes(const double part[GLS_LANES]) {
    double s[GLS_LANES];
    for (int j = 0; j < 8; j++) s[j] = part[j] + part[j + 8];
    for (int j = 0; j < 4; j++) s[j] += s[j + 4];
    return (s[0] + s[2]) + (s[1] + s[3]);
}

double gls_sum_squares(const gls_real *x, int64_t n); /* sum x_i^2 */
/* Goes on with the partial sums of a chunk whose first `before` elements have been summed: chunks in several places
 * have the bits of those in one. */
void gls_add_squares(double part[GLS_LANES], int64_t before, const gls_real *x, int64_t n);
double gls_dot(const gls_real *x, const gls_real *y, int64_t n); /* sum x_i y_i */
double gls_sum(const gls_real *x, int64_t n);
double gls_sum_absolute(const gls_real *x, int64_t n);
double gls_distance_squares(const gls_real *x, const gls_real *y, int64_t n); /* sum (x_i - y_i)^2 */
gls_real gls_largest(const gls_real *x, int64_t n); /* n > 0; NaN if x_0 is, else of those that are not */
int64_t gls_count_nonfinite(const gls_real *x, int64_t n);
void gls_fill(gls_real *x, gls_real value, int64_t n);
void gls_scale(gls_real *x, double a, int64_t n);                   /* x = a x, a rounded to gls_real */
void gls_axpy(gls_real *y, double a, const gls_real *x, int64_t n); /* y += a x, likewise */
void gls_add(gls_real *y, const gls_real *x, int64_t n);            /* y += x */

/* The same over the context's team for long vectors; bits do not depend on threads. */
double gls_team_sum_squares(gls_context *ctx, const gls_real *x, int64_t n);
double gls_team_dot(gls_context *ctx, const gls_real *x, const gls_real *y, int64_t n);
void gls_team_fill(gls_context *ctx, gls_real *x, gls_real value, int64_t n);
void gls_team_scale(gls_context *ctx, gls_real *x, double a, int64_t n);
void gls_team_axpy(gls_context *ctx, gls_real *y, double a, const gls_real *x, int64_t n);

#endif
