/* Lines of an experiment's figures: a mean over seeds with its least and greatest. */
#include <math.h>
#include <string.h>

#include "experiment/experiment.h"

static double item(const json_t *array, size_t i) {
    const json_t *value = json_array_get(array, i);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool is_drawn(const gls_experiment_drawing *d, const char *arm) {
    bool named = !d->arms.count;
    for (int64_t i = 0; i < d->arms.count; i++) named |= strcmp(d->arms.item[i], arm) == 0;
    return named;
}

static const json_t *series_of(const json_t *outcome, const char *name) {
    return json_object_get(json_object_get(outcome, "series"), name);
}

/* Mean, least and greatest of some numbers; those that are none are left out. */
typedef struct spread {
    double sum, low, high;
    int64_t count;
} spread;

static void add(spread *s, double x) {
    if (!isfinite(x)) return;
    s->low = s->count ? fmin(s->low, x) : x;
    s->high = s->count ? fmax(s->high, x) : x;
    s->sum += x;
    s->count++;
}

static json_t *point(double x, const spread *s) {
    return json_pack("[f, f, f, f]", x, s->sum / (double)s->count, s->low, s->high);
}

static void append(json_t *points, double x, const spread *s) {
    if (s->count && isfinite(x)) json_array_append_new(points, point(x, s));
}

/* Arms stand in any order, their line goes from the least x to the greatest. */
static void insert_by_x(json_t *points, double x, const spread *s) {
    size_t at = json_array_size(points);
    if (!s->count || !isfinite(x)) return;
    while (at > 0 && item(json_array_get(points, at - 1), 0) > x) at--;
    json_array_insert_new(points, at, point(x, s));
}

static json_t *line(json_t *lines, const char *label) {
    size_t i;
    json_t *one;
    json_array_foreach(lines, i, one) {
        if (strcmp(json_string_value(json_object_get(one, "label")), label) == 0) return json_object_get(one, "points");
    }
    json_array_append_new(lines, json_pack("{s:s, s:[]}", "label", label, "points"));
    return json_object_get(json_array_get(lines, json_array_size(lines) - 1), "points");
}

/* Point i is the mean of the seeds' points i, also of where they are: a batch that follows the run makes epochs of
 * other lengths. Where one seed has ended the others go on, from behind the last mean. */
static void draw_curve(const gls_experiment_runner *r, const gls_experiment_drawing *d, int64_t arm, json_t *lines) {
    const gls_experiment_result *of = &r->result[arm];
    const char *field = strcmp(d->x, "epoch") == 0 ? "epoch" : "step";
    json_t *points = NULL;
    double last = -INFINITY;
    for (size_t i = 0;; i++) {
        spread s = {0}, place = {0};
        bool more = false;
        for (int64_t seed = 0; seed < r->scale->seeds; seed++) {
            const json_t *series = series_of(of->outcome[seed], d->y), *values = json_object_get(series, "value");
            if (i >= json_array_size(values)) continue;
            more = true;
            add(&place, item(json_object_get(series, field), i));
            add(&s, item(values, i));
        }
        if (!more) break;
        if (!points) points = line(lines, gls_experiment_arm_at(r->experiment, arm)->name);
        double x = place.low == place.high ? place.low : place.sum / (double)place.count;
        if (!place.count || x <= last) continue;
        append(points, x, &s);
        last = x;
    }
}

static void draw_point(const gls_experiment_runner *r, const gls_experiment_drawing *d, int64_t i, json_t *lines) {
    const gls_experiment_arm *arm = gls_experiment_arm_at(r->experiment, i);
    spread s = {0};
    for (int64_t seed = 0; seed < r->scale->seeds; seed++)
        add(&s, gls_experiment_outcome_get(r->result[i].outcome[seed], d->y));
    insert_by_x(line(lines, arm->line ? arm->line : d->y), arm->x, &s);
}

/* Series meet by their step. */
static void draw_scatter(const gls_experiment_runner *r, const gls_experiment_drawing *d, int64_t arm, json_t *lines) {
    for (int64_t seed = 0; seed < r->scale->seeds; seed++) {
        const json_t *x = series_of(r->result[arm].outcome[seed], d->x),
                     *y = series_of(r->result[arm].outcome[seed], d->y);
        const json_t *xs = json_object_get(x, "step"), *ys = json_object_get(y, "step");
        for (size_t i = 0, k = 0; i < json_array_size(xs) && k < json_array_size(ys);) {
            double a = item(xs, i), b = item(ys, k);
            if (a == b) {
                spread s = {0};
                add(&s, item(json_object_get(y, "value"), k));
                append(line(lines, gls_experiment_arm_at(r->experiment, arm)->name),
                       item(json_object_get(x, "value"), i), &s);
            }
            i += a <= b;
            k += b <= a;
        }
    }
}

gls_status gls_experiment_draw(const gls_experiment_runner *r, json_t *list) {
    static const char *const ways[] = {"curves", "points", "scatter"};
    static void (*const draw[])(const gls_experiment_runner *, const gls_experiment_drawing *, int64_t,
                                json_t *) = {draw_curve, draw_point, draw_scatter};
    const gls_experiment_drawing *d = r->experiment->text->figures.item;
    for (int64_t i = 0; i < r->experiment->text->figures.count; i++) {
        json_t *lines = json_array();
        for (int64_t arm = 0; arm < r->experiment->text->arms.count; arm++)
            if (is_drawn(&d[i], gls_experiment_arm_at(r->experiment, arm)->name)) draw[d[i].draw](r, &d[i], arm, lines);
        json_t *one =
            json_pack("{s:s, s:s?, s:s, s:s, s:s, s:b, s:b, s:o}", "title", d[i].title, "about", d[i].about, "draw",
                      ways[d[i].draw], "x", d[i].x_title ? d[i].x_title : d[i].x, "y",
                      d[i].y_title ? d[i].y_title : d[i].y, "logx", d[i].logx, "logy", d[i].logy, "lines", lines);
        if (json_array_append_new(list, one)) return gls_fail(r->ctx, GLS_ERR_MEMORY, "experiment: no memory");
    }
    return GLS_OK;
}
