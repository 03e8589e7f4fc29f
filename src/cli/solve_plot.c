/* A path as SVG: drawn into memory, then written in one piece, so that a plot is whole or absent. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/solve.h"

/* Pixels of the page and its margins; CELLS a side of the shaded plane, CURVE places along a line; a path of more than
 * DOTS iterates is drawn without a dot for each. */
enum { WIDTH = 640, HEIGHT = 520, LEFT = 70, TOP = 40, RIGHT = 20, BOTTOM = 50, CELLS = 64, CURVE = 400, DOTS = 2000 };

typedef struct frame {
    double low[2], high[2]; /* of what is shown, in x and y */
} frame;

static double across(const frame *f, double x) {
    return LEFT + (x - f->low[0]) / (f->high[0] - f->low[0]) * (WIDTH - LEFT - RIGHT);
}
static double down(const frame *f, double y) {
    return HEIGHT - BOTTOM - (y - f->low[1]) / (f->high[1] - f->low[1]) * (HEIGHT - TOP - BOTTOM);
}

/* A point of view on the true function. */
typedef struct viewer {
    gls_point *point;
    gls_evaluation *evaluation;
    gls_batch rows;
    int64_t *index;
} viewer;

static gls_status open_viewer(gls_problem *p, viewer *v) {
    int64_t n = p->data.examples;
    *v = (viewer){.index = gls_alloc(p->ctx, n, sizeof(int64_t))};
    if (!v->index) return GLS_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) v->index[i] = i;
    v->rows = (gls_batch){.rows = n, .index = v->index, .slot = v->index};
    GLS_TRY(gls_point_create(p, &v->point));
    return gls_evaluation_create(p, n, 0, GLS_MODE_EVALUATE, &v->evaluation);
}

static void close_viewer(gls_problem *p, viewer *v) {
    gls_evaluation_destroy(v->evaluation);
    gls_point_destroy(v->point);
    gls_free(p->ctx, v->index);
}

static gls_status value_at(viewer *v, const gls_real *w, double *value) {
    double n = (double)v->rows.rows;
    gls_evaluate_args args = {
        .point = v->point, .rows = &v->rows, .mode = GLS_MODE_EVALUATE, .batch_mass = n, .batch_rows = v->rows.rows};
    GLS_TRY(gls_point_set(v->point, w));
    GLS_TRY(gls_evaluate(v->evaluation, &args));
    GLS_TRY(gls_ask_loss(v->evaluation, value));
    *value /= n;
    return GLS_OK;
}

/* A margin of 8% to each side, or half the value where all are the same. */
static void widen(double *low, double *high) {
    double room = 0.08 * (*high - *low);
    if (!(room > 0)) room = 0.5 * (1 + fabs(*low));
    *low -= room;
    *high += room;
}

/* The range of coordinate `axis` along the path. Beyond 1e9 a path diverges: that end is left out, here and in trace.
 */
static void range_of(const cli_path *path, int axis, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t i = 0; i < path->count; i++) {
        double x = (double)path->w[i * path->d + axis];
        if (!isfinite(x) || fabs(x) > 1e9) continue;
        *low = fmin(*low, x);
        *high = fmax(*high, x);
    }
    if (*low > *high) *low = *high = 0;
    widen(low, high);
}

/* Labels at 1, 2 or 5 times a power of ten, so that an axis has about four to ten. */
static void axes(FILE *to, const frame *f, const char *title, const char *x_name, const char *y_name) {
    fprintf(to, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#444\"/>\n", LEFT, TOP,
            WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    for (int axis = 0; axis < 2; axis++) {
        double span = f->high[axis] - f->low[axis], unit = pow(10, floor(log10(span / 4)));
        double step = span / unit > 20 ? 5 * unit : span / unit > 8 ? 2 * unit : unit;
        for (double at = ceil(f->low[axis] / step) * step; at <= f->high[axis]; at += step) {
            double shown = fabs(at) < 1e-9 * step ? 0 : at;
            if (axis == 0)
                fprintf(to, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.4g</text>\n", across(f, at),
                        HEIGHT - BOTTOM + 18, shown);
            else
                fprintf(to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", LEFT - 6, down(f, at) + 4,
                        shown);
        }
    }
    fprintf(to,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n"
            "<text x=\"16\" y=\"%d\" text-anchor=\"middle\" transform=\"rotate(-90 16 %d)\">%s</text>\n"
            "<text x=\"%d\" y=\"24\" text-anchor=\"middle\" font-size=\"15\">%s</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_name, (TOP + HEIGHT - BOTTOM) / 2, (TOP + HEIGHT - BOTTOM) / 2,
            y_name, (LEFT + WIDTH - RIGHT) / 2, title);
}

/* The path through (x, y) of every iterate, its start a ring and its end a disc. */
static void trace(FILE *to, const frame *f, const double *x, const double *y, int64_t count) {
    int64_t last = -1;
    fprintf(to, "<polyline fill=\"none\" stroke=\"#b33\" stroke-width=\"0.8\" stroke-opacity=\"0.7\" points=\"");
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(x[i]) || !isfinite(y[i]) || fabs(x[i]) > 1e9 || fabs(y[i]) > 1e9) break;
        fprintf(to, "%.2f,%.2f ", across(f, x[i]), down(f, y[i]));
        last = i;
    }
    fprintf(to, "\"/>\n");
    for (int64_t i = 1; i < last && last <= DOTS; i++)
        fprintf(to, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"1.6\" fill=\"#711\"/>\n", across(f, x[i]), down(f, y[i]));
    if (last < 0) return;
    fprintf(to,
            "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"6\" fill=\"none\" stroke=\"#060\" stroke-width=\"2\"/>\n"
            "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"5\" fill=\"#b33\"/>\n",
            across(f, x[0]), down(f, y[0]), across(f, x[last]), down(f, y[last]));
}

/* One dimension: the function itself over the range of the path, and the iterates on it. */
static gls_status plot_line(FILE *to, viewer *v, const cli_path *path, const char *title, double *x, double *y) {
    frame f = {.low = {0, INFINITY}, .high = {0, -INFINITY}};
    double curve[CURVE + 1];
    range_of(path, 0, &f.low[0], &f.high[0]);
    for (int i = 0; i <= CURVE; i++) {
        gls_real w = (gls_real)(f.low[0] + (f.high[0] - f.low[0]) * i / CURVE);
        GLS_TRY(value_at(v, &w, &curve[i]));
        if (!isfinite(curve[i])) continue;
        f.low[1] = fmin(f.low[1], curve[i]);
        f.high[1] = fmax(f.high[1], curve[i]);
    }
    widen(&f.low[1], &f.high[1]);
    fprintf(to, "<polyline fill=\"none\" stroke=\"#678\" stroke-width=\"1.5\" points=\"");
    for (int i = 0; i <= CURVE; i++)
        if (isfinite(curve[i]))
            fprintf(to, "%.2f,%.2f ", across(&f, f.low[0] + (f.high[0] - f.low[0]) * i / CURVE), down(&f, curve[i]));
    fprintf(to, "\"/>\n");
    for (int64_t i = 0; i < path->count; i++) {
        x[i] = (double)path->w[i];
        GLS_TRY(value_at(v, path->w + i, &y[i]));
    }
    trace(to, &f, x, y, path->count);
    axes(to, &f, title, "w", "F(w)");
    return GLS_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Cells shaded by the rank of their value: every tenth of the area has its tone, the lowest the lightest. They overlap
 * by 0.3 pixels, or viewers show lines between them. */
static gls_status shade(FILE *to, viewer *v, const frame *f) {
    static const char *const tone[] = {"#f7fbff", "#eaf3fb", "#dbe9f6", "#cbdef1", "#b8d3ea",
                                       "#a3c6e2", "#8cb6d9", "#75a5cf", "#5f93c4", "#4b81b7"};
    double *value = malloc(2 * CELLS * CELLS * sizeof *value), *sorted = value + CELLS * CELLS;
    if (!value) return GLS_ERR_MEMORY;
    gls_status status = GLS_OK;
    double cell[2];
    for (int a = 0; a < 2; a++) cell[a] = (f->high[a] - f->low[a]) / CELLS;
    for (int i = 0; i < CELLS * CELLS && status == GLS_OK; i++) {
        gls_real w[] = {(gls_real)(f->low[0] + cell[0] * (i % CELLS + 0.5)),
                        (gls_real)(f->low[1] + cell[1] * (i / CELLS + 0.5))};
        status = value_at(v, w, &value[i]);
        if (!isfinite(value[i])) value[i] = INFINITY;
        sorted[i] = value[i];
    }
    if (status == GLS_OK) qsort(sorted, CELLS * CELLS, sizeof *sorted, ascending);
    for (int i = 0; i < CELLS * CELLS && status == GLS_OK; i++) {
        int rank = 0;
        while (rank < 9 && value[i] > sorted[(rank + 1) * CELLS * CELLS / 10]) rank++;
        fprintf(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n",
                across(f, f->low[0] + cell[0] * (i % CELLS)), down(f, f->low[1] + cell[1] * (i / CELLS + 1)),
                (double)(WIDTH - LEFT - RIGHT) / CELLS + 0.3, (double)(HEIGHT - TOP - BOTTOM) / CELLS + 0.3,
                tone[rank]);
    }
    free(value);
    return status;
}

static gls_status plot_plane(FILE *to, viewer *v, const cli_path *path, const char *title, double *x, double *y) {
    frame f;
    for (int axis = 0; axis < 2; axis++) range_of(path, axis, &f.low[axis], &f.high[axis]);
    GLS_TRY(shade(to, v, &f));
    for (int64_t i = 0; i < path->count; i++) {
        x[i] = (double)path->w[2 * i];
        y[i] = (double)path->w[2 * i + 1];
    }
    trace(to, &f, x, y, path->count);
    axes(to, &f, title, "w[0]", "w[1]");
    return GLS_OK;
}

static gls_status draw(FILE *to, gls_problem *problem, const cli_path *path, const char *title) {
    gls_context *ctx = problem->ctx;
    double *x = gls_alloc(ctx, 2 * path->count, sizeof *x);
    char *heading =
        gls_sprintf(ctx, "%s on %s, %lld points", title, problem->type->member.name, (long long)path->count);
    viewer v = {0};
    gls_status status = x && heading ? open_viewer(problem, &v) : GLS_ERR_MEMORY;
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT);
    if (status == GLS_OK) status = (path->d == 1 ? plot_line : plot_plane)(to, &v, path, heading, x, x + path->count);
    fprintf(to, "</svg>\n");
    close_viewer(problem, &v);
    gls_free(ctx, x);
    gls_free(ctx, heading);
    return status;
}

gls_status cli_plot_path(gls_problem *problem, const cli_path *path, const char *title, const char *file) {
    gls_context *ctx = problem->ctx;
    char *text = NULL;
    size_t length;
    if (path->d > 2)
        return gls_fail(ctx, GLS_ERR_UNSUPPORTED, "a path in %lld dimensions cannot be drawn", (long long)path->d);
    FILE *to = open_memstream(&text, &length);
    gls_status status = to ? draw(to, problem, path, title) : GLS_ERR_MEMORY;
    if (to && fclose(to) && status == GLS_OK) status = GLS_ERR_MEMORY;
    if (status == GLS_ERR_MEMORY) gls_fail(ctx, status, "%s: out of memory while drawing", file);
    if (status == GLS_OK) status = gls_write_text(ctx, file, text);
    free(text);
    return status;
}
